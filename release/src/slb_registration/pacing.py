"""When to try next: backoff after failures, polling while all is well.

Pure functions of state and randomness handed in, so that a simulation of a fleet runs them too.
All times are in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from slb_registration.errors import HOPELESS, ApiError, Kind

RECHECK_SECONDS = 300.0
"""How often something that cannot succeed is looked at again."""

POLL_CEILING_SECONDS = 300.0
"""The longest time between two polls while nothing changes."""

AFTER_LOWERING_SECONDS = 3.0
"""How soon the group is read again after a VM has lowered itself: others may have done so too."""

POLL_SPREAD = 0.2
"""Polls vary by this part of their interval, so that a fleet does not poll in step."""

HEALTH_WHILE_CHANGING_SECONDS = 5.0
HEALTH_AT_REST_SECONDS = 60.0
"""How often SLB's own health status is read: while something changes, and at rest."""

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
        top = min(self.ceiling, self.first * 2.0 ** min(failures - 1, 16))
        return random.uniform(self.floor, max(top, self.floor))


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


def after_failure(error: ApiError, failures: int, random: Random) -> float:
    """Seconds until a failed call may be tried again; `failures` counts them in a row."""
    if error.kind in HOPELESS:
        return _spread(RECHECK_SECONDS, random)
    return _BY_KIND.get(error.kind, _USUAL).delay(failures, random)


def after_lowering(random: Random) -> float:
    """Seconds until a group is read again that this unhealthy VM has just left."""
    return _spread(AFTER_LOWERING_SECONDS, random)


def until_repeated(times: int, random: Random) -> float:
    """Seconds until a change may be asked for again that was accepted `times` times in a row
    without being seen."""
    return _UNSEEN.delay(times, random)


def until_looked_up(interval: float, looks: int) -> float:
    """Seconds until a change under way is looked up again, after `looks` such reads (1 or more).

    Ever less often, down to the usual polls: a state that is not known here may last for ever.
    """
    return min(interval, PENDING_SECONDS * looks)


def until_next_poll(interval: float, quiet_polls: int, random: Random) -> float:
    """Seconds until the next poll, after `quiet_polls` polls in a row that found no change.

    Doubles from `interval` up to `POLL_CEILING_SECONDS` (or `interval`, where that is longer).
    """
    ceiling = max(POLL_CEILING_SECONDS, interval)
    return _spread(min(ceiling, interval * 2.0 ** min(quiet_polls, 16)), random)


def _spread(seconds: float, random: Random) -> float:
    return seconds * random.uniform(1 - POLL_SPREAD, 1 + POLL_SPREAD)
