"""The agent of one VM without its threads: its workers take turns on a clock that is told.

Everything else is the real thing: phases and markers, membership, workers, journal, log, adapters
and the SDK. What is left out is in agent.process: the threads, the socket, discovery.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.faults.stage import ADDRESS, Stage

from slb_registration.agent.drain_controller import DrainController
from slb_registration.config.loading import load
from slb_registration.instance import markers
from slb_registration.instance.journal import Journal
from slb_registration.instance.markers import Stop
from slb_registration.instance.metadata import Instance
from slb_registration.membership.groups import Groups
from slb_registration.membership.worker import Worker
from slb_registration.model.configuration import Config, Drain, GroupSpec
from slb_registration.model.desired import Phase
from slb_registration.model.health import Health
from slb_registration.model.status import GroupStatus, Origin
from slb_registration.support.supervision.supervisor import Supervisor

CALL_SECONDS = 0.05
LOOK_SECONDS = 2.0
DRAIN = Drain(120.0, 10.0, "weight_zero", None, (ipaddress.ip_network("127.0.0.0/8"),), "continue")
QUICK = replace(DRAIN, timeout_seconds=8.0, min_wait_seconds=0.0, method="remove")
"""As leaving.remove_what_is_left has it."""

TURNS_WITHOUT_TIME = 1000
"""No worker takes so many turns at one moment: it would use a whole CPU."""


def read_config(folder: Path, **properties: object) -> Config:
    """A configuration, as BOSH renders it: the keys and `properties`."""
    spec = {"id": "spec-1", "deployment": "cf", "instance_group": "r", "director": True}
    document = {
        "properties": {"access_key": "id", "secret_key": "secret", **properties},
        "spec": {**spec, "index": 0, "az": "z1", "address": ADDRESS},
        "run_dir": str(folder),
        "data_dir": str(folder),
    }
    file = folder / "agent.json"
    file.write_text(json.dumps(document))
    return load(file)


class Vm:
    """One VM. It is started and stopped as a process is: what stays is the disk and the account."""

    def __init__(
        self, stage: Stage, config: Config, folder: Path, instance_id: str = "i-self"
    ) -> None:
        self.stage = stage
        self.instance_id = instance_id
        self.folder = folder
        self.health = Health.HEALTHY
        self.membership: Groups | None = None
        self._config = replace(config, data_dir=folder)
        self._due: dict[Worker, float] = {}

    # The process

    def start(self, *groups: GroupSpec, drain: Drain = DRAIN, weight: int | None = None) -> None:
        """A new start with these groups in the manifest."""
        stage = self.stage
        if weight is not None:
            groups = tuple(replace(group, weight=weight) for group in groups)
        config = replace(self._config, groups=groups, drain=drain)
        log = stage.log()
        self.phases = DrainController(
            drain,
            self.folder,
            log,
            checked_port=lambda _: None,
            connections=lambda ports, since: 0,
            clock=stage.clock,
            wall=stage.wall,
        )
        me = Instance(self.instance_id, stage.account.region)
        self.journal = Journal(self.folder / "journal.json", me, log.warning)
        self._due = {}
        self.membership = Groups(
            config,
            stage.cloud,
            me,
            self.journal,
            log,
            phase=self.phases.follow((), complete=False),
            on_step=lambda: None,
            supervisor=Supervisor(log, clock=stage.clock),
            clock=stage.clock,
        )
        for group in groups:
            self.membership.open(group, Origin.MANIFEST)
        self.membership.leave_others()

    def stop(self) -> None:
        """SIGTERM or SIGKILL: nothing is deregistered."""
        self.membership = None

    def pre_start(self) -> None:
        """A new start of the job ends a drain."""
        markers.draining(self.folder).clear()

    def pre_stop(self, *, keep: bool = False) -> None:
        """What pre-stop does before it waits. `keep`: this VM comes back."""
        stop = Stop(self.stage.wall(), drain_follows=True, keep=keep)
        markers.draining(self.folder).begin(stop)

    def drain(self) -> None:
        """What drain does before it waits, after a pre-stop or without one."""
        marker, now = markers.draining(self.folder), self.stage.wall()
        marker.begin((marker.read() or Stop(now)).drain_begins(now, returns=True))

    # Time

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let this time pass, or less if `until` is true sooner; whether it is."""
        return run_all([self], seconds, until)

    @property
    def now(self) -> float:
        return self.stage.driver.now

    def look(self) -> None:
        """What the agent's main thread does."""
        assert self.membership is not None
        phase = self.phases.follow(self.membership.statuses, complete=True)
        self.membership.want(phase, lambda _: self.health, keep=self.phases.keeps)

    @property
    def next_moment(self) -> float:
        """When there is something to do again."""
        moments = [self._due_of(worker) for worker in self._workers]
        plan = self.phases.plan
        if (plan is not None and not self.phases.over) or any(
            worker.origin is Origin.DROPPED for worker in self._workers
        ):
            moments.append(self.now + LOOK_SECONDS)
        return min(moments, default=float("inf"))

    def turn(self) -> bool:
        """Let the worker that is due take its turn; False where none is."""
        due = [worker for worker in self._workers if self._due_of(worker) <= self.now]
        if not due:
            return False
        worker = min(due, key=self._due_of)
        worker._wake.clear()
        until = worker.turn()
        if until is None:
            self.stage.driver.now += CALL_SECONDS
        self._due[worker] = self.now if until is None else until
        return True

    def _due_of(self, worker: Worker) -> float:
        return self.now if worker._wake.is_set() else self._due.get(worker, self.now)

    @property
    def _workers(self) -> Sequence[Worker]:
        return self.membership.workers if self.membership is not None else ()

    # What it knows

    @property
    def statuses(self) -> dict[str, GroupStatus]:
        assert self.membership is not None
        return {status.name: status for status in self.membership.statuses}

    @property
    def in_service(self) -> bool:
        return (
            all(status.in_service for status in self.statuses.values()) and not self._leaves_groups
        )

    @property
    def _leaves_groups(self) -> bool:
        return any(worker.origin is Origin.DROPPED for worker in self._workers)

    @property
    def phase(self) -> Phase:
        return self.phases.follow(self.membership.statuses, complete=True)  # type: ignore[union-attr]

    @property
    def events(self) -> list[dict[str, Any]]:
        """All that was logged on this stage."""
        return [json.loads(line) for line in self.stage.lines.getvalue().splitlines()]


def run_all(vms: Sequence[Vm], seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
    """Let this time pass for all of these, or less if `until` is true sooner; whether it is."""
    stage = vms[0].stage
    ends = stage.driver.now + seconds
    idle = 0
    while True:
        for vm in vms:
            vm.look()
        if until():
            return True
        moment = min(vm.next_moment for vm in vms)
        if moment > ends:
            stage.driver.now = ends
            return until()
        idle = 0 if moment > stage.driver.now else idle + 1
        assert idle < TURNS_WITHOUT_TIME, "a worker spins"
        stage.driver.now = max(stage.driver.now, moment)
        for vm in vms:
            vm.turn()
