"""A command as a process: what a terminal cannot show, and an end before its time."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from bosh_release.support import children, interrupts, scratch


def run(main: Callable[[], int]) -> int:
    """Run `main`; returns its exit code. Interrupted, the process ends here, with 128 + signal."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name may hold what the locale has no sign for
            stream.reconfigure(errors="backslashreplace")
    try:
        interrupts.notice()
        return main()
    except interrupts.Interrupted:  # outside of the work that tells of it itself
        with suppress(OSError):
            print("Interrupted.", file=sys.stderr)
        return interrupts.exit_code() or 0
    finally:
        interrupts.work_is_done()
        _end_if_interrupted()
        interrupts.hold_back()


def _end_if_interrupted() -> None:
    code = interrupts.exit_code()
    if code is None:
        return
    children.end_all()
    scratch.remove_remains()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    # Not sys.exit, which would wait for threads, and one may be stuck in the system.
    os._exit(code)
