"""Jobs: what an asynchronous call leaves behind to be asked about."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from mock_slb.alb_nlb import errors

PROCESSING = "Processing"
SUCCEEDED = "Succeeded"
FAILED = "Failed"
MAX_JOBS = 10_000

OPERATES = {
    "AddServersToServerGroup": "Create",
    "UpdateServerGroupServersAttribute": "Update",
    "RemoveServersFromServerGroup": "Delete",
}


@dataclass(frozen=True)
class Failure:
    """The reason why a job fails."""

    code: str
    message: str


@dataclass(frozen=True)
class Job:
    """A change of a server group, from `started_at` to `ends_at` on the account's clock."""

    action: str
    resource_id: str
    started_at: float
    ends_at: float
    failure: Failure | None = None
    stuck: bool = False
    """Says Processing for ever."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def status(self, now: float) -> str:
        """Processing, Succeeded or Failed."""
        if now < self.ends_at or self.stuck:
            return PROCESSING
        return SUCCEEDED if self.failure is None else FAILED


class Jobs:
    """The last MAX_JOBS jobs of a product, oldest first. Guarded by the account's lock."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def add(self, job: Job) -> Job:
        """Remember one."""
        self._jobs[job.id] = job
        while len(self._jobs) > MAX_JOBS:
            del self._jobs[next(iter(self._jobs))]
        return job

    def get(self, id_: str) -> Job:
        """The job with this id. Raises ApiError for none such."""
        if id_ not in self._jobs:
            raise errors.job_not_found()
        return self._jobs[id_]

    def all(self) -> list[Job]:
        """Every job, oldest first."""
        return list(self._jobs.values())
