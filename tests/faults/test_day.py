"""24 hours in which faults come and go: nothing grows that the agent holds on to."""

from __future__ import annotations

import gc
import threading
import types
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import thorough
from tests.faults.cells import busiest_minute
from tests.faults.room import room
from tests.faults.stage import Stage
from tests.faults.troubles import TROUBLES, lift
from tests.faults.vm import Vm
from tests.faults.wire import Wire
from tests.unit.driver import Driver
from tests.unit.every_kind import KINDS, Kind

from mock_slb.account.account import Account
from mock_slb.gateway.gateway import Gateway
from slb_registration.model.health import Health

FDS = Path("/proc/self/fd")
NOT_THE_AGENTS = (
    type, types.ModuleType, types.FunctionType, types.CodeType,
    Stage, Account, Gateway, Driver, Wire,
)  # fmt: skip


def held(vm: Vm) -> Counter[str]:
    """The objects that the agent's parts hold on to, by type."""
    counted: Counter[str] = Counter()
    seen: set[int] = set()
    left: list[object] = [vm.membership, vm.phases, vm.journal]
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, NOT_THE_AGENTS):
            continue
        seen.add(id(one))
        counted[type(one).__name__] += 1
        left += gc.get_referents(one)
        if isinstance(one, types.MethodType):
            left.append(one.__self__)
    return counted


def hours(stage: Stage, vm: Vm) -> Iterator[int]:
    """A day, an hour at a time: two faults, and a spell of bad health, in each."""
    troubles = [trouble for trouble in TROUBLES if trouble.role or "key" not in trouble.name]
    for hour in range(24):
        for trouble in troubles[2 * hour : 2 * hour + 2]:
            trouble.begin(stage)
            vm.run(600)
            lift(stage)
            vm.run(600)
        vm.health = Health.UNHEALTHY
        vm.run(300)
        vm.health = Health.HEALTHY
        vm.run(900)
        yield hour


@pytest.mark.parametrize(
    "kind", thorough.but([KINDS[1]], [KINDS[1], KINDS[8]]), ids=lambda kind: kind.name
)
def test_a_day_of_faults_leaves_nothing_behind(kind: Kind) -> None:
    with room(kind, role=True) as (stage, vm):
        vm.start(stage.first)
        after: dict[int, Counter[str]] = {}
        outside: dict[int, tuple[int, int]] = {}
        for hour in hours(stage, vm):
            assert stage.weight(stage.first) == 100, hour
            vm.run(600)
            after[hour] = held(vm)
            outside[hour] = (threading.active_count(), sum(1 for _ in FDS.iterdir()))
        assert vm.in_service
        # By then everything that is kept once has been seen: errors, tokens, listeners.
        grown = {
            name: (after[11][name], number)
            for name, number in after[23].items()
            if number > after[11][name] + 5
        }
        assert grown == {}
        assert after[23].total() < 5_000
        assert outside[23] == outside[11]
        assert len(vm.events) < 24 * 30
        assert busiest_minute(stage) < 60
        assert len(stage.call_times()) / 24 < 300
        stage.assert_strangers_untouched()
