"""Limits on how often another writer's change is undone before it is left alone for a while."""

from __future__ import annotations

from collections import deque

LIMIT = 3
WINDOW_SECONDS = 600.0
"""After this many repairs of one field within this time, the field is left alone as long."""


class Repairs:
    """Repairs of one field. Times are those of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self.total = 0
        self._times: deque[float] = deque(maxlen=LIMIT)

    def blocked_until(self, now: float) -> float | None:
        """The moment of the next repair; None: now."""
        if len(self._times) < LIMIT or self._times[-1] - self._times[0] >= WINDOW_SECONDS:
            return None
        until = self._times[-1] + WINDOW_SECONDS
        return until if now < until else None

    def made(self, now: float) -> None:
        """Count a repair."""
        self.total += 1
        self._times.append(now)
