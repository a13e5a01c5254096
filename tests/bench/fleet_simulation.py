"""A discrete-event simulation of a fleet: the agents' own code on a clock that is only told.

`Registrar` with `pacing`, and `DrainPlan`, are those of the release: none of their decisions is
imitated. What is simulated is the time, the account, and how long a call takes.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.bench.fleet_cloud import Cloud, GroupOfVm, SharedServers

from slb_registration.membership.calls import carry_out
from slb_registration.model.configuration import Drain
from slb_registration.model.desired import Phase, Policy, Wish
from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.health import Health
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Answer, Wait
from slb_registration.pacing.quotas import QUOTAS, Fleet
from slb_registration.reconcile.drain_plan import (
    REMOVAL_SECONDS,
    REMOVAL_SHARE,
    DrainPlan,
    Progress,
    Stage,
)
from slb_registration.reconcile.observed_state import Place
from slb_registration.reconcile.registrar import Registrar

CALL_SECONDS = 0.05
START_SECONDS = 1.0
"""All agents start within this time."""

GROUP_SIZE = 100
"""Servers of one server group."""

INTERVAL_SECONDS = 30.0
"""The default of reconcile_interval."""

FOREVER = float("inf")
UNKNOWN = Wish(Phase.SERVE, Health.UNKNOWN)
HEALTHY = Wish(Phase.SERVE, Health.HEALTHY)


@dataclass(eq=False)
class Vm:
    """One VM: what its agent's worker and main thread hold between two steps."""

    registrar: Registrar
    group: GroupOfVm
    random: Random
    began: float
    wish: Wish = UNKNOWN
    answer: Answer | None = None
    due: float = 0.0
    plan: DrainPlan | None = None
    calls: int = 0
    refused: int = 0
    read_at: float | None = None
    serving_at: float | None = None
    lowered_at: float | None = None
    removed_at: float | None = None

    @property
    def drained(self) -> bool:
        """Whether its drain is over."""
        return self.plan is not None and self.plan.stage is Stage.DONE


class Simulation:
    """A fleet of `size` VMs in server groups of GROUP_SIZE, and the account that it lives in.

    `fleet_size` is what its agents are told. Times are in seconds since the start of the fleet.
    """

    def __init__(self, size: int, *, product: str = "clb", fleet_size: int, seed: int) -> None:
        self.now = 0.0
        self.cloud = Cloud(product, lambda: self.now)
        random = Random(seed)
        fleet = Fleet(fleet_size, QUOTAS[product])
        groups = [SharedServers() for _ in range(-(-size // GROUP_SIZE))]
        self.vms = [
            Vm(
                Registrar(
                    Identity(f"i-{number:05}", None, 100),
                    Policy(),
                    interval=INTERVAL_SECONDS,
                    fleet=fleet,
                ),
                GroupOfVm(self.cloud, groups[number % len(groups)], f"i-{number:05}"),
                Random(random.getrandbits(64)),
                began=random.uniform(0, START_SECONDS),
            )
            for number in range(size)
        ]
        self.serving = self.removed = 0
        self._drain: Drain
        self._order = itertools.count()
        self._queue: list[tuple[float, int, Vm]] = []

    def start(self, wish: Wish = HEALTHY) -> None:
        """Let every agent begin, at its moment of the first second."""
        for vm in self.vms:
            vm.wish = wish
            self._at(vm.began, vm)

    def start_in_rotation(self) -> None:
        """As `start`, of a fleet that is registered already and healthy."""
        for vm in self.vms:
            vm.group.put(vm.registrar.me.server(100), since=-FOREVER)
        self.start()

    def forget_costs(self) -> None:
        """Count calls and refusals from now on."""
        for vm in self.vms:
            vm.calls = vm.refused = 0
        self.cloud.calls.clear()
        self.cloud.refused.clear()

    def want(self, wish: Wish) -> None:
        """Hand a wish to all; it is felt at once."""
        for vm in self.vms:
            self._wish(vm, wish)

    def drain(self, config: Drain) -> None:
        """Let all VMs drain, each beginning at its moment of the coming second."""
        self._drain = config
        for vm in self.vms:
            vm.registrar.pacer.drain_seconds = config.timeout_seconds
            vm.plan = DrainPlan(config, self.now + vm.began)
            self._wish(vm, Wish(vm.plan.phase, vm.wish.local), after=vm.began)

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let so much time pass, or less where `until` comes true."""
        ends = self.now + seconds
        while self._queue and self._queue[0][0] <= ends:
            due, _, vm = heapq.heappop(self._queue)
            if due != vm.due:
                continue  # it was woken in between
            self.now = due
            self._turn(vm)
            if until():
                return
        self.now = ends

    def _wish(self, vm: Vm, wish: Wish, after: float = 0.0) -> None:
        vm.wish = wish
        if vm.answer is None:
            self._at(self.now + after, vm)

    def _at(self, due: float, vm: Vm) -> None:
        vm.due = due
        heapq.heappush(self._queue, (due, next(self._order), vm))

    def _turn(self, vm: Vm) -> None:
        """One round of a worker's loop, and what the main thread makes of it."""
        now, registrar = self.now, vm.registrar
        registrar.want(vm.wish)
        step = registrar.step(now, vm.random, vm.answer)
        registrar.events.clear()
        vm.answer = None
        self._note(vm)
        if isinstance(step, Wait):
            self._at(min(step.until, self._follow_drain(vm)), vm)
            return
        vm.calls += 1
        try:
            vm.answer = carry_out(vm.group, step)
        except ApiError as error:
            vm.answer = error
            vm.refused += error.kind is Kind.THROTTLED
        self._at(now + CALL_SECONDS, vm)

    def _note(self, vm: Vm) -> None:
        registrar, now = vm.registrar, self.now
        if vm.read_at is None and registrar.members is not None:
            vm.read_at = now
        mine = registrar.mine
        if vm.serving_at is None and mine is not None and mine.weight > 0:
            vm.serving_at = now
            self.serving += 1
        if vm.plan is not None and vm.lowered_at is None and not vm.group.weight:
            vm.lowered_at = now
        if vm.plan is not None and vm.removed_at is None and registrar.group.at_least(Place.LEFT):
            vm.removed_at = now
            self.removed += 1

    def _follow_drain(self, vm: Vm) -> float:
        """What the agent's main thread does at a look; returns when it has to look again."""
        plan = vm.plan
        if plan is None:
            return FOREVER
        registrar = vm.registrar
        leaving = registrar.wish.phase is plan.phase
        progress = Progress(
            leaving and registrar.group.at_least(Place.LOWERED),
            leaving and registrar.group.at_least(Place.LEFT),
        )
        plan.step(self.now, [progress], connections=0)
        vm.wish = Wish(plan.phase, vm.wish.local)
        if vm.wish != registrar.wish:
            return self.now
        if plan.stage is Stage.WAITING:
            return self.now + self._drain.min_wait_seconds
        if plan.stage is Stage.LOWERING:
            left = plan.seconds_left(self.now) - min(
                REMOVAL_SECONDS, self._drain.timeout_seconds * REMOVAL_SHARE
            )
            return self.now + max(left, 0.0)
        return FOREVER
