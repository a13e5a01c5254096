"""The server groups of a VM: which are open, with which wish each begins, which are left."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.driver import member
from tests.unit.membership.groups_in_memory import NLB, ONE, PATIENCE, TWO, Group, Vm, healthy

from slb_registration.membership import groups as membership_module
from slb_registration.model.desired import Phase
from slb_registration.model.health import Health
from slb_registration.model.server_group import Members
from slb_registration.model.status import Origin
from slb_registration.pacing.quotas import QUOTAS, Fleet
from slb_registration.reconcile.registrar import Registrar


def test_every_group_gets_its_worker_and_its_own_weight_and_marker(vm: Vm):
    membership = vm.start()
    membership.open(TWO, Origin.TAGS)
    membership.open(ONE, Origin.MANIFEST)
    membership.want(Phase.SERVE, healthy)
    vm.until(membership, lambda now: all(one.in_service for one in now.values()))
    assert [worker.name for worker in membership.workers] == ["clb/lb-1", "clb/lb-2"]
    assert vm.groups["clb/lb-2"].servers["i-self"] == member("i-self", 40, "bosh/spec-1")


def test_the_fleet_competes_for_each_of_a_products_groups(vm: Vm):
    membership = vm.start(fleet_size=500)
    membership.open(ONE, Origin.MANIFEST)
    assert [worker.fleet for worker in membership.workers] == [Fleet(500, QUOTAS["clb"])]
    membership.open(TWO, Origin.TAGS)
    membership.open(NLB, Origin.MANIFEST)
    clb, nlb = Fleet(1000, QUOTAS["clb"]), Fleet(500, QUOTAS["nlb"])
    assert [worker.fleet for worker in membership.workers] == [clb, clb, nlb]


def test_a_registrar_knows_how_long_a_drain_may_take(vm: Vm, monkeypatch: pytest.MonkeyPatch):
    """It decides whether a refused call may wait for its turn among a whole fleet."""
    made: list[Registrar] = []

    def noting(*arguments: Any, **options: Any) -> Registrar:
        made.append(Registrar(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(membership_module, "Registrar", noting)
    vm.start().open(ONE, Origin.MANIFEST)
    assert [registrar.pacer.drain_seconds for registrar in made] == [4]


def test_health_is_handed_to_the_group_it_is_of(vm: Vm):
    membership = vm.start()
    membership.open(ONE, Origin.MANIFEST)
    membership.open(TWO, Origin.MANIFEST)
    membership.want(Phase.SERVE, lambda name: Health.HEALTHY if "lb-2" in name else Health.UNKNOWN)
    now = vm.until(membership, lambda now: now["clb/lb-2"].in_service and now["clb/lb-1"].calls > 1)
    assert now["clb/lb-1"].weight in (None, 0)


def test_a_group_that_is_open_already_stays_as_it_is(vm: Vm):
    membership = vm.start()
    membership.open(ONE, Origin.MANIFEST)
    (worker,) = membership.workers
    membership.open(ONE, Origin.MANIFEST)
    membership.open(ONE, Origin.DROPPED)
    assert membership.workers == (worker,)
    assert worker.origin is Origin.MANIFEST


@pytest.mark.parametrize("phase", [Phase.LOWER, Phase.REMOVE, Phase.HOLD])
def test_a_vm_that_leaves_is_not_registered_first(vm: Vm, phase: Phase):
    """An agent that is restarted during a drain, or a group found during one."""
    membership = vm.start(phase)
    membership.open(ONE, Origin.MANIFEST)
    vm.until(membership, lambda now: now["clb/lb-1"].calls >= 1)
    membership.want(phase, healthy)
    membership.open(TWO, Origin.TAGS)
    vm.until(membership, lambda now: all(one.calls >= 1 for one in now.values()))
    for group in vm.groups.values():
        assert group.added == 0


def test_a_drain_takes_the_vm_out_of_every_group(vm: Vm):
    membership = vm.start()
    membership.open(ONE, Origin.MANIFEST)
    membership.open(TWO, Origin.MANIFEST)
    membership.want(Phase.SERVE, healthy)
    vm.until(membership, lambda now: all(one.in_service for one in now.values()))
    membership.want(Phase.REMOVE, healthy)
    vm.until(membership, lambda now: all(one.removed for one in now.values()))
    assert all("i-self" not in group.servers for group in vm.groups.values())
    assert vm.journal.entries == {}


def test_a_group_that_hangs_delays_no_other(vm: Vm):
    membership = vm.start()
    go_on = threading.Event()
    membership.open(ONE, Origin.MANIFEST)
    hanging = vm.groups.setdefault("clb/lb-2", Group("clb/lb-2"))

    def hang() -> Members:
        go_on.wait(PATIENCE)
        return Members(())

    hanging.find = hang  # type: ignore[method-assign]
    membership.open(TWO, Origin.MANIFEST)
    membership.want(Phase.SERVE, healthy)
    vm.until(membership, lambda now: now["clb/lb-1"].in_service)
    membership.want(Phase.REMOVE, healthy)
    vm.until(membership, lambda now: now["clb/lb-1"].removed)
    go_on.set()


def test_stopping_leaves_registrations_and_does_not_wait_for_ever(vm: Vm, monkeypatch):
    monkeypatch.setattr(membership_module, "STOP_SECONDS", 0.05)
    membership = vm.start()
    membership.open(ONE, Origin.MANIFEST)
    membership.want(Phase.SERVE, healthy)
    vm.until(membership, lambda now: now["clb/lb-1"].in_service)
    go_on, called = threading.Event(), threading.Event()

    def hang():
        called.set()
        go_on.wait(PATIENCE)
        return vm.groups["clb/lb-1"]._members()

    vm.groups["clb/lb-1"].find = hang  # type: ignore[method-assign]
    membership.want(Phase.SERVE, lambda name: Health.UNHEALTHY)
    assert called.wait(PATIENCE)
    started = time.monotonic()
    membership.stop()
    assert time.monotonic() - started < 5
    assert "i-self" in vm.groups["clb/lb-1"].servers
    go_on.set()


# Groups that the manifest does not name any more


def test_a_group_dropped_from_the_manifest_is_left_and_forgotten(vm: Vm):
    vm.journal.remember("clb/lb-2", TWO, discovered=False)
    vm.groups["clb/lb-2"] = Group("clb/lb-2")
    vm.groups["clb/lb-2"].servers["i-self"] = member("i-self", 40)
    membership = vm.start()
    membership.open(ONE, Origin.MANIFEST)
    membership.leave_others()

    ends = time.monotonic() + PATIENCE
    while "clb/lb-2" in {one.name for one in membership.statuses}:
        assert time.monotonic() < ends
        membership.want(Phase.SERVE, healthy)
        with vm.stepped:
            vm.stepped.wait(0.05)
    assert set(vm.groups["clb/lb-2"].servers) == {"i-other"}
    vm.until(membership, lambda now: now["clb/lb-1"].in_service)
    assert set(vm.read_journal().entries) == {"clb/lb-1"}


def test_a_group_that_was_dropped_and_is_found_by_tags_is_kept(vm: Vm):
    vm.journal.remember("clb/lb-2", TWO, discovered=False)
    vm.groups["clb/lb-2"] = Group("clb/lb-2")
    vm.groups["clb/lb-2"].servers["i-self"] = member("i-self", 40)
    membership = vm.start()
    membership.leave_others()
    membership.open(TWO, Origin.TAGS)
    membership.want(Phase.SERVE, healthy)
    vm.until(membership, lambda now: now["clb/lb-2"].in_service)
    (worker,) = membership.workers
    assert worker.origin is Origin.TAGS


def test_a_group_that_has_lost_its_tags_is_drained_and_left(vm: Vm):
    membership = vm.start()
    membership.open(TWO, Origin.TAGS)
    membership.want(Phase.SERVE, healthy)
    vm.until(membership, lambda now: now["clb/lb-2"].in_service)

    membership.leave(TWO, Origin.TAGS)
    until = time.monotonic() + PATIENCE
    while membership.workers and time.monotonic() < until:
        membership.want(Phase.SERVE, healthy)
        threading.Event().wait(0.01)

    assert membership.workers == ()
    assert "i-self" not in vm.groups["clb/lb-2"].servers
    assert vm.journal.entries == {}


def test_a_group_that_the_manifest_names_is_not_left(vm: Vm):
    membership = vm.start()
    membership.open(ONE, Origin.MANIFEST)
    membership.leave(ONE, Origin.TAGS)
    membership.leave(TWO, Origin.TAGS)
    (worker,) = membership.workers
    assert worker.origin is Origin.MANIFEST


def test_a_file_that_names_what_tags_have_found_says_how_it_is_to_be(vm: Vm):
    membership = vm.start()
    membership.open(replace(TWO, weight=100), Origin.TAGS)
    membership.want(Phase.SERVE, healthy)
    vm.until(membership, lambda now: now["clb/lb-2"].in_service)
    membership.open(TWO, Origin.FILE, Path("/jobs/web/slb.json"))
    membership.want(Phase.SERVE, healthy)
    now = vm.until(membership, lambda now: now["clb/lb-2"].weight == 40)
    assert now["clb/lb-2"].file == "/jobs/web/slb.json"
    assert vm.journal.by_file == {Path("/jobs/web/slb.json"): (TWO,)}
    assert vm.groups["clb/lb-2"].added == 1


def test_what_is_ours_in_one_group_is_no_predecessor_in_another(vm: Vm):
    address = replace(ONE, server_type="ip", server_id="10.0.0.9", server_ip="10.0.0.9")
    old = member("10.0.0.9", 100, "bosh/spec-1")
    vm.groups["clb/lb-2"] = group = Group("clb/lb-2")
    group.servers["10.0.0.9"] = old
    membership = vm.start()
    membership.open(TWO, Origin.MANIFEST)
    membership.open(address, Origin.MANIFEST)
    membership.want(Phase.SERVE, healthy)
    vm.until(membership, lambda now: now["clb/lb-2"].in_service)
    assert group.servers["10.0.0.9"] == old


def test_as_long_as_it_is_not_known_which_servers_are_this_vm_none_is_a_predecessor(vm: Vm):
    old = member("eni-self", 100, "bosh/spec-1")
    for name in ("clb/lb-1", "clb/lb-2"):
        vm.groups[name] = Group(name)
        vm.groups[name].servers["eni-self"] = old
    membership = vm.start()
    membership.unknown_in = frozenset([ONE.group_ids])
    for spec in (ONE, TWO):
        membership.open(spec, Origin.MANIFEST)
    membership.want(Phase.SERVE, healthy)
    vm.until(membership, lambda now: all(one.in_service for one in now.values()))
    ends = time.monotonic() + PATIENCE
    while "eni-self" in vm.groups["clb/lb-2"].servers:  # the other group's trouble is not its own
        assert time.monotonic() < ends
        with vm.stepped:
            vm.stepped.wait(0.05)
    assert vm.groups["clb/lb-1"].servers["eni-self"] == old


def test_stopping_before_anything_has_begun_is_no_mistake(vm: Vm, monkeypatch):
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    membership = vm.start()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        membership.open(ONE, Origin.MANIFEST)
        membership.stop()
    vm.start().stop()
    assert membership.statuses[0].calls == 0
