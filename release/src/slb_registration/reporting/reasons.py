"""Why this VM is not in service in a server group, in one line that an operator can act on. Pure.

status and post-start say the same, so it is said here only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from slb_registration.model.desired import Phase
from slb_registration.model.health import Health
from slb_registration.model.server_group import ABNORMAL, ListenerHealth
from slb_registration.model.status import GroupStatus, WaitsFor
from slb_registration.probes.checker import Check, Checker
from slb_registration.support.logs.timestamps import timestamp

Local = Sequence[tuple[Check, Checker]]
"""The local checks that stand for a group."""

_BY_STATE = {
    "starting": "the server group is being read for the first time",
    "held": "held: slb-registration resume puts it back",
    "kept with weight 0": "this VM is stopped for a while: its next start puts it back",
    "draining": "this VM drains: a new start or slb-registration resume puts it back",
    "drained": "this VM was drained: a new start or slb-registration resume puts it back",
    "registering": "it is not registered yet",
    "being taken out": "SLB is still taking this VM out: it registers again once that is done",
}


_WAITS = {
    WaitsFor.NOTHING: "that is about to be done",
    WaitsFor.ANSWER: "SLB is being asked to",
    WaitsFor.QUOTA: "it waits for its turn at the quota of the account",
    WaitsFor.RETRY: "it is tried again",
    WaitsFor.REPAIR: "only a person can mend that",
    WaitsFor.OTHER_WRITER: "another writer keeps changing it",
    WaitsFor.SLB: "what SLB has accepted is to be seen first",
}
"""What a change waits for that is not made yet."""


def reason(status: GroupStatus, local: Local, since_epoch: float = 0.0) -> str | None:
    """Return what keeps this VM from being in service in one server group, None where nothing does.

    `since_epoch` added to the agent's clock gives seconds since 1970.
    """
    if status.state in ("lowering", "removing"):
        return _still_in(status, local)
    if status.state == "conflict":
        return _conflict(status, since_epoch)
    if status.error is not None:
        return status.error
    if status.would is not None:
        return f"{_weight(status)}: mode is observe; it would {status.would.text}"
    if not status.in_service:
        return _out_of_rotation(status, local)
    if status.weight == 0:
        return None  # as configured; SLB may not check such a server at all
    if not status.health_known:
        return "registered, and what SLB says of its health is not known yet"
    bad = [item for item in status.health if not item.good]
    return "; ".join(filter(None, (_listed(bad), _beside(bad, local)))) or None


def kept(status: GroupStatus, local: Local) -> str | None:
    """Why this VM is in rotation although it is unhealthy, None where it is not or is to leave."""
    if status.floor is not None:
        why = (
            f"panic_threshold: the group has {status.floor.up} with a weight above 0, and needs "
            f"{status.floor.needed}"
        )
    elif status.unhealthy_ignored:
        why = "on_unhealthy is ignore"
    else:
        return None
    return f"kept in rotation although {_fails(local)}: {why}"


def _still_in(status: GroupStatus, local: Local) -> str:
    """Why a VM that is to leave rotation has not left it."""
    wants = "it is held" if status.phase is Phase.HOLD else _fails(local)
    waits = None if status.outlook is None else _WAITS.get(status.outlook.waits_for)
    because = "; ".join(filter(None, (status.error, waits)))
    return f"weight {status.weight} although {wants}: {because or _WAITS[WaitsFor.NOTHING]}"


def _conflict(status: GroupStatus, since_epoch: float) -> str:
    weight = _weight(status)
    until = status.conflict_until
    when = "for a while" if until is None else f"until {timestamp(until + since_epoch)}"
    text = f"{weight}: another writer keeps changing this VM's registration: left alone {when}"
    return f"{text}; {status.error}" if status.error else text


def _weight(status: GroupStatus) -> str:
    return "not registered" if status.weight is None else f"weight {status.weight}"


def _out_of_rotation(status: GroupStatus, local: Local) -> str:
    if status.read_only is not None:
        what = "not in it" if status.weight is None else f"in it with weight {status.weight}"
        return f"this VM is {what}, and {status.read_only}"
    said = _BY_STATE.get(status.state)
    if said is not None:
        return said
    weight = _weight(status)
    if status.state in ("not registered", "at weight 0"):  # as it should be for now
        return f"{weight}: {_why_it_stays_out(status, local)}"
    if status.state == "unhealthy":
        return f"{weight}: {_fails(local)}"
    if status.state == "waiting for health":
        return f"{weight}: {_unknown(local)}"
    return f"{weight}: the change to {status.spec.weight} is not confirmed yet"


def _why_it_stays_out(status: GroupStatus, local: Local) -> str:
    if status.phase is not Phase.SERVE:
        return "mode is observe; a hold or a drain is left from before: slb-registration resume"
    fails = any(checker.health is Health.UNHEALTHY for _, checker in local)
    return _fails(local) if fails else _unknown(local)


def _fails(local: Local) -> str:
    return f"the local check fails: {_details(local, Health.UNHEALTHY)}"


def _unknown(local: Local) -> str:
    if not local:
        return "the port to check is not known yet: SLB tells it, or health_check.port"
    return f"the local check has not decided yet: {_details(local, Health.UNKNOWN)}"


def _listed(items: Iterable[ListenerHealth]) -> str:
    return ", ".join(f"{item.listener} is {item.status}{item.why}" for item in items)


def _beside(bad: Sequence[ListenerHealth], local: Local) -> str | None:
    """Return what this VM itself knows of a service that SLB does not find well, None where the
    service is not what is wrong."""
    if not bad:
        return None
    if any(checker.health is Health.UNHEALTHY for _, checker in local):
        return f"the local check fails, too: {_details(local, Health.UNHEALTHY)}"
    if all(item.status == ABNORMAL for item in bad) and local:
        return (
            "the local check passes: look at what SLB's own check asks for, and whether the "
            "security group lets it in"
        )
    if all(item.reason for item in bad):
        return None
    return "SLB's own check may not have finished"


def _details(local: Local, health: Health) -> str:
    return ", ".join(
        f"{check} ({checker.detail})" for check, checker in local if checker.health is health
    )
