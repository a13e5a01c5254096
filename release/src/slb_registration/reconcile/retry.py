"""Which calls fail, for how long already, and when each may be tried again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.operations import NEVER, WRITES, Event, Op
from slb_registration.pacing import times
from slb_registration.pacing.fleet import ALONE, BUCKET_SECONDS, Fleet
from slb_registration.pacing.repeats import worth_telling


@dataclass(frozen=True)
class _Waiting:
    """A call that was refused for throttling waits for its turn."""

    since: float
    turns: times.Turns
    used: float = 0.0  # the end of the window of its turn


class Attempts:
    """Of one server group. Times are those of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self.errors: dict[Op, ApiError] = {}
        self._failures = dict.fromkeys(Op, 0)
        self._unknown = dict.fromkeys(Op, 0)  # of those the last in a row whose code is not known
        self._told: dict[Op, set[str]] = {op: set() for op in Op}  # codes, since the last success
        self._not_before = dict.fromkeys(Op, NEVER)
        self._waiting: dict[Op, _Waiting] = {}

    @property
    def worst(self) -> ApiError | None:
        """The failure that matters most, None while all calls succeed."""
        for op in (*WRITES, Op.FIND, Op.HEALTH):
            if op in self.errors:
                return self.errors[op]
        return None

    def hopeless(self, op: Op) -> bool:
        """Whether `op` fails, and trying again cannot help."""
        error = self.errors.get(op)
        return error is not None and times.is_hopeless(error, self._unknown[op])

    def not_before(self, op: Op) -> float:
        """When `op` may be called."""
        return self._not_before[op]

    def allow(self, ops: Iterable[Op]) -> None:
        """Let these be tried at once: what they are for has changed."""
        for op in ops:
            self._not_before[op] = NEVER
            self._waiting.pop(op, None)

    def hurry(self, ops: Iterable[Op]) -> None:
        """Let those of these be tried at once that only wait for their turn."""
        self.allow([op for op in ops if op in self._waiting])

    def retry(self) -> None:
        """Let all be tried at once that failed and wait for no turn: post-start begins to wait."""
        self.allow([op for op in self.errors if op not in self._waiting])

    def queued(self, op: Op) -> bool:
        """Whether `op` waits for its turn."""
        return op in self._waiting

    def waited(self, op: Op, now: float) -> float:
        """For how long `op` has waited for its turn by now; 0 if it was not refused."""
        return now - self._waiting[op].since if op in self._waiting else 0.0

    def queue(self, now: float, random: Random, op: Op, turns: times.Turns) -> None:
        """Let `op` wait for its turn: it was refused for throttling, or the read before it was.

        `turns` are for the first refusal; who waits already keeps those that it has.
        """
        waiting = self._waiting.get(op, _Waiting(now, turns))
        turn, used = waiting.turns.next(now - waiting.since, waiting.used, random)
        self._waiting[op] = replace(waiting, used=used)
        self._not_before[op] = waiting.since + turn

    def make_up(self, now: float, op: Op) -> None:
        """Give `op` another turn for the one that came while the API was lost.

        The quota of that time was left unused, so it takes as much longer until all are served:
        turns that were missed follow after the last, the latest missed first. Who is late by no
        more than the bucket holds can go at once.
        """
        waiting, late = self._waiting.get(op), now - self._not_before[op]
        if waiting is not None and late > BUCKET_SECONDS:
            self._waiting[op] = replace(waiting, since=waiting.since + late)
            self._not_before[op] = waiting.since + waiting.used + late

    def join(self, op: Op, other: Op) -> None:
        """Let `op`, refused for the first time, come with the turn of `other` if it is near."""
        waiting, turn = self._waiting[op], self._not_before[other]
        if turn <= waiting.since + waiting.used:
            self._not_before[op] = turn

    def follow(self, now: float, op: Op, other: Op) -> None:
        """Let `op`, that was refused, come after the turn of `other` that is still to come."""
        to_come = other in self._waiting and self._not_before[other] > now
        if to_come and op in self._waiting:
            self._not_before[op] = self._not_before[other] + times.SOONEST_SECONDS

    def pause(self, op: Op, until: float) -> None:
        """Do not make this call again before then: the last one is to be seen first."""
        self._not_before[op] = until

    def failed(
        self,
        now: float,
        random: Random,
        op: Op,
        error: ApiError,
        fleet: Fleet = ALONE,
        *,
        urgent: bool = False,
        awaited: bool = False,
    ) -> Event | None:
        """Take note of a failure; returns what to tell, if it is news.

        `urgent`: the call was to take this VM out of rotation. `awaited`: post-start waits for it.
        """
        self.errors[op] = error
        self._failures[op] += 1
        self._unknown[op] = self._unknown[op] + 1 if error.kind is Kind.UNKNOWN else 0
        count = self._failures[op]
        if error.kind is Kind.THROTTLED:
            self.queue(now, random, op, times.turns(fleet, op, op, urgent=urgent))
        else:
            # A write is tried again only after a read.
            pace = fleet.seconds(Op.FIND)
            tries = self._unknown[op] or count
            again = times.after_failure(error, tries, random, pace, urgent=urgent)
            if awaited:
                read = op if op is Op.HEALTH else Op.FIND
                again = min(again, times.while_awaited(fleet.between_polls(read)))
            self._not_before[op] = now + again
        known = error.code in self._told[op]
        self._told[op].add(error.code)
        hopeless = times.is_hopeless(error, self._unknown[op])
        given_up = hopeless and self._unknown[op] == times.UNKNOWN_TRIES
        if known and not given_up and (hopeless or not worth_telling(count)):
            return None
        fields: dict[str, object] = {
            "error": str(error),
            "failures": count,
            "next_try_seconds": round(self._not_before[op] - now, 1),
        }
        return Event("error" if hopeless else "warning", "a call failed", fields)

    def succeeded(self, op: Op) -> Event | None:
        """Take note of a success; returns what to tell, if it is news."""
        error = self.errors.pop(op, None)
        failures, self._failures[op] = self._failures[op], 0
        self._unknown[op] = 0
        self._told[op].clear()
        self.allow([op])
        if error is None:
            return None
        fields: dict[str, object] = {"action": error.action, "after_failures": failures}
        return Event("info", "recovered", fields)
