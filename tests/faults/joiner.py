"""The agent of one VM that asks who it is and looks for its tags, on a clock that is told.

Beside what .vm has, this is the real `joining`: its loops take turns instead of running at once.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
import tenacity
from tests.faults.room import disk, staged
from tests.faults.stage import Stage
from tests.faults.turns import Task
from tests.faults.vm import DRAIN, Vm, read_config
from tests.unit.every_kind import KINDS, Kind

from slb_registration.agent.drain_controller import DrainController
from slb_registration.discovery import discoverer
from slb_registration.instance import own_servers
from slb_registration.instance.metadata import IdentityError, Metadata, MetadataError
from slb_registration.membership import opening, startup
from slb_registration.membership.startup import Startup
from slb_registration.model.configuration import Config, Drain, GroupSpec
from slb_registration.model.desired import Phase
from slb_registration.model.status import GroupStatus
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.supervision.part import Part, Turn
from slb_registration.support.supervision.supervisor import Supervisor
from slb_registration.support.supervision.vitals import Vitals

OWN_ADDRESS = "192.168.7.1"
"""What the metadata service tells as this VM's."""

KINDS_BY_TAGS = (
    KINDS[0],
    Kind("alb", "alb"),
    Kind("alb, ip", "alb", "ip", OWN_ADDRESS, OWN_ADDRESS),
    Kind("nlb", "nlb"),
    Kind("nlb, ip", "nlb", "ip", OWN_ADDRESS, OWN_ADDRESS),
)
BY_MANIFEST = (
    Kind("clb default group, eni of the manifest", "clb", "eni", "eni-self", OWN_ADDRESS),
    Kind("alb, eni of the manifest", "alb", "eni", "eni-self", OWN_ADDRESS),
    Kind("nlb, ip of the manifest", "nlb", "ip", OWN_ADDRESS, OWN_ADDRESS),
)
BY_FILE = (
    Kind("nlb, eni of a file", "nlb", "eni", "eni-self", OWN_ADDRESS),
    Kind("alb, ip of a file", "alb", "ip", OWN_ADDRESS, OWN_ADDRESS),
    Kind("clb default group, eni of a file", "clb", "eni", "eni-self", OWN_ADDRESS),
)
TAGS = {"bosh-deployment": "cf", "bosh-instance-group": "r"}
PATIENCE_SECONDS = 2.0
"""For how long leaving._drain_here lets the metadata service be asked, after a stop."""


@lru_cache(1)
def _config() -> Config:
    with TemporaryDirectory() as folder:
        return read_config(Path(folder), port=8080)


class Joiner(Vm):
    """Joins what carries TAGS, or the groups that `start` names: in the manifest, or in a file of a
    co-located job. As which server it does is asked of the metadata service."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        super().__init__(stage, _config(), folder)
        self.refusal: str | None = None
        """Why `drain_here` could not begin."""
        self._tasks: list[Task] = []
        self._groups: tuple[GroupSpec, ...] = ()

    # The process

    def start(self, *groups: GroupSpec, drain: Drain = DRAIN, weight: int | None = None) -> None:
        """A new start. Where no groups are named it is in the first, or looks for tags."""
        assert weight is None
        if not groups and self.stage.kind not in KINDS_BY_TAGS:
            groups = (self.stage.first,)
        self._groups = groups
        self._make(drain)
        self._begin(lambda stop: _loop(lambda: self._joining.turn(stop), stop))  # type: ignore[arg-type]

    def drain_here(self, drain: Drain) -> None:
        """What leaving._drain_here does where no agent answers."""
        self._make(drain)
        self._begin(self._join_to_leave)

    def stop(self) -> None:
        super().stop()
        for task in self._tasks:
            task.end()
        self._tasks = []

    def _make(self, drain: Drain) -> None:
        stage, groups = self.stage, self._groups
        discovery = replace(self._config.discovery, enabled=not groups)
        if stage.kind in BY_FILE:
            groups = self._write(groups)
        elif stage.kind in BY_MANIFEST:
            groups = tuple(replace(spec, server_id=None, server_ip=None) for spec in groups)
        config = replace(self._config, groups=groups, drain=drain, discovery=discovery)
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
        self._due = {}
        self._phase = Phase.SERVE
        self._joining = Startup(
            config,
            log,
            phase=lambda: self._phase,
            on_call=lambda *_: None,
            on_step=lambda: None,
            supervisor=_Supervisor(log, self._begin),
            clock=stage.clock,
        )

    def _write(self, groups: tuple[GroupSpec, ...]) -> tuple[GroupSpec, ...]:
        """Into a file; the manifest names none."""
        path = self.folder / "web.json"
        names = ("product", "load_balancer_id", "server_group_id", "server_type", "port")
        told = [{name: getattr(spec, name) for name in names} for spec in groups]
        entries = [{name: it for name, it in one.items() if it is not None} for one in told]
        path.write_text(json.dumps({"server_groups": entries}))
        self._config = replace(self._config, dynamic_config_globs=(str(path),))
        return ()

    def _join_to_leave(self, stop: Task) -> None:
        try:
            self._joining.for_drain(stop, PATIENCE_SECONDS)  # type: ignore[arg-type]
        except (IdentityError, MetadataError) as error:
            self.refusal = str(error)

    def _begin(self, target: Callable[[Task], None]) -> None:
        self._tasks.append(Task(target, self.stage.clock))

    # Time

    def look(self) -> None:
        """What the agent's main thread does."""
        one = self._joining
        self._phase = self.phases.follow(one.statuses, complete=one.complete)
        self.membership = one.membership
        if self.membership is not None:
            self.membership.want(self._phase, lambda _: self.health)

    @property
    def next_moment(self) -> float:
        return min(super().next_moment, *(task.due for task in self._tasks), float("inf"))

    def turn(self) -> bool:
        for task in self._tasks:
            if task.due <= self.now:
                task.turn()
                self._tasks = [one for one in self._tasks if not one.ended]
                return True
        return super().turn()

    # What it knows

    @property
    def knows_itself(self) -> bool:
        return self._joining.instance is not None

    @property
    def in_service(self) -> bool:
        return self.membership is not None and bool(self.statuses) and super().in_service

    @property
    def statuses_known(self) -> tuple[GroupStatus, ...]:
        """What it knows of its groups, if of any."""
        return self._joining.statuses

    @property
    def error(self) -> str | None:
        """What status tells beside the groups."""
        return self._joining.error


class _Supervisor(Supervisor):
    """Has turns taken by tasks instead of threads."""

    def __init__(self, log: EventLog, begin: Callable[[Callable[[Task], None]], None]) -> None:
        super().__init__(log)
        self._begin_task = begin

    def start(self, name: str, turn: Turn, **how: Any) -> Part:
        self._begin_task(lambda stop: _loop(turn, stop))
        return Part(Vitals(name, how["turn_seconds"], lambda: 0.0), turn, threading.Event())


def _loop(turn: Turn, stop: Task) -> None:
    while not stop.is_set() and (seconds := turn()) is not None:
        stop.wait(seconds)


def tag(stage: Stage, spec: GroupSpec) -> None:
    """Let the VM find this group by its tags."""
    _tagged(stage, spec).set_tags(TAGS)  # type: ignore[attr-defined]


def untag(stage: Stage, spec: GroupSpec) -> None:
    """Somebody has removed the tags."""
    _tagged(stage, spec).set_tags({}, remove=tuple(TAGS))  # type: ignore[attr-defined]


def _tagged(stage: Stage, spec: GroupSpec) -> object:
    if spec.load_balancer_id is not None:
        return stage.account.load_balancers[spec.load_balancer_id]
    return stage.group_of(spec)


@contextmanager
def joiners_room(
    kind: Kind, *, role: bool = False, seed: int = 0
) -> Iterator[tuple[Stage, Joiner]]:
    """A stage, and this VM on it. `seed` is that of all that is random."""
    random = Random(seed)
    with (
        staged(kind, role=role, seed=seed) as stage,
        disk() as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        metadata = Metadata("http://100.100.100.200", now=stage.clock)
        # Who waits for an answer hinders no other: neither the time of this VM's other threads goes
        # on meanwhile nor is a lock held that they wait for.
        patch.setattr(metadata, "_lock", nullcontext())
        patch.setattr(stage.wire, "_pass", lambda s: (s and Task.rest(s)) or stage._pass(s))
        patch.setattr(opening, "connect", lambda *_, **__: stage.cloud)
        patch.setattr(startup, "metadata_of", lambda _: metadata)
        patch.setattr(opening, "Random", lambda: Random(random.random()))
        # How often the two that ask feel whether there is news: each time is a turn of all others.
        for module in (discoverer, own_servers):
            patch.setattr(module, "FEEL_SECONDS", 5.0)
        patch.setattr(tenacity, "time", SimpleNamespace(monotonic=stage.clock))
        patch.setattr(tenacity.wait, "random", random)
        vm = Joiner(stage, folder)
        try:
            yield stage, vm
        finally:
            vm.stop()
