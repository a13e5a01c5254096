"""What a registrar does next in ONE server group, when, and what it waits for until then. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from slb_registration.registrar import Registrar
from slb_registration.steps import NEVER, Call, Op


class WaitsFor(enum.Enum):
    """What has to come before the next step."""

    NOTHING = "nothing"  # it is about to be made
    ANSWER = "answer"  # it is being made
    POLL = "poll"  # all is done: the next look
    QUOTA = "quota"  # throttled: its turn at the quota that the account's VMs share
    RETRY = "retry"  # it has failed
    REPAIR = "repair"  # it has failed, and only a person can mend that
    OTHER_WRITER = "other writer"  # who keeps changing it
    SLB = "slb"  # that has accepted a change, and is to show it


@dataclass(frozen=True)
class Outlook:
    """The next step; `weight` is what a write would give this VM, None where it gives none.

    `at`: the moment of the registrar's clock before which it is not made, for ANSWER when it was
    begun; None where there is none. `of_predecessor`: what is removed is the VM that this one
    replaces.
    """

    op: Op
    weight: int | None
    at: float | None
    waits_for: WaitsFor
    of_predecessor: bool = False


def outlook(registrar: Registrar) -> Outlook:
    """What comes next. Reads of SLB's health do not count: they change nothing."""
    call = registrar.under_way
    if call is not None:
        return _made(registrar, call, registrar.began_at, WaitsFor.ANSWER)
    view, standing = registrar.standing.view, registrar.standing
    if view.stale:
        calls = [one for one in (Call(Op.FIND), registrar.way_out) if one is not None]
        return min((_try(registrar, one) for one in calls), key=_moment)
    gap = standing.gap()
    if gap is None or registrar.observed is not None:
        return _look(registrar)
    if registrar.conflict_until is not None:
        return _made(registrar, gap, registrar.conflict_until, WaitsFor.OTHER_WRITER)
    calls = [gap]
    if Op.FIND in registrar.attempts.errors and registrar.way_out is None:
        calls.append(Call(Op.FIND))  # a change waits for a read
    last = max((_try(registrar, one) for one in calls), key=_moment)
    return _made(registrar, gap, last.at, last.waits_for)


def _look(registrar: Registrar) -> Outlook:
    """The next read of a group in which nothing is to be done."""
    again = _try(registrar, Call(Op.FIND))
    failed = again.waits_for in (WaitsFor.QUOTA, WaitsFor.RETRY, WaitsFor.REPAIR)
    at_rest = registrar.standing.settled or registrar.observed is not None
    usual = WaitsFor.POLL if at_rest else WaitsFor.SLB
    at = max(registrar.next_read, _moment(again))
    return Outlook(Op.FIND, None, at, again.waits_for if failed else usual)


def _try(registrar: Registrar, call: Call) -> Outlook:
    attempts, op = registrar.attempts, call.op
    at = attempts.not_before(op)
    error = attempts.errors.get(op)
    if attempts.queued(op):
        why = WaitsFor.QUOTA
    elif error is not None:
        barred = error.barred or attempts.hopeless(op)
        why = WaitsFor.REPAIR if barred else WaitsFor.RETRY
    else:
        why = WaitsFor.NOTHING if at == NEVER else WaitsFor.SLB
    return _made(registrar, call, None if at == NEVER else at, why)


def _made(registrar: Registrar, call: Call, at: float | None, why: WaitsFor) -> Outlook:
    server = call.server
    weight = server.weight if server is not None and call.op is not Op.REMOVE else None
    of_predecessor = server is not None and not registrar.standing.is_ours(server)
    return Outlook(call.op, weight, at, why, of_predecessor)


def _moment(one: Outlook) -> float:
    return NEVER if one.at is None else one.at
