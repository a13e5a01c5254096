"""Connections are counted beside the caller's work, and seldom."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from slb_registration.instance import connection_counter
from slb_registration.instance.connection_counter import ConnectionCounter
from slb_registration.support.threads import NoThreadError


class Host:
    """A clock, a kernel's table, and tasks that run when they are told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.open: int | Exception = 0
        self.told = 0
        self.tasks: list[Callable[[], None]] = []
        self.asked: list[object] = []
        monkeypatch.setattr(connection_counter, "count", self._count)
        self.counting = ConnectionCounter(
            (), on_counted=self._told, clock=lambda: self.now, begin=self.tasks.append
        )

    def ask(self, since: float = 0.0) -> int | None:
        return self.counting({8080}, since)

    def work(self) -> None:
        """Let what was begun be done."""
        self.tasks.pop()()

    def _told(self) -> None:
        self.told += 1

    def _count(self, ports, ignore) -> int:
        self.asked.append(ports)
        if isinstance(self.open, Exception):
            raise self.open
        return self.open


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


def test_it_is_not_known_until_it_was_counted_and_who_asks_is_told(host: Host):
    host.open = 3
    assert host.ask() is None
    assert host.told == 0
    host.work()
    assert (host.told, host.ask()) == (1, 3)
    assert host.asked == [{8080}]


def test_it_is_counted_once_a_second_at_most_however_often_it_is_asked(host: Host):
    for _ in range(50):
        host.ask()
        if host.tasks:
            host.work()
        host.now += 0.2
    assert len(host.asked) == 10


def test_a_count_that_takes_long_is_not_begun_again_beside_it(host: Host):
    for _ in range(10):
        assert host.ask() is None
        host.now += 1
    assert len(host.tasks) == 1
    host.work()
    assert host.ask() == 0


def test_a_count_that_began_before_does_not_tell_of_what_is_asked_for(host: Host):
    host.open = 0
    host.ask()
    host.now += 0.1
    since = host.now
    assert host.ask(since) is None
    host.work()  # it began before, though it ends now
    assert host.ask(since) is None
    host.open = 5
    host.work()
    assert host.ask(since) == 5


@pytest.mark.parametrize("error", [PermissionError(13, "denied"), ZeroDivisionError()])
def test_what_broke_it_is_told_and_it_is_tried_again(host: Host, error: Exception):
    host.open = error
    host.ask()
    host.work()
    with pytest.raises(type(error)):
        host.ask()
    host.open, host.now = 2, host.now + 1
    with pytest.raises(type(error)):
        host.ask()
    host.work()
    assert host.ask() == 2


def test_without_a_thread_who_asks_counts_and_no_more_often(host: Host, monkeypatch):
    """A drain that cannot count connections waits for its whole time."""

    def none(task: Callable[[], None]) -> None:
        raise NoThreadError

    monkeypatch.setattr(host.counting, "_begin", none)
    host.open = 3
    assert [host.ask() for _ in range(5)] == [3] * 5
    assert len(host.asked) == 1
    host.now += 1
    host.open = PermissionError(13, "denied")
    with pytest.raises(PermissionError):
        host.ask()


def test_it_is_counted_in_another_thread(monkeypatch):
    where: list[threading.Thread] = []
    counted = threading.Event()

    def count(ports, ignore) -> int:
        where.append(threading.current_thread())
        return 1

    monkeypatch.setattr(connection_counter, "count", count)
    one = ConnectionCounter((), on_counted=counted.set, clock=lambda: 0.0)
    assert one({1}, 0.0) in (None, 1)
    assert counted.wait(10)
    assert one({1}, 0.0) == 1
    assert where[0] is not threading.current_thread()
