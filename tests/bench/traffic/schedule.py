"""What is asked when: made from a seed, before the first request."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

IN_TIME_SECONDS = 5.0
"""An answer may come so much later than the time that it was asked to take."""
SLOW_SHARE = 0.05
SLOWEST_SECONDS = 5.0
QUICKEST_SECONDS, QUICK_SECONDS = 0.005, 0.05
POST_SHARE = 0.3


@dataclass(frozen=True)
class Planned:
    """One request."""

    at: float
    """Seconds since the start of the client."""
    target: str
    """The listener."""
    kept: bool
    """By a connection that was used before, if there is one; else by a new one."""
    method: str
    takes_seconds: float
    """How long the service takes for it."""


def plan(targets: Sequence[str], rate: float, seed: int) -> Iterator[Planned]:
    """Requests without end, `rate` a second. No two seeds give the same."""
    randomness = random.Random(seed)
    number = 0
    while True:
        slow = randomness.random() < SLOW_SHARE
        span = (QUICK_SECONDS, SLOWEST_SECONDS) if slow else (QUICKEST_SECONDS, QUICK_SECONDS)
        yield Planned(
            at=number / rate,
            target=randomness.choice(targets),
            kept=randomness.random() < 0.5,
            method="POST" if randomness.random() < POST_SHARE else "GET",
            takes_seconds=round(randomness.uniform(*span), 3),
        )
        number += 1
