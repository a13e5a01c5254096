"""Counts API calls, by what came of them, and the time that they took."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

BUCKETS_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)
"""A call within a region takes some 50 ms, and no longer than its timeouts for connecting and for
reading, 15 s together."""


@dataclass(frozen=True)
class CallMade:
    """One call that has ended. `result`: `ok`, or the kind of its error; nothing that the API says
    is in here, so that there are only so many. `seconds`: None where nothing was sent."""

    product: str
    action: str
    result: str
    seconds: float | None


@dataclass(frozen=True)
class Timed:
    """A histogram: `cumulative` counts the calls that took no longer than each of BUCKETS_SECONDS,
    `count` all of them."""

    cumulative: tuple[int, ...]
    count: int
    seconds: float


class CallCounter:
    """Of one process. Thread-safe."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self.last_success: float | None = None
        self._wall = wall
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._buckets: dict[tuple[str, str, str], list[int]] = {}
        self._seconds: dict[tuple[str, str, str], float] = {}

    def count(self, made: CallMade) -> None:
        """Take note of one call."""
        with self._lock:
            self._counts[made.action, made.result] += 1
            if made.result == "ok":
                self.last_success = self._wall()
            if made.seconds is not None:
                self._time((made.product, made.action, made.result), made.seconds)

    def _time(self, key: tuple[str, str, str], seconds: float) -> None:
        buckets = self._buckets.setdefault(key, [0] * (len(BUCKETS_SECONDS) + 1))
        buckets[bisect_left(BUCKETS_SECONDS, seconds)] += 1
        self._seconds[key] = self._seconds.get(key, 0.0) + seconds

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """Calls so far by (action, result)."""
        with self._lock:
            return dict(self._counts)

    @property
    def timed(self) -> dict[tuple[str, str, str], Timed]:
        """Return how long they took, by (product, action, result)."""
        with self._lock:
            return {
                key: Timed(tuple(accumulate(buckets[:-1])), sum(buckets), self._seconds[key])
                for key, buckets in self._buckets.items()
            }
