"""Signals, taken where it does no harm.

A handler runs in the main thread between any two of its steps, also while that holds a lock: one
that sets an event or logs may wait for itself. Here the interpreter writes the signal's number to a
descriptor, and a thread acts on what it reads there. (Not by blocking them for sigwait: a check
script would inherit that, and its own `timeout` could end nothing any more.)
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
from collections.abc import Callable, Iterator, Mapping

Take = Callable[[float], None]
"""Waits for signals for so many seconds, and acts on those that have come."""

_AT_ONCE = 4096


@contextlib.contextmanager
def taken(actions: Mapping[signal.Signals, Callable[[], object]]) -> Iterator[Take]:
    """Have these signals acted on by who calls what this gives, in any thread.

    To be entered in the main thread. A SIGHUP that is ignored from outside, by nohup, stays so.
    After the block none of them does anything any more: the process ends.
    """
    reading, writing = socket.socketpair()
    with reading, writing:
        reading.setblocking(False)
        writing.setblocking(False)
        before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        for number in actions:
            if not (number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN):
                signal.signal(number, _nothing)
        try:
            yield lambda seconds: _take(reading, actions, seconds)
        finally:
            signal.set_wakeup_fd(before)


def _take(
    reading: socket.socket,
    actions: Mapping[signal.Signals, Callable[[], object]],
    seconds: float,
) -> None:
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    if not poll.poll(seconds * 1000):
        return
    try:
        numbers = set(reading.recv(_AT_ONCE))
    except BlockingIOError:  # another thread has taken them
        return
    for number, act in actions.items():
        if number in numbers:
            act()


def _nothing(*_: object) -> None:
    """A handler must be there, or the signal's default ends the process."""
