"""What we registered, on disk, so that it is known again after a restart.

An entry is written before the call that registers, and dropped once the VM is seen to be gone.
A journal that is damaged, or another instance's (a cloned disk), is set aside, never trusted.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from slb_registration.config import INSTANCE_ID, REGION, GroupSpec
from slb_registration.files import open_regular, write_whole
from slb_registration.instance import Instance

FILE_NAME = "journal.json"
VERSION = 1
SIZE_LIMIT = 1 << 20
Warn = Callable[[str], None]

_OPTIONAL = (str, type(None))
_FIELDS: dict[str, tuple[type, ...]] = {
    "product": (str,),
    "server_type": (str,),
    "port": (int, type(None)),
    "weight": (int,),
    "description": _OPTIONAL,
    "load_balancer_id": _OPTIONAL,
    "vserver_group_id": _OPTIONAL,
    "active_standby_group_id": _OPTIONAL,
    "server_group_id": _OPTIONAL,
    "server_id": _OPTIONAL,
    "server_ip": _OPTIONAL,
}


@dataclass(frozen=True)
class Entry:
    """One registration.

    `served`: the VM was in rotation there. `discovered`: its group was found by tags; `file`: this
    file of a co-located job asked for it. Of those it is not the manifest that tells when they are
    no longer wanted.
    """

    spec: GroupSpec
    served: bool = False
    discovered: bool = False
    file: str | None = None


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
        self._entries = self._read()

    @property
    def entries(self) -> dict[str, Entry]:
        """All entries, as of now."""
        with self._lock:
            return dict(self._entries)

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
            before = self._entries.get(name, Entry(spec))
            entry = replace(before, spec=spec, discovered=discovered, file=file)
            news = self._entries.get(name) != entry
            self._entries[name] = entry
            self._write_if(news)

    def served(self, name: str) -> None:
        """Note that the VM is in rotation."""
        with self._lock:
            entry = self._entries.get(name)
            if entry is not None:
                self._entries[name] = replace(entry, served=True)
                self._write_if(not entry.served)

    def forget(self, name: str) -> None:
        """Note that the VM is no longer registered."""
        with self._lock:
            self._write_if(self._entries.pop(name, None) is not None)

    def _write_if(self, news: bool) -> None:
        if news or self._failed:
            self._write()

    def _write(self) -> None:
        document = {
            "version": VERSION,
            "instance_id": self._instance.instance_id,
            "region": self._instance.region,
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
            with os.fdopen(open_regular(self._path), "rb") as file:
                text = file.read(SIZE_LIMIT + 1)
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._warn(f"cannot read the journal {self._path}: {error.strerror}; going on")
            return {}
        try:
            return _parse(text, self._instance.instance_id)
        except ValueError as error:
            self._set_aside(str(error))
            return {}

    def _set_aside(self, reason: str) -> None:
        aside = self._path.with_name(self._path.name + ".set-aside")
        try:
            self._path.replace(aside)
            self._warn(f"the journal {self._path} {reason}: set aside as {aside.name}")
        except OSError as error:
            self._warn(f"the journal {self._path} {reason}, and stays: {error.strerror}")


def last_instance(path: Path) -> Instance | None:
    """The instance that the journal was written for, None where it does not say.

    For a drain on a VM whose metadata service does not answer.
    """
    document = _last(path)
    instance_id, region = str(document.get("instance_id")), str(document.get("region"))
    usable = INSTANCE_ID.fullmatch(instance_id) and REGION.fullmatch(region)
    return Instance(instance_id, region) if usable else None


def last_registrations(path: Path) -> int | None:
    """How many registrations the journal lists, None where it does not say."""
    registrations = _last(path).get("registrations")
    return len(registrations) if isinstance(registrations, dict) else None


def _last(path: Path) -> dict[str, Any]:
    """The document as it stands, empty where there is none."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            document = json.loads(file.read(SIZE_LIMIT))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _parse(text: bytes, instance_id: str) -> dict[str, Entry]:
    """Raises ValueError that says what is wrong with it."""
    if len(text) > SIZE_LIMIT:
        raise ValueError("is larger than any we write")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is damaged") from None
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise ValueError("is of an unknown form")
    if document.get("instance_id") != instance_id:
        raise ValueError("belongs to another instance")
    try:
        return {str(name): _entry(item) for name, item in document["registrations"].items()}
    except (KeyError, TypeError, AttributeError):
        raise ValueError("is damaged") from None


def _entry(item: dict[str, Any]) -> Entry:
    """An entry; one of an earlier form lacks the fields that a GroupSpec has defaults for."""
    spec = GroupSpec(**item["spec"])
    for name, kinds in _FIELDS.items():
        value = getattr(spec, name)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise TypeError("a field of the wrong type")
    if not (spec.port is None or 1 <= spec.port <= 65535) or not _can_be_made(spec):
        raise TypeError("no registration that can be made")
    file = item.get("file")
    if not isinstance(file, _OPTIONAL):
        raise TypeError("a field of the wrong type")
    return Entry(
        spec,
        served=item["served"] is True,
        discovered=item["discovered"] is True,
        file=file,
    )


def _can_be_made(spec: GroupSpec) -> bool:
    """Whether a server group is named, by what its kind needs, and the server in it."""
    known = spec.server_type == "ecs" or bool(spec.server_id and spec.server_ip)
    if spec.product in ("alb", "nlb"):
        return known and spec.server_group_id is not None and spec.port is not None
    ids = (spec.load_balancer_id, spec.vserver_group_id, spec.active_standby_group_id)
    has_port = spec.vserver_group_id is None or spec.port is not None
    one = sum(id_ is not None for id_ in ids) == 1
    return known and spec.product == "clb" and one and has_port
