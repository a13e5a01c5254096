"""The one way to start a thread, and what may be said of what broke in it.

What lasts is started by supervision.supervisor alone; `spawn` itself is for what ends by itself,
and whose caller hears of it.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from pathlib import Path


class NoThreadError(OSError):
    """No thread can be had: a limit of processes, or no memory."""

    def __init__(self) -> None:
        super().__init__(errno.EAGAIN, "no thread can be started")


def spawn(name: str, target: Callable[..., object], *arguments: object) -> threading.Thread:
    """Start a thread, which keeps no process from ending. Raises NoThreadError."""
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
    try:
        thread.start()
    except (RuntimeError, MemoryError):
        raise NoThreadError from None
    return thread


def reason_of(error: BaseException) -> str:
    """Return what broke and where.

    Never its text, which may hold a secret, unless it is the system's.
    """
    what = type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        what = f"{what} ({error.strerror})"
    return f"{what} at {_place(error)}"


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "an unknown place"
    code = trace.tb_frame.f_code
    return f"{code.co_name}:{trace.tb_lineno} of {Path(code.co_filename).name}"
