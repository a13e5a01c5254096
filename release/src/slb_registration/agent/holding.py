"""The hold of an operator, and its end: from the marker and the orders taken."""

from __future__ import annotations

from collections.abc import Callable

from slb_registration.instance.markers import UNKNOWN_SINCE, Held, HoldMarker
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.logs.timestamps import timestamp


class Holding:
    """Follows the marker of a hold, and ends a hold whose time is over.

    The end is of the wall clock, as it outlives a boot. It is read once, when a hold is first seen,
    and from then on what is left counts: a clock that jumps while the agent runs neither ends a
    hold early nor draws it out, and one that is wrong at its start draws it out by its whole length
    at most.
    """

    def __init__(
        self,
        marker: HoldMarker,
        log: EventLog,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        """`clock` is monotonic; times are in seconds."""
        self._marker = marker
        self._log = log
        self._clock = clock
        self._wall = wall
        self._ordered: Held | None = None
        self._ends: dict[Held, float] = {}
        self._told: Held | None = None
        self._over: Held | None = None

    def order(self) -> None:
        """Take a hold for as long as this process lives: there may be no marker of it."""
        held = self._marker.held()
        self._ordered = Held(self._wall()) if held in (None, self._over) else held

    def resume(self) -> None:
        """Forget what was ordered."""
        self._ordered = None

    def follow(self) -> Held | None:
        """The hold that is in force, None where none is."""
        found, ordered = self._marker.held(), self._ordered
        if found is not None and found.since == UNKNOWN_SINCE and self._told is not None:
            found = self._told  # it cannot be read for a moment
        self._ends = {one: self._end_of(one) for one in (found, ordered) if one is not None}
        if found is not None and self._is_over(found):
            self._end(found)
            found = None
        if ordered is not None and self._is_over(ordered):
            self._ordered = ordered = None
        held = found or ordered
        if held is not None and held != self._told:
            self._log.info("held by an operator", **_told(held))
        self._told = held
        return held

    def _end_of(self, held: Held) -> float:
        """Return when it ends, of the monotonic clock."""
        if held in self._ends:
            return self._ends[held]
        if held.until is None:
            return float("inf")
        left = max(0.0, held.until - self._wall())
        return self._clock() + min(left, held.until - held.since)

    def _is_over(self, held: Held) -> bool:
        return self._clock() >= self._ends[held]

    def _end(self, held: Held) -> None:
        """Remove its marker; where that fails, it is tried again at the next look."""
        news, self._over = held != self._over, held
        if news:
            self._log.info("the hold has ended by itself", **_told(held))
        try:
            self._marker.end(held)
        except OSError as error:
            if news:
                because = f"{self._marker.path}: {error.strerror}"
                self._log.warning("the marker of the hold cannot be removed yet", because=because)


def _told(held: Held) -> dict[str, object]:
    told = {
        "since": timestamp(held.since),
        "until": None if held.until is None else timestamp(held.until),
        "reason": held.reason,
    }
    return {name: value for name, value in told.items() if value is not None}
