"""The status of a server group, as plain data: for the control socket, the table and the
metrics."""

from __future__ import annotations

from collections.abc import Mapping

from slb_registration.model.configuration import ANY_PORT, GroupSpec
from slb_registration.model.desired import KEEP, Phase, Wish
from slb_registration.model.health import Health
from slb_registration.model.operations import WRITES, Op
from slb_registration.model.status import GroupStatus, Origin, Would
from slb_registration.reconcile import dry_run
from slb_registration.reconcile.dry_run import would
from slb_registration.reconcile.observed_state import Place
from slb_registration.reconcile.registrar import Registrar
from slb_registration.reporting import group_word
from slb_registration.reporting.next_step import outlook


def describe(
    registrar: Registrar,
    spec: GroupSpec,
    name: str,
    origin: Origin,
    file: str | None = None,
    *,
    confirmed: bool = True,
    begun: bool = False,
) -> GroupStatus:
    """The status of one server group; `file`: which co-located job's file asks for it.

    `confirmed`: whether this VM was ever seen registered there, or may have been; `begun` as of
    GroupStatus.
    """
    mine, worst = registrar.mine, registrar.failures.worst
    # What was read before the leaving began may be minutes old: it proves nothing.
    leaving = registrar.wish.phase in (Phase.LOWER, Phase.REMOVE)
    return GroupStatus(
        name=name,
        spec=spec,
        origin=origin,
        server_id=registrar.me.server_id,
        state=group_word.state(registrar),
        weight=mine.weight if mine is not None else None,
        registered=mine is not None,
        in_service=_in_service(registrar),
        lowered=leaving and _lowered(registrar),
        removed=leaving and registrar.group.at_least(Place.LEFT),
        out=registrar.wish.phase is not Phase.SERVE and registrar.group.at_least(Place.LOWERED),
        gone=leaving and registrar.group.forgettable,
        unproven=registrar.group.observed.unproven,
        rests=leaving and registrar.group.at_least(Place.SEEN_LOWERED),
        barred=_barred(registrar) if leaving and not confirmed else None,
        begun=begun,
        conflict=registrar.conflict_until is not None,
        read_only=registrar.group.read_only,
        file=file,
        health=registrar.slb_health.listeners,
        health_known=registrar.slb_health.current and _backend_ports(registrar) is not None,
        backend_ports=_backend_ports(registrar),
        error=_error(registrar),
        error_code=f"{worst.action}: {worst.code}" if worst is not None else None,
        needs_repair=worst is not None and worst.barred,
        changed_at=registrar.group.observed.changed_at,
        calls=registrar.calls,
        repairs={name: repairs.total for name, repairs in registrar.repairs.items()},
        phase=registrar.wish.phase,
        wanted_weight=_wanted_weight(registrar),
        asked_at=registrar.asked_at,
        read_at=registrar.group.observed.read_at,
        conflict_until=registrar.conflict_until,
        outlook=outlook(registrar),
        floor=registrar.group.floor,
        unhealthy_ignored=_ignored(registrar),
        address=spec.server_ip or (mine.address if mine is not None else ""),
        would=_would(registrar),
        would_writes=_would_writes(registrar),
    )


def _would(registrar: Registrar) -> Would | None:
    call = None if registrar.dry_run is None else registrar.dry_run.call
    return None if call is None else would(call, registrar.me, registrar.mine)


def _would_writes(registrar: Registrar) -> Mapping[str, int] | None:
    dry_run = registrar.dry_run
    return None if dry_run is None else {op.value: dry_run.counts[op] for op in WRITES}


def _lowered(registrar: Registrar) -> bool:
    """Return whether this VM is lowered, or out, which must be seen after the API has accepted it.

    Unless the look at it has failed: a drain does not wait for reads that fail.
    """
    looked = registrar.unread is not None
    by_word_alone = registrar.group.observed.place is Place.LOWERED
    return registrar.group.at_least(Place.LOWERED) and (looked or not by_word_alone)


def _wanted_weight(registrar: Registrar) -> int | None:
    """The goal as a weight. Before the first read: what the goal will most likely be."""
    goal, mine = registrar.group.goal, registrar.mine
    if isinstance(goal, int):
        return goal
    if goal is KEEP and registrar.members is None and registrar.group.read_only is None:
        serves = registrar.wish == Wish(Phase.SERVE, Health.HEALTHY)
        return registrar.me.weight if serves else None
    return mine.weight if goal is KEEP and mine is not None else None


def _ignored(registrar: Registrar) -> bool:
    unhealthy = registrar.wish == Wish(Phase.SERVE, Health.UNHEALTHY)
    ignores = registrar.group.policy.on_unhealthy == "ignore"
    return unhealthy and ignores and registrar.mine is not None and registrar.mine.weight > 0


def _barred(registrar: Registrar) -> str | None:
    """Why a VM that was never seen in the group can neither be looked up there nor taken out."""
    error = registrar.unread
    never_in = registrar.mine is None
    return str(error) if never_in and error is not None and error.barred else None


def _error(registrar: Registrar) -> str | None:
    error = registrar.failures.worst
    if error is None:
        return None
    holder = registrar.group.observed.holder
    if holder is None:
        return str(error)
    described = holder.description or "without a description"
    return f"{error}; {holder.address} is held by {holder.server_id} ({described})"


def _in_service(registrar: Registrar) -> bool:
    mine = registrar.mine
    if registrar.dry_run is not None:
        return dry_run.serves(mine, registrar.me)
    if registrar.group.read_only is not None:
        return mine is not None and mine.weight > 0
    return (
        registrar.wish.phase is Phase.SERVE
        and mine is not None
        and mine.weight == registrar.me.weight
        and registrar.group.settled
    )


def _backend_ports(registrar: Registrar) -> tuple[int, ...] | None:
    """The ports on which SLB reaches this VM: None while not known, () where there are none."""
    listeners = registrar.slb_health.listeners
    ports = {item.port for item in listeners if item.port}
    if ports or (listeners and registrar.me.port == ANY_PORT):
        return tuple(sorted(ports))
    if registrar.failures.hopeless(Op.HEALTH):
        return ()
    # The first answer after a registration may come before SLB knows of it.
    return () if registrar.slb_health.reads >= 2 else None
