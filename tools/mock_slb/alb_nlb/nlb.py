"""NLB (Nlb 2022-04-30): its table of actions, and what only it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mock_slb.account.account import Account
from mock_slb.alb_nlb import nlb_views, parameters
from mock_slb.alb_nlb.actions import Actions, View, Views
from mock_slb.alb_nlb.parameters import Params
from mock_slb.core.filters import listed

VERSION = "2022-04-30"
VIEWS = Views(
    job=nlb_views.job_started,
    server=nlb_views.server,
    server_group=nlb_views.server_group,
    load_balancer=nlb_views.load_balancer,
    load_balancer_attribute=nlb_views.load_balancer_attribute,
    listener=nlb_views.listener,
    tag=nlb_views.tag,
)

Action = Callable[[Account, Params], View]


def get_listener_health_status(account: Account, params: Params) -> View:
    """GetListenerHealthStatus."""
    balancer, listener = account.nlb.listener(params["ListenerId"], params.get("RegionId"))
    return {
        "ListenerHealthStatus": [nlb_views.listener_health(balancer, listener)],
        **parameters.page(params, 1).fields(),
    }


def get_job_status(account: Account, params: Params) -> View:
    """GetJobStatus. Why a job failed is not among the documented fields."""
    return nlb_views.job_status(account.nlb.jobs.get(params["JobId"]), account)


def list_asyn_jobs(account: Account, params: Params) -> View:
    """ListAsynJobs: several jobs at once."""
    jobs = [account.nlb.jobs.get(id_) for id_ in listed(params, "JobIds")]
    # The reference has the count as a text.
    return {"Jobs": [nlb_views.job(one, account) for one in jobs], "TotalCount": str(len(jobs))}


ACTIONS: Mapping[str, Action] = {
    "AddServersToServerGroup": lambda account, p: _on(account).add_servers(p),
    "RemoveServersFromServerGroup": lambda account, p: _on(account).remove_servers(p),
    "UpdateServerGroupServersAttribute": lambda account, p: _on(account).update_servers(p),
    "ListServerGroupServers": lambda account, p: _on(account).list_servers(p),
    "ListServerGroups": lambda account, p: _on(account).list_groups(p),
    "ListLoadBalancers": lambda account, p: _on(account).list_balancers(p),
    "ListListeners": lambda account, p: _on(account).list_listeners(p),
    "GetListenerHealthStatus": get_listener_health_status,
    "GetLoadBalancerAttribute": lambda account, p: _on(account).get_load_balancer_attribute(p),
    "ListTagResources": lambda account, p: _on(account).list_tag_resources(p),
    "GetJobStatus": get_job_status,
    "ListAsynJobs": list_asyn_jobs,
}


def _on(account: Account) -> Actions:
    return Actions(account.nlb, VIEWS)
