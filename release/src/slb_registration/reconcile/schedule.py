"""When ONE server group is read next: at once, while something changes, or at rest."""

from __future__ import annotations

from random import Random

from slb_registration.model.operations import NEVER, Op
from slb_registration.pacing import times
from slb_registration.pacing.fleet import Fleet


class Reading:
    """The polls of one agent. Times are those of one monotonic clock, in seconds."""

    def __init__(self, interval: float) -> None:
        """`interval`: seconds between polls."""
        self.due = NEVER
        self._interval = interval
        self._quiet = 0  # reads in a row that found no change
        self._looks = 0  # reads in a row that found a change under way
        self._crowded = 0.0  # what polls are stretched to, since reads were refused

    def disturb(self) -> None:
        """Something has happened: polls come at the usual interval again."""
        self._quiet = 0

    def refused_for(self, fleet: Fleet, seconds: float) -> None:
        """A read came through that had been refused for so long; 0: it was not."""
        self._crowded = times.between_crowded_polls(fleet, self._crowded, seconds)

    def found(
        self, now: float, random: Random, fleet: Fleet, *, quiet: bool, under_way: bool
    ) -> None:
        """A read has found no change (`quiet`), or one that is still being made (`under_way`)."""
        self._quiet = self._quiet + 1 if quiet else 0
        self._looks = self._looks + 1 if under_way else 0
        if under_way:
            self.due = now + times.until_looked_up(self._interval, self._looks)
        else:
            self.poll(now, random, fleet)

    def poll(self, now: float, random: Random, fleet: Fleet) -> None:
        """The next read is the next poll."""
        interval = max(self._interval, fleet.between_polls(Op.FIND), self._crowded)
        self.due = now + times.until_next_poll(interval, self._quiet, random)

    def confirm(self, now: float) -> None:
        """What the API has accepted is to be seen, as when a change is under way."""
        self.due = now + times.until_looked_up(self._interval, 0)

    def after_lowering(self, now: float, random: Random) -> None:
        """This VM gives way for its health: others may do so at the same time."""
        self.due = now + times.after_lowering(random)

    def not_before(self, moment: float) -> None:
        """Until then there is nothing to see."""
        self.due = max(self.due, moment)
