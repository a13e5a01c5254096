"""The lock that makes an agent the only one on its VM."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from slb_registration.model.failure import Failure
from slb_registration.support.files.small_files import open_own

LOCK_NAME = "agent.lock"
"""In the run folder."""


class AlreadyRunningError(Failure):
    """Another agent holds the lock."""


class LockLostError(Failure):
    """The file of the lock is no longer where others look for it."""


class AgentLock:
    """A lock that is held."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path = path
        self._own = os.fstat(file.fileno())

    def check(self) -> None:
        """Raise LockLostError where another agent could take the lock beside this one."""
        if not self._is_there():
            raise LockLostError(
                f"{self._path} was removed: monit cannot see this agent and starts another, so"
                " this one ends"
            )

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(self._path.stat(), self._own)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # what cannot be told on a bad disk ends no agent
            return True


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[AgentLock]:
    """Hold the lock of the one agent; the kernel drops it with the process.

    Raises AlreadyRunningError and OSError.
    """
    with os.fdopen(open_own(path), "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(f"another agent is running (it holds {path})") from None
        yield AgentLock(path, file)
