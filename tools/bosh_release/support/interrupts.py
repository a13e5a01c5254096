"""Ctrl-C, SIGTERM and SIGHUP: they end a command soon, with all that it had begun undone.

The state is the process's, as signals are. Used as a library, none of this is switched on, and a
KeyboardInterrupt does what it does in Python.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_LOOK_SECONDS = 0.1
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP"))


class Interrupted(BaseException):
    """A person or the system wants this process to end; `exit_code` is what a shell shows."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


class _State:
    def __init__(self) -> None:
        self.passed: int | None = None  # the one signal that was let through
        self.is_over = False  # the work is done, or as good as done
        self.is_held = False
        self.waiting: int | None = None  # came while held


_state = _State()


def notice() -> None:
    """Raise Interrupted on the first signal, in the main thread, wherever that is.

    Later ones are passed over: what undoes the work must not be interrupted.
    """
    _state.passed, _state.is_over = None, False
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup, or a shell's `&`
            signal.signal(number, _raise_once)
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # a thread has what its maker has
    threading.Thread(target=_wake, args=(told, threading.get_ident()), daemon=True).start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wake(told: int, main: int) -> None:
    """Let the main thread notice what came as it was about to wait.

    Python runs a handler before a call that waits, or when the signal interrupts that; one that
    comes in between waits as well. `told` reads the number of each that came. This thread itself
    is told of none: it is still there when hold_back keeps them from the main one.
    """
    while number := os.read(told, 1)[0]:
        time.sleep(_LOOK_SECONDS)
        while number in _SIGNALS and _state.passed is None and not _state.is_over:
            signal.pthread_kill(main, number)
            time.sleep(_LOOK_SECONDS)


def exit_code() -> int | None:
    """Return the exit code of a process that was interrupted; None if it was not."""
    return None if _state.passed is None else 128 + _state.passed


def check() -> None:
    """Raise Interrupted in a thread beside the main one, which is told of no signal."""
    if _state.passed is not None:
        raise Interrupted(_state.passed)


@contextmanager
def held() -> Iterator[None]:
    """Let a signal wait for the end of the block, which must be short. Not to be nested."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread only
        return
    _state.is_held = True
    try:
        yield
    finally:
        _state.is_held = False
        if _state.waiting is not None:
            _raise_once(_state.waiting, None)


def work_is_done() -> None:
    """Pass over signals from now on: what is left takes no time, and must be done as a whole."""
    _state.is_over = True


def hold_back() -> None:
    """Keep signals away until the process has ended.

    When Python ends, it gives signals back to the system, which would end the process with a code
    that says it was interrupted, though all is done.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _raise_once(number: int, _frame: FrameType | None) -> None:
    if _state.is_held:
        _state.waiting = number
    elif _state.passed is None and not _state.is_over:
        _state.passed = number
        raise Interrupted(number)
