"""NLB (Nlb 2022-04-30): its table of actions, and what only it has."""

from __future__ import annotations

from collections.abc import Mapping

from mock_slb.alb_nlb import parameters
from mock_slb.alb_nlb.actions import COMMON, Action, Actions, View, on_fleet
from mock_slb.alb_nlb.jobs import Job
from mock_slb.alb_nlb.parameters import Params
from mock_slb.alb_nlb.views import why_failed
from mock_slb.core.filters import listed

VERSION = "2022-04-30"


class NlbActions(Actions):
    """The actions on what an account has of NLB."""

    def get_listener_health_status(self, params: Params) -> View:
        """GetListenerHealthStatus."""
        return {
            "ListenerHealthStatus": [self._views.listener_health(*self._listener(params))],
            **parameters.page(params, 1).fields(),
        }

    def get_job_status(self, params: Params) -> View:
        """GetJobStatus; with the reason of a failure only where the account is set so.

        It is not among the documented fields.
        """
        return self._status(self._fleet.jobs.get(params["JobId"]))

    def list_asyn_jobs(self, params: Params) -> View:
        """ListAsynJobs: several jobs at once."""
        jobs = [self._fleet.jobs.get(id_) for id_ in listed(params, "JobIds")]
        # The reference has the count as a text.
        return {
            "Jobs": [{"Id": one.id, **self._status(one)} for one in jobs],
            "TotalCount": str(len(jobs)),
        }

    def _status(self, one: Job) -> View:
        account = self._fleet.account
        status = one.status(account.now())
        return {"Status": status, **(why_failed(one, status) if account.job_reasons else {})}


ACTIONS: Mapping[str, Action] = on_fleet(
    NlbActions,
    {
        **COMMON,
        "GetListenerHealthStatus": NlbActions.get_listener_health_status,
        "GetJobStatus": NlbActions.get_job_status,
        "ListAsynJobs": NlbActions.list_asyn_jobs,
    },
)
