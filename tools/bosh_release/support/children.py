"""Programs that the tools start: each ends with what it has started itself, when we end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bosh_release.support import interrupts

_running: dict[int, None] = {}  # process groups


@contextmanager
def started(command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a program with the `options` of Popen; at the block's end it has ended.

    It has a session of its own, so that the program and all that it starts can be ended together.
    Raises OSError if it cannot be started.
    """
    interrupts.check()
    with interrupts.held():  # a program that has just been started must not be forgotten
        process = subprocess.Popen(command, start_new_session=True, **options)
        _running[process.pid] = None
    try:
        yield process
    finally:
        if process.poll() is None:
            _kill(process.pid)
        process.__exit__(None, None, None)  # closes its pipes and waits for it
        _running.pop(process.pid, None)


def run(
    command: Sequence[str | Path],
    *,
    given: Any = None,
    timeout_seconds: float | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run a program to its end, with `given` on its standard input if that is not None.

    Raises OSError if it cannot be started, and subprocess.TimeoutExpired.
    """
    if given is not None:
        options["stdin"] = subprocess.PIPE
    with started(command, **options) as process:
        out, err = process.communicate(given, timeout=timeout_seconds)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def end_all() -> None:
    """End every program that is still running; whoever waits for it goes on."""
    for group in list(_running):
        _kill(group)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
