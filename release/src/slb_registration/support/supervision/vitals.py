"""Signs of life of one part of the agent, and how often it breaks. Pure: the clock is handed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from slb_registration.pacing.repeats import worth_telling

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 5.0
"""How long to wait before what has broken is begun again: twice as long each time, up to this."""

HOPELESS_SECONDS = 30.0
HOPELESS_FAILURES = 3
"""What breaks for so long, and so often, without one whole turn in between will not mend."""

QUIET_SECONDS = 600.0
"""Unbroken for so long, the next failure is told as if it were the first."""


@dataclass(frozen=True)
class Sign:
    """The state of one part. `may_be_silent_seconds`: as long as it said that it would rest,
    and as long as one turn may take. `error`: why it does not work, None where it does."""

    name: str
    silent_seconds: float
    may_be_silent_seconds: float
    failures: int
    error: str | None

    @property
    def overdue(self) -> bool:
        """Return whether it should have been heard of by now."""
        return self.silent_seconds > self.may_be_silent_seconds


@dataclass(frozen=True)
class Failed:
    """One failure: when to begin again, and which one of its reason it is where that is told."""

    delay_seconds: float
    count: int | None


class Vitals:
    """Written by the thread of the part, read by all: each reading is of one consistent state."""

    def __init__(self, name: str, turn_seconds: float, clock: Callable[[], float]) -> None:
        """`turn_seconds`: how long it may work without a sign."""
        self.name = name
        self._turn_seconds = turn_seconds
        self._clock = clock
        self._heard = (clock(), turn_seconds)  # when last, and how long it may be silent from then
        self._error: str | None = None
        self._in_a_row = 0
        self._failing_since = 0.0
        self._failed_at = 0.0
        self._told: Counter[str] = Counter()
        self._owes = False  # that it goes on again

    def beat(self) -> None:
        """It works, and the turn goes on."""
        self._heard = (self._clock(), self._turn_seconds)

    def begins(self) -> None:
        """A turn begins. What broke before proves nothing by beginning again."""
        if self._error is None:
            self.beat()

    def expected(self) -> None:
        """It was called out of its rest: from now on a turn's time counts."""
        now = self._clock()
        at, seconds = self._heard
        self._heard = (at, min(seconds, now - at + self._turn_seconds))

    def rests(self, seconds: float) -> int | None:
        """A whole turn is done, the next comes after `seconds`.

        After how many failures, where it is to be told that it goes on again.
        """
        self._heard = (self._clock(), seconds + self._turn_seconds)
        failures, self._in_a_row, self._error = self._in_a_row, 0, None
        owes, self._owes = self._owes, False
        return failures if owes else None

    def failed(self, reason: str) -> Failed:
        """A turn broke, or could not begin."""
        now = self._clock()
        if self._in_a_row == 0:
            self._failing_since = now
        if now - self._failed_at > QUIET_SECONDS:
            self._told.clear()
        self._failed_at = now
        self._in_a_row += 1
        self._error = reason
        self._told[reason] += 1
        count = self._told[reason]
        delay = min(FIRST_DELAY_SECONDS * 2 ** min(self._in_a_row - 1, 10), LONGEST_DELAY_SECONDS)
        if not worth_telling(count):
            return Failed(delay, None)
        self._owes = True
        return Failed(delay, count)

    @property
    def hopeless(self) -> bool:
        """Return whether it breaks again and again: as of the last time."""
        since = self._failed_at - self._failing_since
        return self._in_a_row >= HOPELESS_FAILURES and since >= HOPELESS_SECONDS

    @property
    def sign(self) -> Sign:
        """Return what is known now."""
        at, seconds = self._heard
        return Sign(self.name, max(0.0, self._clock() - at), seconds, self._in_a_row, self._error)
