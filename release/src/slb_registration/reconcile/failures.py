"""Failures of calls: which, how often in a row already, and whether they are told."""

from __future__ import annotations

from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.operations import WRITES, Event, Op
from slb_registration.pacing.backoff import UNKNOWN_TRIES, is_hopeless
from slb_registration.pacing.repeats import worth_telling


class Failures:
    """Failures of the calls in one server group."""

    def __init__(self) -> None:
        self.errors: dict[Op, ApiError] = {}
        self._counts = dict.fromkeys(Op, 0)
        self._unknown = dict.fromkeys(Op, 0)  # of those the last in a row whose code is not known
        self._told: dict[Op, set[str]] = {op: set() for op in Op}  # codes, since the last success

    @property
    def worst(self) -> ApiError | None:
        """The failure that matters most, None while all calls succeed."""
        for op in (*WRITES, Op.FIND, Op.HEALTH):
            if op in self.errors:
                return self.errors[op]
        return None

    def hopeless(self, op: Op) -> bool:
        """Return whether `op` fails, and trying again cannot help."""
        error = self.errors.get(op)
        return error is not None and is_hopeless(error, self._unknown[op])

    def count(self, op: Op, error: ApiError) -> int:
        """Take note of a failure; returns how many in a row its backoff counts."""
        self.errors[op] = error
        self._counts[op] += 1
        self._unknown[op] = self._unknown[op] + 1 if error.kind is Kind.UNKNOWN else 0
        return self._unknown[op] or self._counts[op]

    def news(self, op: Op, next_try_seconds: float) -> Event | None:
        """The event that tells of the failure that was just counted, None if it is no news."""
        error, count, hopeless = self.errors[op], self._counts[op], self.hopeless(op)
        known = error.code in self._told[op]
        self._told[op].add(error.code)
        given_up = hopeless and self._unknown[op] == UNKNOWN_TRIES
        if known and not given_up and (hopeless or not worth_telling(count)):
            return None
        fields: dict[str, object] = {
            "error": str(error),
            "failures": count,
            "next_try_seconds": round(next_try_seconds, 1),
        }
        return Event("error" if hopeless else "warning", "a call failed", fields)

    def succeeded(self, op: Op) -> Event | None:
        """Take note of a success; returns what to tell, if it is news."""
        error = self.errors.pop(op, None)
        failures, self._counts[op] = self._counts[op], 0
        self._unknown[op] = 0
        self._told[op].clear()
        if error is None:
            return None
        fields: dict[str, object] = {"action": error.action, "after_failures": failures}
        return Event("info", "recovered", fields)
