"""Polls of ONE server group: at once, while something changes, or at rest. See `pacer`."""

from __future__ import annotations

from random import Random

from slb_registration.model.operations import NEVER, Op
from slb_registration.pacing.backoff import (
    PENDING_SECONDS,
    POLL_CEILING_SECONDS,
    spread,
    until_next_poll,
)
from slb_registration.pacing.quotas import Fleet
from slb_registration.pacing.windows import TOO_LARGE

AFTER_LOWERING_SECONDS = 3.0
"""How soon the group is read again after a VM has lowered itself: others may have done so too."""

FIRST_LOOK = 0.5
"""Of PENDING_SECONDS: an asynchronous change is not done in the moment in which it was accepted."""

CROWDED = 4.0
CROWDED_RECOVERY = 0.9
"""Polls follow a read that was refused after so many times of what it waited, and recover so."""


class Polls:
    """The polls of one agent. Times are those of one monotonic clock, in seconds."""

    def __init__(self, interval: float) -> None:
        """`interval`: seconds between polls."""
        self.due = NEVER
        self._interval = interval
        self._quiet = 0  # reads in a row that found no change
        self._looks = 0  # reads in a row that found a change under way
        self._crowded = 0.0  # what polls are stretched to, since reads were refused

    def disturb(self) -> None:
        """Let polls come at the usual interval again: something has happened."""
        self._quiet = 0

    def refused_for(self, fleet: Fleet, seconds: float) -> None:
        """Take note of a read that had been refused for so long before it came through; 0: not."""
        longest = max(POLL_CEILING_SECONDS, TOO_LARGE * fleet.between_polls(Op.FIND))
        self._crowded = min(longest, max(CROWDED * seconds, CROWDED_RECOVERY * self._crowded))

    def found(
        self, now: float, random: Random, fleet: Fleet, *, quiet: bool, under_way: bool
    ) -> None:
        """Take note of a read that found no change (`quiet`), or one still made (`under_way`)."""
        self._quiet = self._quiet + 1 if quiet else 0
        self._looks = self._looks + 1 if under_way else 0
        if under_way:
            self.due = now + self._until_looked_up(self._looks)
        else:
            self.poll(now, random, fleet)

    def poll(self, now: float, random: Random, fleet: Fleet) -> None:
        """Let the next read be the next poll."""
        interval = max(self._interval, fleet.between_polls(Op.FIND), self._crowded)
        self.due = now + until_next_poll(interval, self._quiet, random)

    @property
    def first_look_seconds(self) -> float:
        """Seconds until a change that was accepted is looked up for the first time."""
        return self._until_looked_up(0)

    def confirm(self, now: float) -> None:
        """Look up what the API has accepted, as when a change is under way."""
        self.due = now + self.first_look_seconds

    def after_lowering(self, now: float, random: Random) -> None:
        """Look soon: this VM gives way for its health, and others may do so at the same time."""
        self.due = now + spread(AFTER_LOWERING_SECONDS, random)

    def not_before(self, moment: float) -> None:
        """Read no sooner: there is nothing to see."""
        self.due = max(self.due, moment)

    def _until_looked_up(self, looks: int) -> float:
        """Seconds until a change under way is looked up again, after `looks` such reads.

        Ever less often, down to the usual polls: a state that is not known here may last for ever.
        """
        return min(self._interval, PENDING_SECONDS * max(looks, FIRST_LOOK))
