"""A random walk over faults and a VM's life; then all is well again, and so must be the VM."""

from __future__ import annotations

import time
from contextlib import ExitStack
from itertools import count

import pytest
from hypothesis import HealthCheck, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.faults.budget import SOAK_SECONDS
from tests.faults.cells import assert_looked_before_writing_again, busiest_minute
from tests.faults.room import room
from tests.faults.troubles import TROUBLES, Trouble, lift
from tests.faults.undocumented import UNDOCUMENTED
from tests.unit.every_kind import KINDS, Kind

from slb_registration.instance import markers
from slb_registration.model.health import Health

FAIR_SECONDS = 3600.0
"""Longer than anything is put off: what cannot succeed (300 s), another writer (600 s), a group
that is not found (600 s)."""

SETTLED_SECONDS = 400.0
LINES_A_STEP = 25
OTHERS_WEIGHT = 13  # which another writer gives this VM
MOST_CALLS_A_MINUTE = 120
MANIFESTS = (("first",), ("second",), ("first", "second"))


class Walk(RuleBasedStateMachine):
    """What BOSH, operators, other writers and the cloud do to one VM."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.steps = 0
        self.alone = False

    @initialize(
        kind=st.sampled_from(KINDS),
        role=st.booleans(),
        alone=st.booleans(),
        seed=st.integers(0, 1000),
    )
    def begin(self, kind: Kind, role: bool, alone: bool, seed: int) -> None:
        a_room = room(kind, role=role, alone=alone, seed=seed)
        self.stage, self.vm = self.stack.enter_context(a_room)
        self.alone = alone
        self.groups: tuple[str, ...] = ("first",)
        self.running = self.draining = self.held = False

    # The cloud

    @rule(trouble=st.sampled_from([*TROUBLES, *UNDOCUMENTED]))
    def trouble_comes(self, trouble: Trouble) -> None:
        if not trouble.kinds or self.stage.kind.name in trouble.kinds:
            trouble.begin(self.stage)

    @rule()
    def trouble_goes(self) -> None:
        lift(self.stage)

    @rule(seconds=st.sampled_from([1.0, 7.0, 45.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        self.steps += 1
        if self.running:
            self.vm.run(seconds)
        else:
            self.stage.driver.now += seconds

    # BOSH and operators

    @precondition(lambda self: not self.running)
    @rule()
    def monit_starts(self) -> None:
        self.running = True
        self.vm.start(*(getattr(self.stage, name) for name in self.groups))

    @precondition(lambda self: self.running)
    @rule()
    def dies(self) -> None:
        self.running = False
        self.vm.stop()

    @rule(groups=st.sampled_from(MANIFESTS))
    def redeployed(self, groups: tuple[str, ...]) -> None:
        self.vm.stop()
        self.running = False
        self.groups = groups
        self.draining = False
        self.vm.pre_start()
        self.monit_starts()

    @rule()
    def drained(self) -> None:
        self.draining = True
        self.vm.drain()

    @rule(hold=st.booleans())
    def held_or_resumed(self, hold: bool) -> None:
        marker = markers.hold(self.vm.folder)
        if hold:
            marker.begin(self.stage.wall(), None, None)
        else:
            marker.clear()
            markers.draining(self.vm.folder).clear()
            self.draining = False
        self.held = hold

    # The service, and other writers

    @rule(health=st.sampled_from([Health.HEALTHY, Health.UNHEALTHY]))
    def service_is(self, health: Health) -> None:
        self.vm.health = health

    @rule(change=st.sampled_from(["remove", "change"]))
    def another_writes(self, change: str) -> None:
        if self.stage.weight(self.stage.first) is not None:
            self.stage.as_another(change, OTHERS_WEIGHT)

    @invariant()
    def others_are_untouched(self) -> None:
        self.stage.assert_strangers_untouched()

    # The end

    def teardown(self) -> None:
        try:
            if hasattr(self, "stage"):
                self._end()
        finally:
            self.stack.close()

    def _end(self) -> None:
        lift(self.stage)
        if not self.running:
            self.monit_starts()
        assert self.vm.run(FAIR_SECONDS, self._is_right), (self._wanted(), self._is(), self._log())
        self.vm.run(SETTLED_SECONDS)
        assert self._is_right(), (self._wanted(), self._is(), self._log())
        self.stage.assert_strangers_untouched()
        assert "Traceback" not in self._log()
        assert "internal error" not in self._log()
        assert len(self.vm.events) <= LINES_A_STEP * (self.steps + 3), self._log()
        assert_looked_before_writing_again(self.stage)
        assert busiest_minute(self.stage) <= MOST_CALLS_A_MINUTE

    def _wanted(self) -> dict[str, set[int | None]]:
        healthy = self.vm.health is Health.HEALTHY
        here: set[int | None] = {100} if healthy else {0}
        if self.alone and not healthy:
            here = {0, OTHERS_WEIGHT, 100}  # who served stays as it is: nobody would be left
        if self.held:
            here = {0, None}
        if self.draining:
            here = {None}
        return {name: here if name in self.groups else {None} for name in ("first", "second")}

    def _is(self) -> dict[str, int | None]:
        stage = self.stage
        return {"first": stage.weight(stage.first), "second": stage.weight(stage.second)}

    def _is_right(self) -> bool:
        there = self._is()
        return all(there[name] in wanted for name, wanted in self._wanted().items())

    def _log(self) -> str:
        return self.stage.lines.getvalue()


SHORT = settings(
    max_examples=40,
    stateful_step_count=12,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def test_after_any_walk_the_vm_is_where_it_should_be() -> None:
    run_state_machine_as_test(Walk, settings=SHORT)


@pytest.mark.skipif(not SOAK_SECONDS, reason="only in `make soak`")
def test_walks_with_new_seeds_for_as_long_as_there_is_time() -> None:
    walk_as_long_as_there_is_time(Walk)


def walk_as_long_as_there_is_time(machine: type[Walk]) -> None:
    """SOAK_SECONDS of walks, the seed of each printed."""
    ends = time.monotonic() + SOAK_SECONDS
    for number in count():
        print(f"seed {number}", flush=True)
        long = settings(
            SHORT, max_examples=200, stateful_step_count=40, derandomize=False,
            verbosity=Verbosity.quiet, print_blob=True,
        )  # fmt: skip
        run_state_machine_as_test(seed(number)(machine), settings=long)
        if time.monotonic() > ends:
            return
