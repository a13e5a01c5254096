"""Eventual consistency: what a reader sees that does not yet know of the latest changes."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

MAX_KEPT = 100

T = TypeVar("T")


class Past(Generic[T]):
    """Earlier states of one thing, each with the moment at which it was replaced.

    Guarded by the account's lock. A state must not be changed once it is in here. Owners put theirs
    in only while reads lag, so that a large account does not pay for what nobody asks.
    """

    def __init__(self) -> None:
        self._states: deque[tuple[float, T]] = deque(maxlen=MAX_KEPT)

    def replaced(self, at: float, old: T) -> None:
        """From this moment on, in seconds since the epoch, the state is another one."""
        self._states.append((at, old))

    def as_of(self, moment: float | None, current: T) -> T:
        """The state at a moment; None means now."""
        if moment is None:
            return current
        return next((old for at, old in self._states if at > moment), current)
