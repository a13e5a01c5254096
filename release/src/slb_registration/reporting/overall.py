"""One word for the whole VM, and whether all is as it should be; made from the status document."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

STATES = (
    "idle",
    "starting",
    "failing",
    "in service",
    "in service when last seen",
    "partly in service",
    "not in service",
    "held",
    "draining",
    "drained",
    "observing",
)
"""All that `overall` may say."""


def although(document: Mapping[str, Any]) -> str | None:
    """Return what the word alone would hide: that this VM gets requests although it should not; of
    one that is held, drains or was drained, what is not known; of one that only observes, that it
    would make a change. None where there is nothing."""
    if observes(document):
        return _differs(document)
    groups = [group for group in document["groups"] if not group["read_only"]]
    ordered_out = document["drain"] is not None or document["held_since"] is not None
    inside = [group for group in groups if _is_in(group, ordered_out=ordered_out)]
    parts = []
    if inside:
        parts.append(f"still in rotation in {len(inside)} of {_counted(groups)}")
    if ordered_out:
        unsure = [group for group in groups if not group["out"] and group not in inside]
        failing = [group for group in unsure if group["last_error"] is not None]
        if failing:
            parts.append(f"not known to be out in {len(failing)} of {_counted(groups)}")
        if document["register"] and not document["complete"]:
            parts.append("not all server groups of this VM are known")
    return ", ".join(parts) or None


def observes(document: Mapping[str, Any]) -> bool:
    """Return whether this VM only tells what it would change."""
    return bool(document["register"]) and document["mode"] == "observe"


def _differs(document: Mapping[str, Any]) -> str | None:
    """Return what a VM that only observes would change, and where that cannot be said."""
    groups = document["groups"]
    differing = [group for group in groups if group["would"] is not None]
    unread = [group for group in groups if group["last_error"] or not group["last_read_seconds"]]
    parts = []
    if differing:
        parts.append(f"it would make a change in {len(differing)} of {_counted(groups)}")
    if unread:
        parts.append(f"what is in {len(unread)} of {_counted(groups)} is not known")
    if not document["complete"]:
        parts.append("not all server groups of this VM are known")
    return ", ".join(parts) or None


def _is_in(group: Mapping[str, Any], *, ordered_out: bool) -> bool:
    """Return whether this VM has a weight that it should not have any more."""
    has_weight = (group["weight"] or 0) > 0
    if ordered_out:
        return has_weight and not group["out"]
    return has_weight and group["state"] in ("lowering", "removing")


def _counted(groups: Collection[object]) -> str:
    return f"{len(groups)} server group{'' if len(groups) == 1 else 's'}"


def overall(document: Mapping[str, Any]) -> str:
    """One word for the whole VM, of STATES."""
    if not document["register"]:
        return "idle"
    if observes(document):
        return _observing(document)
    if document["drain"] is not None or document["held_since"] is not None:
        return _ordered_out(document)
    groups = [group for group in document["groups"] if group["wanted"]]
    if document["error"] is not None and not groups:
        return "failing"
    if not groups:
        return "starting"
    if all(group["in_service"] for group in groups):
        return "in service"
    seen = [group["last_seen_in_service"] for group in groups]
    if all(seen):
        return "in service when last seen"
    return "partly in service" if any(seen) else "not in service"


def _ordered_out(document: Mapping[str, Any]) -> str:
    if document["drain"] is None:
        return "held"
    return "drained" if document["drain"]["stage"] == "done" else "draining"


def _observing(document: Mapping[str, Any]) -> str:
    if any(group["wanted"] for group in document["groups"]):
        return "observing"
    return "starting" if document["error"] is None else "failing"


def as_it_should_be(document: Mapping[str, Any]) -> bool:
    """Return whether this VM is in service everywhere, or out of rotation everywhere, as it is
    wanted.

    One that only observes is, where nothing would be changed.
    """
    if document["state"] in ("held", "drained", "observing"):
        return document["although"] is None and bool(document["complete"])
    return document["state"] in ("idle", "in service")
