"""What a single fault does not bring about: histories of one or more VMs, each told once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.unit.every_kind import KINDS

from .room import room
from .stage import Stage
from .troubles import lift
from .vm import Vm

Room = tuple[Stage, Vm]


@pytest.fixture(params=[KINDS[0], KINDS[1], KINDS[4], KINDS[8]], ids=lambda kind: kind.name)
def here(request: pytest.FixtureRequest) -> Iterator[Room]:
    """A VM of an instance, once for each way that server groups are changed."""
    with room(request.param) as (stage, vm):
        yield stage, vm


def in_service(stage: Stage, vm: Vm) -> None:
    stage.put_in(stage.first)
    vm.start(stage.first)
    assert vm.run(60, lambda: vm.in_service)


def test_a_dropped_group_that_is_not_found_for_a_while_is_not_forgotten(here: Room) -> None:
    """Found by the matrix: one answer that said so left the VM registered there for good."""
    stage, vm = here
    in_service(stage, vm)
    stage.refuse("InvalidLoadBalancerId.NotFound", 404, times=100)
    vm.stop()
    vm.start(stage.second)
    vm.run(60)
    vm.stop()
    lift(stage)
    vm.start(stage.second)
    assert vm.run(400, lambda: vm.in_service)
    assert (stage.weight(stage.first), stage.weight(stage.second)) == (None, 100)


def test_a_dropped_group_that_was_deleted_is_forgotten(here: Room) -> None:
    stage, vm = here
    in_service(stage, vm)
    vm.stop()
    stage.refuse("InvalidLoadBalancerId.NotFound", 404, times=100)
    vm.start()
    assert vm.run(1200, lambda: vm.journal.entries == {})
    assert vm.run(1, lambda: vm.statuses == {})
    assert len([line for line in vm.events if "NotFound" in str(line)]) == 1
