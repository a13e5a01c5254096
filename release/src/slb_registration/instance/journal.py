"""Keeps our registrations on disk, so that they are known again after a restart.

An entry is written before the call that registers, and dropped once the VM is seen to be gone.
A journal that is damaged, or another instance's (a cloned disk), is set aside, never trusted.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from slb_registration.instance.journal_file import (
    SIZE_LIMIT,
    VERSION,
    AnotherInstanceError,
    Entry,
    aside_of,
    is_of_this_boot,
    last_instance,
    parse,
    this_boot,
)
from slb_registration.instance.metadata import Instance
from slb_registration.model.configuration import GroupSpec
from slb_registration.support.files.small_files import TooLongError, move, write_whole
from slb_registration.support.files.trust import UntrustedError, read_trusted

Warn = Callable[[str], None]


class Journal:
    """The registrations of this VM by the name of their server group. Thread-safe.

    A disk that fails is reported through `warn` once, and the journal goes on in memory; with every
    note that it is given, news or not, the disk is tried again.
    """

    def __init__(self, path: Path, instance: Instance, warn: Warn) -> None:
        self._path = path
        self._instance = instance
        self._warn = warn
        self._lock = threading.Lock()
        self._failed = False
        self._doubtful = False
        self._unread = False
        self._ever_confirmed = False
        self._entries: dict[str, Entry] = {}
        self._take_in()
        if self._entries and not is_of_this_boot(path):
            self._write()

    @property
    def entries(self) -> dict[str, Entry]:
        """All entries, as of now."""
        with self._lock:
            return dict(self._entries)

    @property
    def ever_confirmed(self) -> bool:
        """Return whether any registration was confirmed, be it gone now, since this was opened or
        before.

        A journal that could not be read may have told of one.
        """
        with self._lock:
            return self._doubtful or self._ever_confirmed

    def is_confirmed(self, name: str) -> bool:
        """Return whether this VM was ever seen registered there, as far as it did not leave
        since."""
        with self._lock:
            entry = self._entries.get(name)
            return self._doubtful or (entry is not None and entry.confirmed)

    def is_begun(self, name: str) -> bool:
        """Return whether this VM was about to be registered there, and what came of it is not
        known."""
        with self._lock:
            entry = self._entries.get(name)
            return entry is not None and not entry.confirmed

    @property
    def by_file(self) -> dict[Path, tuple[GroupSpec, ...]]:
        """The groups that files of co-located jobs asked for, by file."""
        found: dict[Path, tuple[GroupSpec, ...]] = {}
        for entry in self.entries.values():
            if entry.file is not None:
                path = Path(entry.file)
                found[path] = (*found.get(path, ()), entry.spec)
        return found

    def remember(
        self, name: str, spec: GroupSpec, *, discovered: bool, file: str | None = None
    ) -> None:
        """Note that this VM is about to be registered, or was found to be."""
        with self._lock:
            self._catch_up()
            before = self._entries.get(name, Entry(spec))
            entry = replace(before, spec=spec, discovered=discovered, file=file)
            news = self._entries.get(name) != entry
            self._entries[name] = entry
            self._write_if(news)

    def confirm(self, name: str) -> None:
        """Note that the VM is registered: a read has shown it, or the API has taken the call."""
        self._confirm(name, served=False)

    def served(self, name: str) -> None:
        """Note that the VM is in rotation, and so registered."""
        self._confirm(name, served=True)

    def rests(self, name: str) -> None:
        """Note that the VM is registered, and was taken out of rotation for a stop."""
        self._confirm(name, served=False, rests=True)

    def _confirm(self, name: str, *, served: bool, rests: bool = False) -> None:
        with self._lock:
            self._catch_up()
            before = self._entries.get(name)
            if before is None:
                return
            served = served or (before.served and not rests)
            entry = replace(before, confirmed=True, served=served)
            self._entries[name] = entry
            self._ever_confirmed = True
            self._write_if(entry != before)

    def forget(self, name: str) -> None:
        """Note that the VM is no longer registered."""
        with self._lock:
            self._catch_up()
            self._write_if(self._entries.pop(name, None) is not None)

    def _take_in(self) -> None:
        self._entries = {**self._read(), **self._entries}
        self._ever_confirmed |= any(entry.confirmed for entry in self._entries.values())

    def _catch_up(self) -> None:
        """Read what could not be read before it is written over; else it is kept aside."""
        if not self._unread:
            return
        self._unread = self._doubtful = False
        self._take_in()
        if self._unread:
            self._set_aside("still cannot be read")
            self._unread = False

    def _write_if(self, news: bool) -> None:
        if news or self._failed:
            self._write()

    def _write(self) -> None:
        document = {
            "version": VERSION,
            "instance_id": self._instance.instance_id,
            "region": self._instance.region,
            "boot_id": this_boot(),
            "registrations": {name: asdict(entry) for name, entry in sorted(self._entries.items())},
        }
        try:
            write_whole(self._path, json.dumps(document, indent=1) + "\n")
            self._failed = False
        except OSError as error:
            if not self._failed:
                self._warn(f"cannot write the journal {self._path}: {error.strerror}; going on")
            self._failed = True

    def _read(self) -> dict[str, Entry]:
        try:
            text = read_trusted(self._path, SIZE_LIMIT)
        except FileNotFoundError:
            self._doubtful = self._was_set_aside()
            return {}
        except UntrustedError as error:
            self._doubtful = True
            self._set_aside(f"is not believed: {error.strerror}")
            return {}
        except TooLongError as error:
            self._doubtful = True
            self._set_aside(str(error.strerror))
            return {}
        except OSError as error:
            self._doubtful = self._unread = True
            self._warn(f"cannot read the journal {self._path}: {error.strerror}; going on")
            return {}
        try:
            return parse(text, self._instance.instance_id)
        except ValueError as error:
            self._doubtful = not isinstance(error, AnotherInstanceError)
            self._set_aside(str(error))
            return {}

    def _was_set_aside(self) -> bool:
        """Return whether a journal of this VM was, by an earlier start, and none was written
        since."""
        aside = aside_of(self._path)
        return aside.exists() and last_instance(aside) in (None, self._instance)

    def _set_aside(self, reason: str) -> None:
        aside = aside_of(self._path)
        try:
            move(self._path, aside)
            self._warn(f"the journal {self._path} {reason}: set aside as {aside.name}")
        except OSError as error:
            self._warn(f"the journal {self._path} {reason}, and stays: {error.strerror}")
