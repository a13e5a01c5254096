"""Signals are acted on by a thread, whatever the main thread is in the middle of."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from slb_registration.support.supervision.signals import Take, taken

NUMBERS = (signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def in_thread(take: Take, until: threading.Event) -> threading.Thread:
    def run() -> None:
        while not until.is_set():
            take(10)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_a_signal_that_comes_while_a_lock_is_held_waits_for_nobody():
    stop = threading.Event()
    with taken({signal.SIGTERM: stop.set}) as take:
        thread = in_thread(take, stop)
        with stop._cond:  # type: ignore[attr-defined]  # as in the middle of Event.wait
            signal.raise_signal(signal.SIGTERM)
        thread.join(10)
    assert stop.is_set()


def test_a_signal_that_came_before_anybody_took_it_is_not_lost():
    stop = threading.Event()
    with taken({signal.SIGTERM: stop.set}) as take:
        signal.raise_signal(signal.SIGTERM)
        assert not stop.is_set()
        take(10)
    assert stop.is_set()


def test_each_signal_has_its_own_action_and_many_are_one():
    acted: list[str] = []
    actions = {
        signal.SIGTERM: lambda: acted.append("end"),
        signal.SIGHUP: lambda: acted.append("again"),
    }
    with taken(actions) as take:
        for _ in range(10_000):  # more than the descriptor holds
            signal.raise_signal(signal.SIGHUP)
        take(10)
        while len(acted) < 2:
            signal.raise_signal(signal.SIGTERM)
            take(0)
        assert set(acted) == {"again", "end"}


def test_without_a_signal_it_waits_no_longer_than_it_is_told():
    with taken({signal.SIGTERM: pytest.fail}) as take:
        take(0)


def test_a_signal_at_the_very_end_changes_nothing():
    with taken({signal.SIGTERM: pytest.fail}):
        pass
    signal.raise_signal(signal.SIGTERM)


def test_who_was_started_by_nohup_goes_on_when_the_terminal_goes():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with taken({signal.SIGHUP: pytest.fail}) as take:
        signal.raise_signal(signal.SIGHUP)
        take(0)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_program_that_is_started_meanwhile_can_be_ended_by_a_signal(tmp_path: Path):
    """A check script's own `timeout` relies on it."""
    code = "import os, signal, sys; print(signal.pthread_sigmask(signal.SIG_BLOCK, [])); " + (
        "sys.stdout.flush(); os.kill(os.getpid(), signal.SIGTERM)"
    )
    with taken({signal.SIGTERM: lambda: None}):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
    assert (done.stdout, done.returncode) == ("set()\n", -signal.SIGTERM)


def test_nothing_stays_open():
    before = os.listdir("/proc/self/fd")  # noqa: PTH208
    with taken({signal.SIGTERM: lambda: None}):
        pass
    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208
