"""Runs a check script so that nothing of it is left when the time is up."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from slb_registration.probes.script_children import Orphans
from slb_registration.support.files.trust import check
from slb_registration.support.net.exhaustion import is_exhausted

# The same for every script, whatever started the agent: no key can be in it.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
NOT_ADOPTED = " (what leaves its session is not ended: this is no Linux)"
_ORPHANS = Orphans()  # one, as the process has one set of children
_LOOK_MILLISECONDS = 20
_OUTPUT_BYTES = 4096


def run_script(
    path: str, timeout_seconds: float, cancelled: Callable[[], bool]
) -> tuple[bool, str]:
    """Run the file without arguments; return whether it exited with 0, and its last words.

    It gets a session and a process group of its own, which is killed at the end, and so are those
    of its children that have left them: a script that hangs, and what it leaves behind, do not pile
    up. Never waits for who holds its output.
    Raises OSError where there is no room for it: that is no answer of the script's.

    `cancelled` is asked again and again: once it says so, the script is killed as if it were late.
    """
    deadline = time.monotonic() + timeout_seconds
    try:
        process, adopts = _ORPHANS.start(path, ENVIRONMENT, lambda: _started(path))
    except OSError as error:
        if is_exhausted(error):
            raise
        return False, f"cannot be run: {error.strerror}"
    with process.stdout as pipe:  # type: ignore[union-attr]
        try:
            exited, output = _watch(process.pid, pipe.fileno(), deadline, cancelled)
        finally:
            # Before the script is reaped: until then its id cannot have become another group's.
            # What runs as another user by now is not ours to kill.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    # Killed, it ends at once, unless it hangs in the kernel; then a later probe reaps it.
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    _ORPHANS.end(process.pid)
    words = _last_words(output) + ("" if adopts else NOT_ADOPTED)
    if not exited:
        return False, f"no end within {timeout_seconds:g} s, killed{words}"
    code = process.returncode
    how = f"exit status {code}" if code >= 0 else f"killed by signal {-code}"
    return code == 0, how + words


def _started(path: str) -> subprocess.Popen[bytes]:
    """Raises OSError."""
    check(os.stat(path), Path(path))  # noqa: PTH116 - what is a text all over here
    return subprocess.Popen(
        [path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=ENVIRONMENT,
        start_new_session=True,
        bufsize=0,
    )


def _watch(
    pid: int, pipe: int, deadline: float, cancelled: Callable[[], bool]
) -> tuple[bool, bytes]:
    """Return whether the script exited in time, unreaped, and the end of what it printed."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    output = b""
    exited = False
    while not exited and time.monotonic() < deadline and not cancelled():
        exited = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        if poll.poll(0 if exited else _LOOK_MILLISECONDS):
            chunk = os.read(pipe, 65536)
            output = (output + chunk)[-_OUTPUT_BYTES:]
            if not chunk:  # everyone closed it, though the script may go on
                poll.unregister(pipe)
    return exited, output


def _last_words(output: bytes) -> str:
    lines = output.decode(errors="backslashreplace").strip().splitlines()
    words = "".join(c if c.isprintable() else " " for c in lines[-1]).strip() if lines else ""
    return f": {words[-200:]}" if words else ""
