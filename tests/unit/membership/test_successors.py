"""A group that is wanted again while it is left: one worker at a time, and then its successor."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.driver import member
from tests.unit.membership.groups_in_memory import ONE, PATIENCE, TWO, Group, Vm, healthy

from slb_registration.membership import groups as membership_module
from slb_registration.membership.groups import Groups
from slb_registration.model.desired import Phase
from slb_registration.model.status import Origin


class Slow(Group):
    """Its removal takes until it is let go on; two calls at once are noted."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.removing, self.go_on = threading.Event(), threading.Event()
        self.at_once = 0
        self._lock = threading.Lock()

    def _alone(self, call: Callable[[], Any]) -> Any:
        if not self._lock.acquire(blocking=False):
            self.at_once += 1
            return call()
        try:
            return call()
        finally:
            self._lock.release()

    def find(self):
        return self._alone(super().find)

    def add(self, server):
        add = super().add
        return self._alone(lambda: add(server))

    def set_weight(self, server):
        set_weight = super().set_weight
        return self._alone(lambda: set_weight(server))

    def remove(self, server):
        remove = super().remove

        def slow():
            self.removing.set()
            self.go_on.wait(PATIENCE)
            return remove(server)

        return self._alone(slow)


FILE = Path("/jobs/web/slb.json")


@pytest.fixture
def slow(vm: Vm) -> Iterator[tuple[Groups, Slow]]:
    """A file's group whose removal is under way, since the file is gone."""
    group = vm.groups["clb/lb-2"] = Slow("clb/lb-2")
    membership = vm.start()
    membership.open(TWO, Origin.FILE, FILE)
    membership.want(Phase.SERVE, healthy)
    vm.until(membership, lambda now: now["clb/lb-2"].in_service)
    membership.leave(TWO, Origin.FILE)
    wanting(membership, Phase.SERVE, group.removing.is_set)
    yield membership, group
    group.go_on.set()


def wanting(membership: Groups, phase: Phase, until: Callable[[], bool]) -> None:
    """What the agent's main loop does, until that is so."""
    ends = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < ends
        membership.want(phase, healthy)
        threading.Event().wait(0.01)


def in_service(membership: Groups) -> bool:
    return [one.in_service for one in membership.statuses] == [True]


def test_a_file_that_comes_back_while_its_group_is_left_is_served_once_that_has_ended(vm, slow):
    """Its worker read before the removal took effect, and took that for another writer's change."""
    membership, group = slow
    membership.open(TWO, Origin.FILE, FILE)
    membership.want(Phase.SERVE, healthy)
    (status,) = membership.statuses
    assert (status.origin, status.calls) == (Origin.FILE, 0)  # it is shown, and does nothing yet
    group.go_on.set()
    wanting(membership, Phase.SERVE, lambda: in_service(membership))
    assert group.at_once == 0
    assert group.added == 2
    assert "another writer" not in vm.lines.getvalue()
    assert membership.statuses[0].repairs == {"registration": 0, "weight": 0}


def test_a_drain_that_comes_in_between_is_the_successors(vm, slow):
    membership, group = slow
    membership.open(TWO, Origin.FILE, FILE)
    membership.want(Phase.REMOVE, healthy)
    assert not membership.statuses[0].removed  # nobody has seen that
    group.go_on.set()
    wanting(membership, Phase.REMOVE, lambda: membership.statuses[0].removed)
    assert set(group.servers) == {"i-other"}
    assert (group.added, group.at_once) == (1, 0)


def test_an_agent_that_ends_in_between_begins_nothing_more(vm, slow, monkeypatch):
    monkeypatch.setattr(membership_module, "STOP_SECONDS", 0.05)
    membership, group = slow
    membership.open(TWO, Origin.FILE, FILE)
    (old,) = membership._closed
    membership.stop()
    group.go_on.set()
    assert old.join(PATIENCE)
    membership.open(ONE, Origin.TAGS)
    (status,) = membership.statuses
    assert (status.name, status.calls) == ("clb/lb-2", 0)


def test_a_file_that_comes_and_goes_while_a_call_is_under_way_ends_as_it_is_last(vm, slow):
    membership, group = slow
    for _ in range(3):
        membership.open(TWO, Origin.FILE, FILE)
        membership.leave(TWO, Origin.FILE)
    membership.open(replace(TWO, weight=70), Origin.FILE, FILE)
    group.go_on.set()
    wanting(membership, Phase.SERVE, lambda: in_service(membership))
    assert group.servers["i-self"] == member("i-self", 70, "bosh/spec-1")
    assert group.at_once == 0


def test_closing_a_worker_leaves_its_successor(vm, slow):
    """Between the look at a group that is gone and its closing, a file may want it again."""
    membership, group = slow
    (old,) = membership.workers
    membership.open(TWO, Origin.FILE, FILE)
    (new,) = membership.workers
    with membership._lock:
        membership._close(old)
    assert membership.workers == (new,)
    group.go_on.set()
    wanting(membership, Phase.SERVE, lambda: in_service(membership))


def test_a_drop_of_before_does_not_count_for_the_successor(vm, slow):
    membership, group = slow
    (old,) = membership.workers
    assert old in membership._leaving
    membership.open(TWO, Origin.FILE, FILE)
    assert membership._leaving == {}
    group.go_on.set()
    wanting(membership, Phase.SERVE, lambda: in_service(membership))
