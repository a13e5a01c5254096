"""When to try next: backoff after failures, turns after a refusal, polling while all is well.

Pure functions of state and randomness handed in, so that a simulation of a fleet runs them too.
All times are in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.operations import WRITES, Op
from slb_registration.pacing.fleet import BUCKET_SECONDS, Fleet

RECHECK_SECONDS = 300.0
"""How often something that cannot succeed is looked at again."""

UNKNOWN_TRIES = 10
"""After so many failures in a row, about three minutes of backoff, a code that we do not know is
taken for one that cannot succeed."""

URGENT_RECHECK_SECONDS = 12.5
URGENT_CEILING_SECONDS = 15.0
"""The same (10 to 15, with its spread), and the longest backoff, of what takes a VM out of
rotation: a drain that has 120 s by default must not sleep through an API that is back, nor wait for
long until a group that is gone is known to be. Only a wrong clock has longer, its floor."""

POLL_CEILING_SECONDS = 300.0
"""The longest time between two polls while nothing changes."""

AFTER_LOWERING_SECONDS = 3.0
"""How soon the group is read again after a VM has lowered itself: others may have done so too."""

POLL_SPREAD = 0.2
"""Polls vary by this part of their interval, so that a fleet does not poll in step."""

HEALTH_WHILE_CHANGING_SECONDS = 5.0
HEALTH_AT_REST_SECONDS = 60.0
"""How often SLB's own health status is read: while something changes, and at rest, where it is
stretched as polls are."""

AWAITED_SECONDS = 5.0
AWAITED_CEILING_SECONDS = 10.0
"""How often a failed call is made again while post-start waits, and in a large fleet: a repair is
to be seen before post-start ends. A deploy waits for some VMs of a fleet at once, and where it is
for so many that calls are refused, those wait for their turns."""

PENDING_SECONDS = 2.0
"""How soon a change that was accepted and is not to be seen yet is looked up again."""

FIRST_LOOK = 0.5
"""Of PENDING_SECONDS: an asynchronous change is not done in the moment in which it was accepted."""

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

CROWDED = 4.0
CROWDED_RECOVERY = 0.9
"""Polls follow a read that was refused after so many times of what it waited, and recover so."""


@dataclass(frozen=True)
class Turns:
    """When a call that was refused for throttling is tried again, in seconds since then.

    Once in each of a row of windows, at a random moment of it. The first, from `begin` to `early`,
    is for a fleet much smaller than `fleet_size` says. At `whole` the quota has served a fleet of
    that size: in that window tries come at just the rate of the quota. Who had bad luck follows
    shortly after. Where the fleet is larger, or others use the quota, too, windows grow with the
    time that has passed: whatever the true size is, few tries are in vain, and little of the quota
    is left unused.

    A fleet whose size is between those of `early` and `whole` may take as long as `whole`. Windows
    in between would spare it that, and cost one of the told size a third refused call an agent.
    """

    early: float
    whole: float
    begin: float = 0.0

    def windows(self) -> Iterator[tuple[float, float]]:
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

    def next(self, elapsed: float, used: float, random: Random) -> tuple[float, float]:
        """The moment of the next try, and the end of its window.

        `elapsed`: when the last was refused; `used`: the end of its window, 0 for the first. A try
        may come late: the rest of a window that has not been used is as good as the whole.
        """
        soonest = elapsed + SOONEST_SECONDS
        unused = (window for window in self.windows() if window[0] >= used)
        begin, end = next(window for window in unused if window[1] > elapsed)
        return max(soonest, random.uniform(max(begin, elapsed), end)), end


def turns(fleet: Fleet, op: Op, refused: Op, *, urgent: bool = False, spare: float = 0.0) -> Turns:
    """The turns of `op` after a refusal of `refused`: itself, or the read before it.

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
        return Turns(whole if in_time else URGENT_SECONDS, whole)
    if op not in WRITES:
        return Turns(whole, whole)
    proven = BUCKET_SECONDS * fleet.quota.of(refused) / fleet.quota.writes
    early = EARLY * max(needed / TOO_LARGE, proven)
    # With a bucket that is full again nobody of such a fleet has bad luck.
    return Turns(early, whole, begin=BUCKET_SECONDS)


@dataclass(frozen=True)
class Backoff:
    """Exponential backoff with full jitter between a floor and a ceiling that doubles."""

    floor: float
    first: float
    ceiling: float

    def delay(self, failures: int, random: Random) -> float:
        """Seconds to wait after `failures` failures in a row (1 or more)."""
        top = min(self.ceiling, self.doubled(failures))
        return random.uniform(self.floor, max(top, self.floor))

    def doubled(self, failures: int) -> float:
        """The ceiling after so many failures in a row, if there was no highest."""
        return _doubled(self.first, failures - 1)


_USUAL = Backoff(floor=0.5, first=2.0, ceiling=60.0)
_BY_KIND = {
    # The load balancer finishes another change within seconds, and refusals cost quota.
    Kind.BUSY: Backoff(floor=0.5, first=2.0, ceiling=15.0),
    # Quotas are counted by the minute.
    Kind.THROTTLED: Backoff(floor=2.0, first=10.0, ceiling=120.0),
    Kind.CONFLICT: Backoff(floor=0.5, first=1.0, ceiling=60.0),
    Kind.CLOCK: Backoff(floor=30.0, first=60.0, ceiling=60.0),
    Kind.CREDENTIALS: Backoff(floor=5.0, first=10.0, ceiling=60.0),
}
_UNSEEN = Backoff(floor=2 * PENDING_SECONDS, first=8.0, ceiling=60.0)


def is_hopeless(error: ApiError, failures: int) -> bool:
    """Whether trying again cannot help; `failures` counts those of the call in a row."""
    return error.hopeless or (error.kind is Kind.UNKNOWN and failures >= UNKNOWN_TRIES)


def after_failure(
    error: ApiError, failures: int, random: Random, pace: float = 0.0, *, urgent: bool = False
) -> float:
    """Seconds until a failed call may be tried again; `failures` counts them in a row.

    `pace`: the time between two calls of one agent at which its fleet keeps to the quota. Long
    rows of failures stretch to that, so that an API which was lost is not flooded when it is back.
    `urgent`: it takes a VM out of rotation, in the little time that a drain has.
    """
    if is_hopeless(error, failures):
        return _spread(URGENT_RECHECK_SECONDS if urgent else max(RECHECK_SECONDS, pace), random)
    backoff = _BY_KIND.get(error.kind, _USUAL)
    if urgent:
        ceiling = min(backoff.ceiling, URGENT_CEILING_SECONDS)
        return replace(backoff, ceiling=ceiling).delay(failures, random)
    if backoff.ceiling < pace <= backoff.doubled(failures):
        return random.uniform(pace / LATE, pace * LATE)
    return replace(backoff, ceiling=max(backoff.ceiling, pace)).delay(failures, random)


def while_awaited(pace: float) -> float:
    """Seconds until a failed call is made again at the latest, while post-start waits.

    `pace`: the time between two calls of one agent at which a fleet leaves its quota room.
    """
    return min(max(AWAITED_SECONDS, pace), AWAITED_CEILING_SECONDS)


def after_lowering(random: Random) -> float:
    """Seconds until a group is read again that this unhealthy VM has just left."""
    return _spread(AFTER_LOWERING_SECONDS, random)


def until_repeated(times: int, random: Random) -> float:
    """Seconds until a change may be asked for again that was accepted `times` times in a row
    without being seen."""
    return _UNSEEN.delay(times, random)


def until_looked_up(interval: float, looks: int) -> float:
    """Seconds until a change under way is looked up again, after `looks` such reads.

    Ever less often, down to the usual polls: a state that is not known here may last for ever.
    """
    return min(interval, PENDING_SECONDS * max(looks, FIRST_LOOK))


def until_next_look(fleet: Fleet, looks: int) -> float:
    """Seconds until SLB's health is read again, after `looks` reads of a new registration.

    Every 5 s, and ever less often where a fleet is too large for that.
    """
    soon = _doubled(HEALTH_WHILE_CHANGING_SECONDS, looks)
    return min(soon, max(HEALTH_WHILE_CHANGING_SECONDS, fleet.between_looks))


def until_awaited_look(fleet: Fleet, calls: int, random: Random) -> float:
    """Seconds until SLB's health is read again that is not normal yet, after a start.

    Of a registration that is older than this agent: no quota on writes has kept the fleet apart.
    `calls`: what a read takes.
    """
    rarest = fleet.between_polls(Op.HEALTH) * calls
    return max(HEALTH_WHILE_CHANGING_SECONDS, _spread(rarest, random))


def between_crowded_polls(fleet: Fleet, before: float, waited: float) -> float:
    """What polls are stretched to where reads are refused: the fleet is larger than it is told.

    `before`: the last answer; `waited`: for how long the last read had to wait for its turn.
    """
    longest = max(POLL_CEILING_SECONDS, TOO_LARGE * fleet.between_polls(Op.FIND))
    return min(longest, max(CROWDED * waited, CROWDED_RECOVERY * before))


def until_next_poll(interval: float, quiet_polls: int, random: Random) -> float:
    """Seconds until the next poll, after `quiet_polls` polls in a row that found no change.

    Doubles from `interval` up to `POLL_CEILING_SECONDS` (or `interval`, where that is longer).
    """
    ceiling = max(POLL_CEILING_SECONDS, interval)
    return _spread(min(ceiling, _doubled(interval, quiet_polls)), random)


def _doubled(seconds: float, times: int) -> float:
    """So often; from 16 times on it is more than any ceiling here, and stays a finite number."""
    return seconds * 2.0 ** min(times, 16)


def _spread(seconds: float, random: Random) -> float:
    return seconds * random.uniform(1 - POLL_SPREAD, 1 + POLL_SPREAD)
