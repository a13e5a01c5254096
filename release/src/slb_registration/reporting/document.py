"""The agent's status as JSON, the document of its socket."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from slb_registration.cloud.credentials import CredentialsState
from slb_registration.discovery.capacity import TOO_MANY, described
from slb_registration.discovery.job_file_groups import FileState
from slb_registration.discovery.selection import Choice
from slb_registration.instance.markers import Held
from slb_registration.model.configuration import GroupSpec
from slb_registration.model.status import GroupStatus, Origin, Outlook, Would
from slb_registration.preflight import SettingWarning
from slb_registration.preflight.document import warning_document
from slb_registration.reporting.health_document import health_document
from slb_registration.support.logs.timestamps import timestamp
from slb_registration.support.supervision.vitals import Sign

Document = dict[str, Any]


def group_document(
    status: GroupStatus,
    since_epoch: float,
    reason: str | None = None,
    kept: str | None = None,
    warnings: Iterable[SettingWarning] = (),
) -> Document:
    """One server group; `since_epoch` added to the agent's clock gives seconds since 1970.

    `reason` and `kept`: as of the module reasons. `warnings`: of what is set there.
    """

    def epoch(moment: float | None) -> float | None:
        return None if moment is None else moment + since_epoch

    return {
        "name": status.name,
        "product": status.spec.product,
        "load_balancer_id": status.spec.load_balancer_id,
        "vserver_group_id": status.spec.vserver_group_id,
        "active_standby_group_id": status.spec.active_standby_group_id,
        "server_group_id": status.spec.server_group_id,
        "port": status.spec.port,
        "because_of": status.file or status.origin.value,
        "wanted": status.origin is not Origin.DROPPED,
        "server_type": status.spec.server_type,
        "server_id": status.server_id,
        "server_ip": status.spec.server_ip,
        "state": status.state,
        "in_service": status.in_service,
        "last_seen_in_service": status.in_service or _was_in_service(status),
        "registered": status.registered,
        "weight": status.weight,
        "out": status.out,
        "configured_weight": status.spec.weight,
        "wanted_weight": status.wanted_weight,
        "phase": status.phase.value,
        "conflict": status.conflict,
        "conflict_until": _stamp(epoch(status.conflict_until)),
        "read_only": status.read_only,
        "health_known": status.health_known,
        "health": [health_document(item) for item in status.health],
        "reason": reason,
        "kept": kept,
        "last_error": status.error,
        "barred": status.barred,
        "begun": status.begun,
        "last_error_code": status.error_code,
        "needs_repair": status.needs_repair,
        "last_change": _stamp(epoch(status.changed_at)),
        "last_change_seconds": epoch(status.changed_at),
        "last_asked": _stamp(epoch(status.asked_at)),
        "last_asked_seconds": epoch(status.asked_at),
        "last_read": _stamp(epoch(status.read_at)),
        "last_read_seconds": epoch(status.read_at),
        "next": _next_document(status.outlook, since_epoch),
        "calls": status.calls,
        "drift_repaired": dict(status.repairs),
        "warnings": [warning_document(one) for one in warnings],
        "would": _would_document(status.would),
        "would_writes": dict(status.would_writes or {}),
    }


def _would_document(would: Would | None) -> Document | None:
    """The write that is left undone where this VM only observes."""
    if would is None:
        return None
    return {
        "step": would.op.value,
        "server_id": would.server_id,
        "weight": would.weight,
        "of_predecessor": would.of_predecessor,
        "text": would.text,
    }


def _next_document(outlook: Outlook | None, since_epoch: float) -> Document | None:
    """The next step, and what it waits for (the words of outlook.WaitsFor)."""
    if outlook is None:
        return None
    at = None if outlook.at is None else outlook.at + since_epoch
    return {
        "step": outlook.op.value,
        "weight": outlook.weight,
        "of_predecessor": outlook.of_predecessor,
        "at": _stamp(at),
        "at_seconds": at,
        "waits_for": outlook.waits_for.value,
    }


def _stamp(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)


def _was_in_service(status: GroupStatus) -> bool:
    """Return whether it was when the API last answered: one that fails takes no VM out of
    rotation."""
    return status.error is not None and status.state == "in service"


def hold_document(held: Held | None) -> Document:
    """An operator's hold, all None where there is none; `held_until` is None without an end."""
    since = None if held is None else held.since
    until = None if held is None else held.until
    return {
        "held_since": _stamp(since),
        "held_since_seconds": since,
        "held_until": _stamp(until),
        "held_until_seconds": until,
        "held_reason": None if held is None else held.reason,
    }


def file_document(
    state: FileState, groups: Iterable[str], left_out: Collection[str] = ()
) -> Document:
    """One file of a co-located job, with the names of the groups that are joined because of it.

    `left_out`: those that are not, since there are too many.
    """
    without = set(left_out)
    parts = (state.problem, described(left_out) if left_out else None)
    return {
        "file": str(state.path),
        "groups": [name for name in groups if name not in without],
        "problem": "; ".join(filter(None, parts)) or None,
    }


def credentials_document(source: str, state: CredentialsState) -> Document:
    """The keys in use; nothing of them is in it."""
    good_until = state.good_until
    return {
        "source": source,
        "good_until": _stamp(good_until),
        "good_until_seconds": good_until,
        "error": state.error,
    }


def part_document(sign: Sign) -> Document:
    """One part of the agent that is to be heard of."""
    return {
        "name": sign.name,
        "silent_seconds": round(sign.silent_seconds, 1),
        "may_be_silent_seconds": round(sign.may_be_silent_seconds, 1),
        "stuck": sign.overdue,
        "failures": sign.failures,
        "error": sign.error,
    }


def choice_document(choice: Choice, left_out: Collection[GroupSpec | None] = ()) -> Document:
    """One load balancer or server group that was found by its tags.

    `left_out`: what is not joined, since there are too many.
    """
    if choice.spec is not None and choice.spec in left_out:
        choice = choice.refused(TOO_MANY)
    return {
        "product": choice.thing.product,
        "id": choice.thing.id,
        "name": choice.thing.name,
        "vpc_id": choice.thing.vpc_id,
        "joined": choice.spec is not None,
        "problem": choice.problem,
        "because_of": choice.why,
    }
