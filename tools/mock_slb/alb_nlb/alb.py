"""ALB (Alb 2020-06-16): its table of actions, and what only it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mock_slb.account.account import Account
from mock_slb.alb_nlb import alb_views, parameters
from mock_slb.alb_nlb.actions import Actions, View, Views
from mock_slb.alb_nlb.balancer import Balancer
from mock_slb.alb_nlb.jobs import Job
from mock_slb.alb_nlb.parameters import Params
from mock_slb.alb_nlb.resources import GroupListener, Rule
from mock_slb.contract import contracts
from mock_slb.core.filters import Listing

VERSION = "2020-06-16"
VIEWS = Views(
    job=alb_views.job_started,
    server=alb_views.server,
    server_group=alb_views.server_group,
    load_balancer=alb_views.load_balancer,
    load_balancer_attribute=alb_views.load_balancer_attribute,
    listener=alb_views.listener,
    tag=alb_views.tag,
)

Action = Callable[[Account, Params], View]


def get_listener_health_status(account: Account, params: Params) -> View:
    """GetListenerHealthStatus: with the groups of its rules where IncludeRule says so."""
    balancer, listener = account.alb.listener(params["ListenerId"], params.get("RegionId"))
    parameters.page(params, 1)  # one listener is always told of whole
    answer: View = {"ListenerHealthStatus": [alb_views.listener_health(balancer, listener)]}
    if parameters.flag(params, "IncludeRule"):
        answer["RuleHealthStatus"] = alb_views.rule_health(balancer, listener)
    return answer


def list_asyn_jobs(account: Account, params: Params) -> View:
    """ListAsynJobs: by id, resource, action and time of their start."""
    began = parameters.milliseconds(params, "BeginTime", 0.0)
    ended = parameters.milliseconds(params, "EndTime", float("inf"))
    listing: Listing[Job] = Listing(
        contracts("alb")["ListAsynJobs"],
        lambda job: alb_views.job(job, account.now()),
        special={
            "JobIds": lambda job: [job.id],
            # Bounds, not values: all that are left meet them.
            "BeginTime": lambda _: [params["BeginTime"]],
            "EndTime": lambda _: [params["EndTime"]],
        },
    )
    jobs = (job for job in account.alb.jobs.all() if began <= job.started_at * 1000 <= ended)
    return _page(params, "Jobs", listing.passing(jobs, params))


def list_rules(account: Account, params: Params) -> View:
    """ListRules: with the server group that each diverts requests to."""
    region = params.get("RegionId") or account.region
    listing: Listing[tuple[Balancer, GroupListener, Rule]] = Listing(
        contracts("alb")["ListRules"], lambda one: alb_views.rule(*one)
    )
    rules = (
        (balancer, listener, rule)
        for balancer in account.alb.balancers()
        if balancer.region == region
        for listener in balancer.listeners.values()
        for rule in listener.rules
    )
    return _page(params, "Rules", listing.passing(rules, params))


ACTIONS: Mapping[str, Action] = {
    "AddServersToServerGroup": lambda account, p: _on(account).add_servers(p),
    "RemoveServersFromServerGroup": lambda account, p: _on(account).remove_servers(p),
    "UpdateServerGroupServersAttribute": lambda account, p: _on(account).update_servers(p),
    "ListServerGroupServers": lambda account, p: _on(account).list_servers(p),
    "ListServerGroups": lambda account, p: _on(account).list_groups(p),
    "ListLoadBalancers": lambda account, p: _on(account).list_balancers(p),
    "ListListeners": lambda account, p: _on(account).list_listeners(p),
    "ListRules": list_rules,
    "ListAsynJobs": list_asyn_jobs,
    "GetListenerHealthStatus": get_listener_health_status,
    "GetLoadBalancerAttribute": lambda account, p: _on(account).get_load_balancer_attribute(p),
    "ListTagResources": lambda account, p: _on(account).list_tag_resources(p),
}


def _on(account: Account) -> Actions:
    return Actions(account.alb, VIEWS)


def _page(params: Params, name: str, found: Sequence[View]) -> View:
    page = parameters.page(params, len(found))
    return {**page.fields(), name: page.cut(found)}
