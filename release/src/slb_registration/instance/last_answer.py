"""The answer to health checks of load balancers, as it outlives the agent's process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from slb_registration.support.files.small_files import read_small, remove, write_whole
from slb_registration.support.json_objects import parse_object
from slb_registration.support.logs.event_log import EventLog

FILE_NAME = "readiness"
_LONGEST = 256


@dataclass(frozen=True)
class Answer:
    """The answer, and why."""

    ready: bool
    because: str

    @property
    def status(self) -> int:
        """Of HTTP."""
        return 200 if self.ready else 503


STARTING = Answer(False, "starting, and not healthy yet")


class LastAnswer:
    """The last word, kept across restarts. `follow` is called by one thread, `now` by any."""

    def __init__(self, run_dir: Path, log: EventLog, boot: str | None) -> None:
        """`run_dir`: BOSH has it in memory, so that a disk that is full or hangs is of no matter.

        `boot`: what names this one. A word from another counts for nothing: the service starts too.
        """
        self._file = run_dir / FILE_NAME
        self._log = log
        self._boot = boot
        self._written = self._read()
        self._unwritable = False
        self.now = self._written or STARTING

    def follow(self, said: Answer | None) -> None:
        """Take in what is known now, None for nothing; it is answered before it is written."""
        before = self.now
        if said is not None and said != before:
            self.now = said
            if said.ready != before.ready:
                tell = self._log.info if said.ready else self._log.warning
                tell("readiness", answer=said.status, because=said.because)
        if self.now != self._written:
            self._write(self.now)

    def _write(self, now: Answer) -> None:
        document = {"boot_id": self._boot, "ready": now.ready, "because": now.because}
        try:
            write_whole(self._file, json.dumps(document) + "\n")
        except OSError as error:
            if not self._unwritable:
                because = f"{self._file}: {error.strerror}"
                self._log.warning("readiness: a restart will not know the answer", because=because)
            self._unwritable = True
            return
        self._written, self._unwritable = now, False

    def _read(self) -> Answer | None:
        """Return what is in the file, None where it says nothing that counts."""
        try:
            document = parse_object(read_small(self._file, _LONGEST))
            ready, because = document["ready"], document["because"]
            same_boot = self._boot is not None and document["boot_id"] == self._boot
        except (OSError, ValueError, TypeError, KeyError):
            return None
        usable = same_boot and isinstance(ready, bool) and isinstance(because, str)
        return Answer(ready, because) if usable else None


def forget(run_dir: Path) -> None:
    """The job starts anew, and so does the service: nothing from before counts. Raises OSError."""
    remove(run_dir / FILE_NAME)
