"""The thread of one server group. What it does is the registrar's; here: how it lives."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from random import Random

import pytest
from tests.unit.driver import HEALTHY, LOWER, REMOVE, UNHEALTHY, MemoryGroup, member

from slb_registration.instance.journal import Journal
from slb_registration.instance.metadata import Instance
from slb_registration.membership import worker as worker_module
from slb_registration.membership.worker import Worker
from slb_registration.model.configuration import GroupSpec
from slb_registration.model.desired import Policy, Wish
from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Op
from slb_registration.model.server_group import Members
from slb_registration.model.status import GroupStatus, Origin
from slb_registration.pacing import backoff
from slb_registration.reconcile.registrar import Registrar
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.supervision.supervisor import Supervisor

SPEC = GroupSpec("clb", "lb-1", None, None, 100, None)
ME = Instance("i-self", "cn-hangzhou")
PATIENCE = 10.0  # for a machine under load; what is waited for comes at once


class Slow(MemoryGroup):
    """Reading health takes 50 calls, and what happens between two of them is told it."""

    def __init__(self) -> None:
        super().__init__({"i-other": member("i-other")})
        self.between: Callable[[int], None] = lambda number: None
        self.calls: list[str] = []

    def health(self, wanted):
        for number in range(50):
            self.between(number)
            if not wanted():
                self.calls.append(f"health given up after {number}")
                return None
        self.calls.append("health")
        return ()

    def find(self):
        self.calls.append("find")
        return super().find()

    def set_weight(self, server):
        self.calls.append(f"weight {server.weight}")
        return super().set_weight(server)

    def remove(self, server):
        self.calls.append("remove")
        return super().remove(server)


class Room:
    """A worker and what surrounds it."""

    def __init__(self, folder: Path) -> None:
        self.group = MemoryGroup({"i-other": member("i-other")})
        self.lines = StringIO()
        self.journal = Journal(folder / "journal.json", ME, lambda text: None)
        self.stepped = threading.Condition()
        self.now: Callable[[], float] = time.monotonic
        self.origin = Origin.MANIFEST
        self.served = False
        self.supervisor = Supervisor(EventLog(self.lines), clock=self._clock)
        self.worker: Worker = self.make()

    def make(self) -> Worker:
        registrar = Registrar(
            Identity("i-self", None, 100), Policy(), interval=30, served=self.served
        )
        self.worker = Worker(
            SPEC,
            self.group,
            registrar,
            self.journal,
            EventLog(self.lines),
            clock=self._clock,
            random=Random(1),
            on_step=self._stepped,
            origin=self.origin,
        )
        return self.worker

    def start(self) -> None:
        self.worker.start(self.supervisor)

    def _clock(self) -> float:
        return self.now()

    def _stepped(self) -> None:
        with self.stepped:
            self.stepped.notify_all()

    def until(self, wanted: Callable[[GroupStatus], bool]) -> GroupStatus:
        """Wait until the status is as wanted."""
        with self.stepped:
            assert self.stepped.wait_for(lambda: wanted(self.worker.status), PATIENCE)
        return self.worker.status

    def said(self, message: str) -> list[dict]:
        events = [json.loads(line) for line in self.lines.getvalue().splitlines()]
        return [event for event in events if event["message"] == message]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    monkeypatch.setattr(backoff, "after_failure", lambda *_, **__: 0.01)  # nobody waits here
    room = Room(tmp_path)
    yield room
    room.worker.stop()
    room.worker.join(PATIENCE)


def test_a_wish_is_carried_out_at_once_and_the_next_one_too(room: Room):
    room.worker.want(HEALTHY)
    room.start()
    room.until(lambda status: status.in_service)
    assert room.group.servers["i-self"] == member("i-self")

    room.worker.want(UNHEALTHY)
    room.until(lambda status: status.weight == 0)
    room.worker.want(REMOVE)
    room.until(lambda status: status.removed)
    assert set(room.group.servers) == {"i-other"}


def test_what_happens_is_logged_with_the_group(room: Room):
    room.worker.want(HEALTHY)
    room.start()
    room.until(lambda status: status.in_service)
    (event,) = room.said("registered")
    assert (event["group"], event["weight"], event["level"]) == ("memory/group", 100, "info")


def test_the_journal_knows_of_a_registration_before_it_is_made(room: Room):
    known: list[bool] = []
    real = room.group.add

    def add(server):
        known.append("memory/group" in room.journal.entries)
        return real(server)

    room.group.add = add  # type: ignore[method-assign]
    room.start()
    room.until(lambda status: status.registered)
    assert known == [True]
    assert not room.journal.entries["memory/group"].served

    room.worker.want(HEALTHY)
    room.until(lambda status: status.in_service)
    assert room.journal.entries["memory/group"].served

    room.worker.want(REMOVE)
    room.until(lambda status: status.removed)
    assert room.journal.entries == {}


def test_what_is_found_registered_is_noted_too(room: Room):
    room.group.servers["i-self"] = member("i-self", 30)
    room.origin = Origin.TAGS
    room.make()
    room.start()
    room.until(lambda status: status.registered)
    entry = room.journal.entries["memory/group"]
    assert entry.served
    assert entry.discovered


def test_a_registration_is_confirmed_once_the_api_has_taken_it(room: Room):
    lost = [True]
    room.group.fail = lambda op: (
        (ApiError("A", Kind.LOST, "NoAnswer", "m"), False) if op is Op.ADD and lost else None
    )
    room.worker.want(HEALTHY)
    room.start()
    room.until(lambda status: status.error is not None)
    assert not room.journal.is_confirmed("memory/group")
    lost.clear()
    room.until(lambda status: status.registered)
    assert room.journal.is_confirmed("memory/group")


def test_what_only_a_read_shows_is_confirmed_too_though_it_is_dropped(room: Room):
    room.journal.remember("memory/group", SPEC, discovered=False)
    room.group.servers["i-self"] = member("i-self", 30)
    room.origin = Origin.DROPPED
    room.make()
    room.start()
    room.until(lambda status: status.registered)
    assert room.journal.is_confirmed("memory/group")


def test_a_dropped_group_is_not_noted_anew(room: Room):
    room.group.servers["i-self"] = member("i-self", 30)
    room.origin = Origin.DROPPED
    room.make()
    room.worker.want(REMOVE)
    room.start()
    room.until(lambda status: status.removed)
    assert room.journal.entries == {}


def test_a_stop_is_felt_while_waiting_and_leaves_the_registration(room: Room):
    room.worker.want(HEALTHY)
    room.start()
    room.until(lambda status: status.in_service)
    assert not room.worker.join(0.0)
    room.worker.stop()
    assert room.worker.join(PATIENCE)
    assert "i-self" in room.group.servers


def test_a_failed_call_is_no_end(room: Room):
    errors = [ApiError("A", Kind.BUSY, "Busy", "m", 409)]
    room.group.fail = lambda op: (errors.pop(), False) if errors else None
    room.worker.want(HEALTHY)
    room.start()
    room.until(lambda status: status.in_service)
    assert len(room.said("a call failed")) == 1


def test_a_mistake_in_an_adapter_is_said_with_its_place_and_is_no_end(room: Room):
    real = room.group.find
    mistakes = [KeyError("secret value")]

    def find() -> Members:
        if mistakes:
            raise mistakes.pop()
        return real()

    room.group.find = find  # type: ignore[method-assign]
    room.worker.want(HEALTHY)
    room.start()
    room.until(lambda status: status.in_service)
    (event,) = room.said("a call failed")
    assert "please report it: KeyError at find:" in event["error"]
    assert "secret value" not in event["error"]  # whatever an exception holds is not shown


def test_a_call_that_hangs_makes_the_worker_count_as_stuck_and_delays_no_stop(room: Room):
    hanging, go_on = threading.Event(), threading.Event()

    def find() -> Members:
        hanging.set()
        go_on.wait(PATIENCE)
        return Members(())

    room.group.find = find  # type: ignore[method-assign]
    room.start()
    assert hanging.wait(PATIENCE)
    assert room.supervisor.stuck is None
    later = time.monotonic() + worker_module.CALL_SECONDS + 1
    room.now = lambda: later
    assert room.supervisor.stuck is not None
    assert room.supervisor.stuck.startswith("server group memory/group (silent for ")

    room.worker.stop()
    room.worker.join(0.01)  # returns although the call hangs
    go_on.set()


def test_before_it_starts_it_says_so_and_can_be_stopped(room: Room):
    assert room.worker.status.state == "starting"
    room.worker.stop()
    assert room.worker.join(0.0)


def test_the_same_wish_again_wakes_nobody(room: Room):
    room.worker.want(HEALTHY)
    assert room.worker._wake.is_set()
    room.worker._wake.clear()
    room.worker.want(HEALTHY)
    assert not room.worker._wake.is_set()


def test_the_wish_it_starts_with_is_the_first_it_acts_on(room: Room):
    """A VM that leaves must not be registered first."""
    room.worker.want(REMOVE)
    room.start()
    room.until(lambda status: status.removed)
    assert set(room.group.servers) == {"i-other"}
    assert room.said("registered") == []


def turns(worker: Worker, wish: Wish, number: int = 6) -> None:
    """Let the worker take so many turns with that wish."""
    worker.want(wish)
    for _ in range(number):
        worker.turn()


@pytest.mark.parametrize(
    ("wish", "change"), [(UNHEALTHY, "weight 0"), (LOWER, "weight 0"), (REMOVE, "remove")]
)
def test_what_takes_the_vm_out_does_not_wait_for_a_read_of_many_listeners(
    room: Room, wish: Wish, change: str
):
    """50 listeners at half a second a call delayed weight 0 by 25 s."""
    group = room.group = Slow()
    worker = room.make()
    group.between = lambda number: worker.want(wish) if number == 3 else None

    turns(worker, HEALTHY, 12)

    given_up = group.calls.index("health given up after 3")
    assert change in group.calls[given_up : given_up + 3]
    assert group.calls.count("health given up after 3") == 1


def test_a_drain_that_relies_on_weight_0_under_round_robin_says_so_once(room: Room):
    room.group.round_robin = True
    worker = room.make()
    for wish in (HEALTHY, LOWER, HEALTHY, LOWER):
        turns(worker, wish)
    said = [line for line in room.lines.getvalue().splitlines() if "round robin" in line]
    assert [json.loads(line)["level"] for line in said] == ["warning"]


def test_a_drain_that_removes_first_needs_no_such_warning(room: Room):
    room.group.round_robin = True
    worker = room.make()
    for wish in (HEALTHY, REMOVE):
        turns(worker, wish)
    assert "round robin" not in room.lines.getvalue()
