"""ALB (Alb 2020-06-16): its table of actions, and what only it has."""

from __future__ import annotations

from collections.abc import Mapping

from mock_slb.alb_nlb import parameters
from mock_slb.alb_nlb.actions import COMMON, Action, Actions, View, on_fleet
from mock_slb.alb_nlb.balancer import Balancer
from mock_slb.alb_nlb.differences import forward
from mock_slb.alb_nlb.jobs import OPERATES, PROCESSING, Job
from mock_slb.alb_nlb.parameters import Params
from mock_slb.alb_nlb.resources import GroupListener, Rule
from mock_slb.alb_nlb.views import why_failed
from mock_slb.core.filters import Listing

VERSION = "2020-06-16"
JOB_RESOURCE_TYPE = "servergroup"


class AlbActions(Actions):
    """The actions on what an account has of ALB."""

    def get_listener_health_status(self, params: Params) -> View:
        """GetListenerHealthStatus: with the groups of its rules where IncludeRule says so."""
        balancer, listener = self._listener(params)
        parameters.page(params, 1)  # one listener is always told of whole
        answer: View = {"ListenerHealthStatus": [self._views.listener_health(balancer, listener)]}
        if parameters.flag(params, "IncludeRule"):
            answer["RuleHealthStatus"] = self._views.rule_health(balancer, listener)
        return answer

    def list_asyn_jobs(self, params: Params) -> View:
        """ListAsynJobs: by id, resource, action and time of their start."""
        began = parameters.milliseconds(params, "BeginTime", 0.0)
        ended = parameters.milliseconds(params, "EndTime", float("inf"))
        listing: Listing[Job] = Listing(
            self._contracts["ListAsynJobs"],
            lambda job: _job(job, self._fleet.account.now()),
            special={
                "JobIds": lambda job: [job.id],
                # Bounds, not values: all that are left meet them.
                "BeginTime": lambda _: [params["BeginTime"]],
                "EndTime": lambda _: [params["EndTime"]],
            },
        )
        jobs = (one for one in self._fleet.jobs.all() if began <= one.started_at * 1000 <= ended)
        return self._page(params, "Jobs", listing, jobs)

    def list_rules(self, params: Params) -> View:
        """ListRules: with the server group that each diverts requests to."""
        region = params.get("RegionId") or self._fleet.account.region
        listing: Listing[tuple[Balancer, GroupListener, Rule]] = Listing(
            self._contracts["ListRules"], lambda one: _rule(*one)
        )
        rules = (
            (balancer, listener, rule)
            for balancer in self._fleet.balancers()
            if balancer.region == region
            for listener in balancer.listeners.values()
            for rule in listener.rules
        )
        return self._page(params, "Rules", listing, rules)


ACTIONS: Mapping[str, Action] = on_fleet(
    AlbActions,
    {
        **COMMON,
        "ListRules": AlbActions.list_rules,
        "ListAsynJobs": AlbActions.list_asyn_jobs,
        "GetListenerHealthStatus": AlbActions.get_listener_health_status,
    },
)


def _job(one: Job, now: float) -> View:
    """One entry of ListAsynJobs; times in milliseconds since the epoch."""
    status = one.status(now)
    return {
        "Id": one.id,
        "ApiName": one.action,
        "Status": status,
        "OperateType": OPERATES[one.action],
        "ResourceId": one.resource_id,
        "ResourceType": JOB_RESOURCE_TYPE,
        "CreateTime": int(one.started_at * 1000),
        "ModifyTime": int((one.started_at if status == PROCESSING else one.ends_at) * 1000),
        **why_failed(one, status),
    }


def _rule(balancer: Balancer, one: GroupListener, of: Rule) -> View:
    """One entry of ListRules."""
    return {
        "RuleId": of.id,
        "RuleName": of.name,
        "RuleStatus": "Available",
        "Priority": of.priority,
        "Direction": "Request",
        "ListenerId": one.id,
        "LoadBalancerId": balancer.id,
        "RuleConditions": [{"Type": "Path", "PathConfig": {"Values": [of.path]}}],
        "RuleActions": [
            {**forward({"ServerGroupId": of.server_group_id, "Weight": 100}), "Order": 1}
        ],
        "Tags": [],
    }
