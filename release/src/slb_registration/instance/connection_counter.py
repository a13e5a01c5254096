"""Counts connections, beside the caller's own work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from slb_registration.instance.connection_tables import Ports, count
from slb_registration.model.addresses import Network
from slb_registration.support.threads import NoThreadError, spawn

INTERVAL_SECONDS = 1.0
"""The least time from one count to the next."""


class ConnectionCounter:
    """Counts in a thread of its own, where it is asked to and the last count is not new enough.

    Where no thread can be had, it counts in the thread of who asks.
    """

    def __init__(
        self,
        ignore: Sequence[Network],
        *,
        on_counted: Callable[[], None],
        clock: Callable[[], float],
        begin: Callable[[Callable[[], None]], object] = lambda task: spawn("connections", task),
    ) -> None:
        """`on_counted` is told in that thread. `begin` starts one for a single count."""
        self._ignore = ignore
        self._on_counted = on_counted
        self._clock = clock
        self._begin = begin
        self._lock = threading.Lock()
        self._running = False
        self._began = float("-inf")  # of the last count, or the one under way
        self._found: tuple[float, int | Exception] | None = None  # when that began

    def __call__(self, ports: Ports, since: float) -> int | None:
        """Return how many there were at the last count, if that began at `since` or later; else
        None.

        Raises OSError where that could not be found out, and whatever broke it.
        """
        now = self._clock()
        with self._lock:
            due = not self._running and (
                self._began < since or now - self._began >= INTERVAL_SECONDS
            )
            if due:
                self._running, self._began = True, now
        if due:
            try:
                self._begin(lambda: self._count(ports, now))
            except NoThreadError:  # a drain that cannot count waits the whole time
                self._count(ports, now)
        with self._lock:
            if self._found is None or self._found[0] < since:
                return None
            found = self._found[1]
        if isinstance(found, Exception):
            raise found
        return found

    def _count(self, ports: Ports, began: float) -> None:
        try:
            found: int | Exception = count(ports, self._ignore)
        except Exception as error:  # noqa: BLE001 - who asks hears of it
            found = error
        self._end(began, found)
        self._on_counted()

    def _end(self, began: float, found: int | Exception) -> None:
        with self._lock:
            self._running = False
            self._found = (began, found)
