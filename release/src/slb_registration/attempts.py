"""Which calls fail, for how long already, and when each may be tried again."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from slb_registration import pacing
from slb_registration.errors import ApiError
from slb_registration.steps import WRITES, Event, Op

NEVER = float("-inf")


class Attempts:
    """Of one server group. Times are those of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self.errors: dict[Op, ApiError] = {}
        self._failures = dict.fromkeys(Op, 0)
        self._not_before = dict.fromkeys(Op, NEVER)

    @property
    def worst(self) -> ApiError | None:
        """The failure that matters most, None while all calls succeed."""
        for op in (*WRITES, Op.FIND, Op.HEALTH):
            if op in self.errors:
                return self.errors[op]
        return None

    def not_before(self, op: Op) -> float:
        """When `op` may be called."""
        return self._not_before[op]

    def allow(self, ops: Iterable[Op]) -> None:
        """Let these be tried at once: what they are for has changed."""
        self._not_before.update(dict.fromkeys(ops, NEVER))

    def pause(self, op: Op, until: float) -> None:
        """Do not make this call again before then: the last one is to be seen first."""
        self._not_before[op] = until

    def failed(self, now: float, random: Random, op: Op, error: ApiError) -> Event | None:
        """Take note of a failure; returns what to tell, if it is news."""
        before = self.errors.get(op)
        self.errors[op] = error
        self._failures[op] += 1
        count = self._failures[op]
        self._not_before[op] = now + pacing.after_failure(error, count, random)
        known = before is not None and before.code == error.code
        if known and (error.hopeless or not _worth_repeating(count)):
            return None
        fields: dict[str, object] = {
            "error": str(error),
            "failures": count,
            "next_try_seconds": round(self._not_before[op] - now, 1),
        }
        return Event("error" if error.hopeless else "warning", "a call failed", fields)

    def succeeded(self, op: Op) -> Event | None:
        """Take note of a success; returns what to tell, if it is news."""
        error = self.errors.pop(op, None)
        failures, self._failures[op] = self._failures[op], 0
        self._not_before[op] = NEVER
        if error is None:
            return None
        fields: dict[str, object] = {"action": error.action, "after_failures": failures}
        return Event("info", "recovered", fields)


def _worth_repeating(count: int) -> bool:
    """The 10th, 100th, … failure: repeats are counted, not listed."""
    return str(count).rstrip("0") == "1"
