"""The journal's file: which registrations it tells of, and what can be trusted in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slb_registration.config.loading import INSTANCE_ID, REGION
from slb_registration.instance.metadata import Instance
from slb_registration.model.configuration import GroupSpec, lowest_port
from slb_registration.support.files.trust import read_trusted
from slb_registration.support.json_objects import JsonError, NoObjectError, parse_object

FILE_NAME = "journal.json"
VERSION = 1
SIZE_LIMIT = 1 << 20
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

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

    `confirmed`: a read has shown it, or the API has taken the call that made it; before, it is only
    what we were about to do. `served`: the VM was in rotation there. `discovered`: its group was
    found by tags; `file`: this file of a co-located job asked for it. Of those it is not the
    manifest that tells when they are no longer wanted.
    """

    spec: GroupSpec
    confirmed: bool = False
    served: bool = False
    discovered: bool = False
    file: str | None = None


def unconfirmed(path: Path) -> tuple[str, ...] | None:
    """Return what this VM was about to register where no registration of it was ever confirmed.

    None where one was or may have been: a journal that cannot be read, or of an earlier version,
    may tell of one. Without any there was none.
    """
    try:
        path.stat()
    except FileNotFoundError:
        return None if aside_of(path).exists() else ()
    except OSError:
        return None
    document = _last(path)
    registrations = document.get("registrations")
    if document.get("version") != VERSION or not isinstance(registrations, dict):
        return None
    entries = registrations.values()
    if all(isinstance(one, dict) and one.get("confirmed") is False for one in entries):
        return tuple(registrations)
    return None


def last_instance(path: Path) -> Instance | None:
    """The instance that the journal was written for, None where it does not say.

    For a drain on a VM whose metadata service does not answer.
    """
    document = _last(path)
    instance_id, region = str(document.get("instance_id")), str(document.get("region"))
    usable = INSTANCE_ID.fullmatch(instance_id) and REGION.fullmatch(region)
    return Instance(instance_id, region) if usable else None


def is_of_this_boot(path: Path) -> bool:
    """Return whether the journal was written since this VM was booted: then it is this VM's, since
    a disk that was cloned comes with another boot."""
    boot = this_boot()
    return boot is not None and _last(path).get("boot_id") == boot


def this_boot() -> str | None:
    """Return what Linux names this boot by, at random; None where it does not."""
    try:
        return BOOT_ID.read_text().strip() or None
    except OSError:
        return None


def last_registrations(path: Path) -> int | None:
    """Return how many registrations the journal lists, None where it does not say."""
    registrations = _last(path).get("registrations")
    return len(registrations) if isinstance(registrations, dict) else None


def aside_of(path: Path) -> Path:
    """Return where a journal is put that is not trusted."""
    return path.with_name(path.name + ".set-aside")


def _last(path: Path) -> dict[str, Any]:
    """The document as it stands, empty where there is none."""
    try:
        return parse_object(read_trusted(path, SIZE_LIMIT))
    except (OSError, JsonError):
        return {}


class AnotherInstanceError(ValueError):
    """The journal is another instance's: it came with a disk image."""


def parse(text: bytes, instance_id: str) -> dict[str, Entry]:
    """Raises ValueError that says what is wrong with it."""
    try:
        document = parse_object(text)
    except NoObjectError:
        document = {}
    except JsonError:
        raise ValueError("is damaged") from None
    if document.get("version") != VERSION:
        raise ValueError("is of an unknown form")
    owner = document.get("instance_id")
    if not isinstance(owner, str):
        raise ValueError("is damaged")
    if owner != instance_id:
        raise AnotherInstanceError("belongs to another instance")
    try:
        return {str(name): _entry(item) for name, item in document["registrations"].items()}
    except (KeyError, TypeError, AttributeError):
        raise ValueError("is damaged") from None


def _entry(item: dict[str, Any]) -> Entry:
    """An entry; one of an earlier form lacks the fields that a GroupSpec has defaults for.

    It does not tell either whether it was confirmed, so it may have been.
    """
    spec = GroupSpec(**item["spec"])
    for name, kinds in _FIELDS.items():
        value = getattr(spec, name)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise TypeError("a field of the wrong type")
    lowest = lowest_port(spec.product)
    if not (spec.port is None or lowest <= spec.port <= 65535) or not _can_be_made(spec):
        raise TypeError("no registration that can be made")
    file = item.get("file")
    if not isinstance(file, _OPTIONAL):
        raise TypeError("a field of the wrong type")
    return Entry(
        spec,
        confirmed=item.get("confirmed") is not False,
        served=item["served"] is True,
        discovered=item["discovered"] is True,
        file=file,
    )


def _can_be_made(spec: GroupSpec) -> bool:
    """Return whether a server group is named, by what its kind needs, and the server in it."""
    known = spec.server_type == "ecs" or bool(spec.server_id and spec.server_ip)
    if spec.product in ("alb", "nlb"):
        return known and spec.server_group_id is not None and spec.port is not None
    ids = (spec.load_balancer_id, spec.vserver_group_id, spec.active_standby_group_id)
    has_port = spec.vserver_group_id is None or spec.port is not None
    one = sum(id_ is not None for id_ in ids) == 1
    return known and spec.product == "clb" and one and has_port
