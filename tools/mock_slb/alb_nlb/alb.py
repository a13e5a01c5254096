"""ALB (Alb 2020-06-16): its table of actions, and what only it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mock_slb.alb_nlb import alb_views, parameters
from mock_slb.alb_nlb.actions import Actions, View, Views
from mock_slb.alb_nlb.balancer import Balancer
from mock_slb.alb_nlb.jobs import Job
from mock_slb.alb_nlb.parameters import Params
from mock_slb.alb_nlb.resources import GroupListener, Rule
from mock_slb.model import Account

VERSION = "2020-06-16"
VIEWS = Views(
    job=alb_views.job_started,
    server=alb_views.server,
    server_group=alb_views.server_group,
    load_balancer=alb_views.load_balancer,
    listener=alb_views.listener,
)

Action = Callable[[Account, Params], View]


def get_listener_health_status(account: Account, params: Params) -> View:
    """GetListenerHealthStatus: with the groups of its rules where IncludeRule says so."""
    id_ = parameters.required(account.alb.product, params, "ListenerId")
    balancer, listener = account.alb.listener(id_, params.get("RegionId"))
    answer: View = {"ListenerHealthStatus": [alb_views.listener_health(balancer, listener)]}
    if parameters.flag(params, "IncludeRule"):
        answer["RuleHealthStatus"] = alb_views.rule_health(balancer, listener)
    return answer


def list_asyn_jobs(account: Account, params: Params) -> View:
    """ListAsynJobs: by id, resource, action and time of their start."""
    found = [job for job in account.alb.jobs.all() if _job_passes(job, params)]
    page = parameters.page(params, len(found))
    jobs = [alb_views.job(job, account.now()) for job in page.cut(found)]
    return {**page.fields(), "Jobs": jobs}


def list_rules(account: Account, params: Params) -> View:
    """ListRules: with the server group that each diverts requests to."""
    listener_ids = parameters.listed(params, "ListenerIds")
    balancer_ids = parameters.listed(params, "LoadBalancerIds")
    rule_ids = parameters.listed(params, "RuleIds")
    region = params.get("RegionId") or account.region
    found: list[tuple[Balancer, GroupListener, Rule]] = [
        (balancer, listener, rule)
        for balancer in account.alb.balancers()
        if balancer.region == region and (not balancer_ids or balancer.id in balancer_ids)
        for listener in balancer.listeners.values()
        if not listener_ids or listener.id in listener_ids
        for rule in listener.rules
        if not rule_ids or rule.id in rule_ids
    ]
    page = parameters.page(params, len(found))
    return {**page.fields(), "Rules": [alb_views.rule(*one) for one in page.cut(found)]}


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
}


def _on(account: Account) -> Actions:
    return Actions(account.alb, VIEWS)


def _job_passes(job: Job, params: Params) -> bool:
    ids = parameters.listed(params, "JobIds")
    resources = parameters.listed(params, "ResourceIds")
    started = job.started_at * 1000
    return (
        (not ids or job.id in ids)
        and (not resources or job.resource_id in resources)
        and params.get("ApiName", job.action) == job.action
        and params.get("ResourceType", alb_views.JOB_RESOURCE_TYPE) == alb_views.JOB_RESOURCE_TYPE
        and parameters.milliseconds(params, "BeginTime", 0.0) <= started
        and started <= parameters.milliseconds(params, "EndTime", started)
    )
