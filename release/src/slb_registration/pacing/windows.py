"""The windows in which the turns of calls that were refused for throttling lie. See `pacer`.

Pure functions of randomness handed in. All times are in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from slb_registration.model.operations import WRITES, Op
from slb_registration.pacing.backoff import POLL_CEILING_SECONDS
from slb_registration.pacing.quotas import BUCKET_SECONDS, Fleet

SOONEST_SECONDS = 0.5
"""No call is repeated sooner."""

TOO_LARGE = 20.0
"""`fleet_size` may be so many times too large, or too small."""

EARLY = 1.75
"""The length of an early window, in times that the fleet it is for needs: within twice of it."""

URGENT_SECONDS = 60.0
"""The early window of a VM that is to leave rotation: half of what a drain has by default. By its
end the quota has served twice as many as at once."""

ALONE_SECONDS = 15.0
"""The window of a fleet that the quota serves at once: it is someone else who uses it up."""

SHORTEST_SECONDS = 5.0
"""No fleet has a window of less, so that tries are not too frequent in those after it."""

READ_SHARE = 0.6
"""Of a read quota: for first reads that were refused. The rest is for looks at what was changed."""

LATE = 1.1
GROWTH = 1.4
"""From the end of one window to that of the next: of the first that follows `whole`, and what
that grows to. Twice in a row it is less than 2: bad luck in one window costs no more than that."""


@dataclass(frozen=True)
class Windows:
    """A row of windows, in seconds since the first refusal; a call has one turn in each.

    The first, from `begin` to `early`, is for a fleet much smaller than `fleet_size` says. At
    `whole` the quota has served a fleet of that size: in that window tries come at just the rate
    of the quota. Who had bad luck follows shortly after. Where the fleet is larger, or others use
    the quota, too, windows grow with the time that has passed: whatever the true size is, few
    tries are in vain, and little of the quota is left unused.

    A fleet whose size is between those of `early` and `whole` may take as long as `whole`. Windows
    in between would spare it that, and cost one of the told size a third refused call an agent.
    """

    early: float
    whole: float
    begin: float = 0.0

    def row(self) -> Iterator[tuple[float, float]]:
        """Their beginnings and ends, without end."""
        longest = max(POLL_CEILING_SECONDS, TOO_LARGE * self.whole)
        begin, end = (self.begin, self.early) if self.early < self.whole else (0.0, self.whole)
        growth = LATE
        while True:
            yield begin, end
            begin = end
            if end < self.whole:
                end = self.whole
            else:
                end = min(end * growth, end + longest)
                growth = min(growth + LATE - 1, GROWTH)

    def turn(self, elapsed: float, used: float, random: Random) -> tuple[float, float]:
        """The next turn, a random moment of a window, and the end of that window.

        `elapsed`: when the last was refused; `used`: the end of its window, 0 for the first. A try
        may come late: the rest of a window that has not been used is as good as the whole.
        """
        soonest = elapsed + SOONEST_SECONDS
        unused = (window for window in self.row() if window[0] >= used)
        begin, end = next(window for window in unused if window[1] > elapsed)
        return max(soonest, random.uniform(max(begin, elapsed), end)), end


def windows(
    fleet: Fleet, op: Op, refused: Op, *, urgent: bool = False, spare: float = 0.0
) -> Windows:
    """The windows of `op` after a refusal of `refused`: itself, or the read before it.

    A refusal proves that more compete than the bucket of what was refused holds: an early window
    for a smaller fleet would be in vain. `urgent`: it takes a VM out of rotation, which has so many
    seconds to `spare`.
    """
    needed = fleet.seconds(op)
    if op is Op.FIND:
        needed /= READ_SHARE
    left = needed - BUCKET_SECONDS
    whole = max(left, SHORTEST_SECONDS) if left > 0 else ALONE_SECONDS
    if urgent:
        in_time = refused is not op and whole <= spare
        return Windows(whole if in_time else URGENT_SECONDS, whole)
    if op not in WRITES:
        return Windows(whole, whole)
    proven = BUCKET_SECONDS * fleet.quota.of(refused) / fleet.quota.writes
    early = EARLY * max(needed / TOO_LARGE, proven)
    # With a bucket that is full again nobody of such a fleet has bad luck.
    return Windows(early, whole, begin=BUCKET_SECONDS)
