"""Notes that post-start waits for this VM: a deploy stands still until it is in service."""

from __future__ import annotations

from collections.abc import Callable

from slb_registration.model.operations import NEVER

LASTING_SECONDS = 5.0
"""For how long it counts after it was last said. post-start says it four times a second, so that
one which is killed needs to take nothing back."""


class Awaited:
    """Says so when called. Thread-safe: it holds one number."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until = NEVER

    def say(self) -> bool:
        """Note that post-start waits; whether that is news."""
        news, self._until = not self(), self._clock() + LASTING_SECONDS
        return news

    def __call__(self) -> bool:
        """Return whether post-start waits now."""
        return self._clock() < self._until


def by_nobody() -> bool:
    """Nothing waits."""
    return False
