"""What a single fault does not bring about: histories of one or more VMs, each told once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.faults.room import config, disk, room
from tests.faults.stage import Stage
from tests.faults.troubles import lift
from tests.faults.vm import QUICK, Vm, run_all
from tests.unit.every_kind import KINDS

from slb_registration.model.health import Health

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


# A VM that BOSH has replaced before it was gone


@contextmanager
def replaced(here: Room) -> Iterator[tuple[Stage, Vm, Vm]]:
    """The old VM serves, and its agent lives; the new one of the same instance has just joined."""
    stage, new = here
    stage.account.add_instance("i-old", private_ip="192.168.9.9")
    stage.account.force_health("i-old", "normal")
    with disk() as folder:
        old = Vm(stage, config(), folder, "i-old")
        old.start(stage.first)
        assert old.run(60, lambda: old.in_service)
        new.start(stage.first)
        assert run_all([old, new], 60, lambda: new.in_service)
        yield stage, old, new


def test_two_vms_of_one_instance_do_not_remove_each_other_for_ever(here: Room) -> None:
    """Found by this test: each took the other for the one it replaces, and both were out by turns.

    The new one removes the old one; the old one comes back, and both are left alone.
    """
    with replaced(here) as (stage, old, new):
        for _ in range(120):
            run_all([old, new], 30)
            assert stage.weight(stage.first) == 100
        assert stage.here(stage.first, "i-old") is not None
        removed = [line["server"] for line in new.events if line["message"] == "removed"]
        assert set(removed) == {"i-old"}
        assert len(removed) <= 2  # again where it came back before it was seen to be gone
        spared = [line["server"] for line in new.events if "left alone" in line["message"]]
        assert sorted(spared) == ["i-old", "i-self"]


def test_an_old_vm_whose_agent_is_gone_is_removed_once_and_for_all(here: Room) -> None:
    with replaced(here) as (stage, old, new):
        old.stop()
        assert new.run(60, lambda: stage.here(stage.first, "i-old") is None)
        new.run(3600)
        assert (stage.weight(stage.first), stage.here(stage.first, "i-old")) == (100, None)


def test_an_old_vm_that_is_still_read_after_its_removal_is_not_taken_for_alive(here: Room) -> None:
    with replaced(here) as (stage, old, new):
        old.stop()
        stage.account.read_lag_seconds = 40.0
        assert new.run(200, lambda: stage.here(stage.first, "i-old") is None)
        new.run(3600)
        assert (stage.weight(stage.first), stage.here(stage.first, "i-old")) == (100, None)
        assert not [line for line in new.events if "left alone" in line["message"]]


def test_an_old_vm_that_lived_on_and_was_deleted_is_removed_by_the_next_start(here: Room) -> None:
    with replaced(here) as (stage, old, new):
        run_all([old, new], 600)
        assert stage.here(stage.first, "i-old") is not None
        old.stop()
        new.stop()
        new.start(stage.first)
        assert new.run(60, lambda: stage.here(stage.first, "i-old") is None)
        assert stage.weight(stage.first) == 100


# What BOSH does and does not do


def test_without_a_drain_post_stop_takes_the_vm_out(here: Room) -> None:
    """`bosh stop --skip-drain`: pre-stop and drain do not run, monit ends the agent."""
    stage, vm = here
    in_service(stage, vm)
    vm.stop()
    assert stage.weight(stage.first) == 100
    vm.drain()
    vm.start(stage.first, drain=QUICK)
    assert vm.run(QUICK.timeout_seconds, lambda: vm.phases.drained)
    assert stage.weight(stage.first) is None


@pytest.mark.parametrize("whose", ["pre-stop", "drain"])
def test_a_deploy_that_another_job_ended_leaves_the_vm_out_of_rotation(
    here: Room, whose: str
) -> None:
    """Ours was done, another's failed: the VM lives on, out of rotation, until the next deploy."""
    stage, vm = here
    in_service(stage, vm)
    vm.pre_stop()
    assert vm.run(120, lambda: vm.phases.over)
    if whose == "drain":
        vm.drain()
        assert vm.run(120, lambda: vm.phases.drained)
    calls = len(stage.made())
    vm.run(3600)
    assert stage.weight(stage.first) == (0 if whose == "pre-stop" else None)
    assert len(stage.made()) - calls <= 60

    vm.pre_start()  # the same agent, which was never stopped
    assert vm.run(60, lambda: vm.in_service)
    assert stage.weight(stage.first) == 100


def test_another_writer_is_not_fought_and_does_not_win_in_the_end(here: Room) -> None:
    stage, vm = here
    in_service(stage, vm)
    for _ in range(720):  # an hour, every five seconds
        vm.run(5)
        if stage.weight(stage.first) != 13:
            stage.as_another("change", 13)
    assert len(stage.writes()) <= 3 * 6
    told = [line for line in vm.events if "another writer keeps" in line["message"]]
    assert 1 <= len(told) <= 6
    assert len(vm.events) <= 4 * len(stage.writes()) + 10
    assert vm.run(700, lambda: vm.in_service)
    assert stage.weight(stage.first) == 100
    stage.assert_strangers_untouched()


@pytest.mark.parametrize("lost", [False, True], ids=["answered", "answers lost"])
def test_a_vm_whose_health_flaps_is_not_taken_for_another_writer(here: Room, lost: bool) -> None:
    """Found by chance walks: its own change, not confirmed yet, looked like somebody else's once
    the check turned round again. After the third the VM was left as it was for ten minutes."""
    stage, vm = here
    in_service(stage, vm)
    if lost:
        for action in ("Set", "Update"):
            stage.lose(action, made=True, times=None)
    for _ in range(4):
        for health, weight in ((Health.UNHEALTHY, 0), (Health.HEALTHY, 100)):
            vm.health = health
            assert vm.run(180, lambda weight=weight: stage.weight(stage.first) == weight)
    assert not [line for line in vm.events if "another writer" in str(line)]


@pytest.mark.parametrize("lost", [False, True], ids=["answered", "answer lost"])
def test_a_read_from_before_the_registration_ends_no_drain(here: Room, lost: bool) -> None:
    """Found as a process: drained as soon as it was registered, it was read as gone, and stayed."""
    stage, vm = here
    stage.account.read_lag_seconds = 7.0
    if lost:
        stage.lose("Add", made=True)
    vm.start(stage.first)
    vm.run(30, lambda: stage.here(stage.first) is not None)
    vm.drain()
    assert vm.run(120, lambda: vm.phases.drained)
    assert stage.weight(stage.first) is None
