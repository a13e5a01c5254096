"""Children that a script leaves behind outside of its process group, in a session of their own.

They would become children of init, out of sight. This process adopts them instead (as a subreaper,
prctl(2)), so that they are found among its own children once their parent has ended, and ended.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_AGENT = re.compile(rb"slb[-_]registration")  # as it is installed, or run from the sources
_END_SECONDS = 1.0
"""For what is killed to end: it does at once, unless it hangs in the kernel."""


class Orphans:
    """The orphans of all scripts that this process runs. Thread-safe.

    What becomes a child of ours while scripts run, and is not in our session, is what one of them
    has left: nothing that it starts can come back into our session, and nothing else here starts
    processes. Of which one, nobody tells, so it is ended when every script that ran when it was
    first seen has ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[int] = set()
        self._others: set[int] = set()  # children that are no script's
        self._left: dict[int, frozenset[int]] = {}
        self._known: set[str] = set()

    def start(
        self,
        path: str,
        environment: Mapping[str, str],
        begin: Callable[[], subprocess.Popen[bytes]],
    ) -> tuple[subprocess.Popen[bytes], bool]:
        """Start a script by `begin`, which raises what it likes.

        Before its first time, those are ended that an agent has left that was killed. Returns its
        process, and whether orphans are adopted: elsewhere than on Linux they are not.
        """
        with self._lock:
            if path not in self._known:
                self._known.add(path)
                _end_earlier(path, environment)
            adopts = _adopt()
            self._look(by_scripts=bool(self._running or self._left))
            process = begin()
            self._running.add(process.pid)
            return process, adopts

    def end(self, pid: int) -> None:
        """A script has ended, itself reaped: end what it left, and reap it."""
        ends = time.monotonic() + _END_SECONDS
        with self._lock:
            self._running.discard(pid)
            ended = True
            while ended and time.monotonic() < ends:
                self._look(by_scripts=True)
                due = [one for one, of in self._left.items() if not of & self._running]
                # What they have started themselves becomes ours only then: once more. What hangs
                # in the kernel, or is another user's by now, is tried again with the next script.
                gone = [orphan for orphan in due if _ended(orphan, ends)]
                ended = bool(gone)

    def _look(self, *, by_scripts: bool) -> None:
        """Note which of our children are new, and whether they come from scripts."""
        found = _children()
        self._others &= found
        self._left = {pid: of for pid, of in self._left.items() if pid in found}
        here = os.getsid(0)
        for pid in found - self._others - self._running - self._left.keys():
            if by_scripts and _session(pid) != here:
                self._left[pid] = frozenset(self._running)
            else:
                self._others.add(pid)


def _end_earlier(path: str, environment: Mapping[str, str]) -> None:
    """End scripts whose agent is no more.

    They lead a session, have been started with this path and nothing but this environment, and
    their parent is no agent: nobody else's process is all of that.
    """
    given = "".join(f"{name}={value}\0" for name, value in environment.items()).encode()
    for process in Path("/proc").glob("[0-9]*"):
        pid = int(process.name)
        with contextlib.suppress(OSError):  # it has just ended, or is another user's
            if (
                os.fsencode(path) in (process / "cmdline").read_bytes().split(b"\0")
                and (process / "environ").read_bytes() == given
                and os.getsid(pid) == pid
                and not _is_agent(_parent(process))
            ):
                os.killpg(pid, signal.SIGKILL)


def _parent(process: Path) -> Path:
    text = (process / "stat").read_text().rpartition(")")[2]  # what is in () may hold anything
    return process.with_name(text.split()[1])


def _is_agent(process: Path) -> bool:
    return _AGENT.search((process / "cmdline").read_bytes()) is not None


def _adopt() -> bool:
    import ctypes  # noqa: PLC0415 - megabytes that only scripts need

    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    return prctl is not None and prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def _children() -> set[int]:
    """Return whose parent is any thread of this process; none where the kernel does not tell."""
    found: set[int] = set()
    for task in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread that has just ended
            found.update(map(int, task.read_text().split()))
    return found


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def _ended(pid: int, ends: float) -> bool:
    """Kill a child; whether it has ended by then, and is reaped."""
    with contextlib.suppress(ProcessLookupError, PermissionError, ChildProcessError):
        descriptor = os.pidfd_open(pid)
        try:
            os.kill(pid, signal.SIGKILL)
            select.select([descriptor], [], [], max(0.0, ends - time.monotonic()))
        finally:
            os.close(descriptor)
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG) is not None
    return False
