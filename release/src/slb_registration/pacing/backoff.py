"""Plain waiting: how long after a failure a call is made again, and until the next poll.

What needs no quota of a fleet; what does is behind `pacer`. Pure functions of state and
randomness handed in. All times are in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from slb_registration.model.errors import ApiError, Kind

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

POLL_SPREAD = 0.2
"""Polls vary by this part of their interval, so that a fleet does not poll in step."""

PACE_SPREAD = 1.1
"""Calls that keep to the pace of a fleet come up to so many times earlier or later."""

AWAITED_SECONDS = 5.0
AWAITED_CEILING_SECONDS = 10.0
"""How often a failed call is made again while post-start waits, and in a large fleet: a repair is
to be seen before post-start ends. A deploy waits for some VMs of a fleet at once, and where it is
for so many that calls are refused, those wait for their turns."""

PENDING_SECONDS = 2.0
"""How soon a change that was accepted and is not to be seen yet is looked up again."""


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
        return doubled(self.first, failures - 1)


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
    """Return whether trying again cannot help; `failures` counts those of the call in a row."""
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
        return spread(URGENT_RECHECK_SECONDS if urgent else max(RECHECK_SECONDS, pace), random)
    backoff = _BY_KIND.get(error.kind, _USUAL)
    if urgent:
        ceiling = min(backoff.ceiling, URGENT_CEILING_SECONDS)
        return replace(backoff, ceiling=ceiling).delay(failures, random)
    if backoff.ceiling < pace <= backoff.doubled(failures):
        return random.uniform(pace / PACE_SPREAD, pace * PACE_SPREAD)
    return replace(backoff, ceiling=max(backoff.ceiling, pace)).delay(failures, random)


def while_awaited(pace: float) -> float:
    """Seconds until a failed call is made again at the latest, while post-start waits.

    `pace`: the time between two calls of one agent at which a fleet leaves its quota room.
    """
    return min(max(AWAITED_SECONDS, pace), AWAITED_CEILING_SECONDS)


def until_repeated(times: int, random: Random) -> float:
    """Seconds until a change may be asked for again that was accepted `times` times in a row
    without being seen."""
    return _UNSEEN.delay(times, random)


def until_next_poll(interval: float, quiet_polls: int, random: Random) -> float:
    """Seconds until the next poll, after `quiet_polls` polls in a row that found no change.

    Doubles from `interval` up to `POLL_CEILING_SECONDS` (or `interval`, where that is longer).
    """
    ceiling = max(POLL_CEILING_SECONDS, interval)
    return spread(min(ceiling, doubled(interval, quiet_polls)), random)


def doubled(seconds: float, times: int) -> float:
    """So often; from 16 times on it is more than any ceiling here, and stays a finite number."""
    return seconds * 2.0 ** min(times, 16)


def spread(seconds: float, random: Random) -> float:
    """A random time around `seconds`, at most a fifth (`POLL_SPREAD`) away from it."""
    return seconds * random.uniform(1 - POLL_SPREAD, 1 + POLL_SPREAD)
