"""The same work on several things at once: in order, with nothing lost, and until an interrupt."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

import pytest

from bosh_release.support import children
from bosh_release.support.threads import map_in_threads


def test_results_are_in_the_order_of_the_items():
    assert map_in_threads(lambda n: n * n, range(1000)) == [n * n for n in range(1000)]
    assert map_in_threads(str, []) == []


def test_a_failure_is_the_callers():
    def work(number: int) -> int:
        if number == 3:
            raise OSError(28, "No space left on device")
        return number

    with pytest.raises(OSError, match="No space left"):
        map_in_threads(work, range(10))


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor")
def test_items_are_worked_on_at_once():
    together = threading.Barrier(2, timeout=10)
    map_in_threads(lambda _: together.wait(), range(2))


class Interrupt(BaseException):
    pass


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch):
    """Interrupts the main thread; returns once it has ended all programs that are known then."""

    def raising(number: int, frame: FrameType | None) -> None:
        raise Interrupt

    told = threading.Event()
    end_all = children.end_all
    monkeypatch.setattr(children, "end_all", lambda: (end_all(), told.set()))
    before = signal.signal(signal.SIGUSR1, raising)

    def now() -> None:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        assert told.wait(10)

    yield now
    signal.signal(signal.SIGUSR1, before)


def test_a_program_that_is_being_started_when_we_are_interrupted_ends_too(interrupt):
    codes: list[int] = []

    def work(_: int) -> None:
        interrupt()
        codes.append(children.run(["sleep", "60"]).returncode)

    with pytest.raises(Interrupt):
        map_in_threads(work, [1])
    assert codes == [-signal.SIGKILL]


def test_a_thread_that_does_not_end_is_not_waited_for_long(interrupt):
    go_on = threading.Event()

    def work(_: int) -> None:
        interrupt()
        go_on.wait(60)

    try:
        with pytest.raises(Interrupt):
            map_in_threads(work, [1])
    finally:
        go_on.set()
