"""The next step of a registrar in ONE server group: when, and what it waits for. Pure."""

from __future__ import annotations

from slb_registration.model.operations import NEVER, Call, Op
from slb_registration.model.status import Outlook, WaitsFor
from slb_registration.reconcile.registrar import Registrar


def outlook(registrar: Registrar) -> Outlook:
    """Return what comes next. Reads of SLB's health do not count: they change nothing."""
    call = registrar.under_way
    if call is not None:
        return _made(registrar, call, registrar.began_at, WaitsFor.ANSWER)
    if registrar.group.observed.stale:
        calls = [one for one in (Call(Op.FIND), registrar.way_out) if one is not None]
        return min((_try(registrar, one) for one in calls), key=_moment)
    gap = registrar.group.gap()
    if gap is None or registrar.dry_run is not None:
        return _look(registrar)
    if registrar.conflict_until is not None:
        return _made(registrar, gap, registrar.conflict_until, WaitsFor.OTHER_WRITER)
    calls = [gap]
    if Op.FIND in registrar.failures.errors and registrar.way_out is None:
        calls.append(Call(Op.FIND))  # a change waits for a read
    last = max((_try(registrar, one) for one in calls), key=_moment)
    return _made(registrar, gap, last.at, last.waits_for)


def _look(registrar: Registrar) -> Outlook:
    """The next read of a group in which nothing is to be done."""
    again = _try(registrar, Call(Op.FIND))
    failed = again.waits_for in (WaitsFor.QUOTA, WaitsFor.RETRY, WaitsFor.REPAIR)
    at_rest = registrar.group.settled or registrar.dry_run is not None
    usual = WaitsFor.POLL if at_rest else WaitsFor.SLB
    at = max(registrar.pacer.next_read, _moment(again))
    return Outlook(Op.FIND, None, at, again.waits_for if failed else usual)


def _try(registrar: Registrar, call: Call) -> Outlook:
    pacer, failures, op = registrar.pacer, registrar.failures, call.op
    at = pacer.not_before(op)
    error = failures.errors.get(op)
    if pacer.queued(op):
        why = WaitsFor.QUOTA
    elif error is not None:
        barred = error.barred or failures.hopeless(op)
        why = WaitsFor.REPAIR if barred else WaitsFor.RETRY
    else:
        why = WaitsFor.NOTHING if at == NEVER else WaitsFor.SLB
    return _made(registrar, call, None if at == NEVER else at, why)


def _made(registrar: Registrar, call: Call, at: float | None, why: WaitsFor) -> Outlook:
    server = call.server
    weight = server.weight if server is not None and call.op is not Op.REMOVE else None
    of_predecessor = server is not None and not registrar.group.is_ours(server)
    return Outlook(call.op, weight, at, why, of_predecessor)


def _moment(one: Outlook) -> float:
    return NEVER if one.at is None else one.at
