"""One part of the process: a turn that is taken again and again, by whoever supervises it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from slb_registration.support.supervision.vitals import Vitals

Turn = Callable[[], "float | None"]
"""One round of a part's work: the seconds until the next one, or None where its work is done."""


class Part:
    """One part of the process. Made by a Supervisor; any thread may call it."""

    def __init__(
        self,
        vitals: Vitals,
        turn: Turn,
        wake: threading.Event,
        *,
        alone: bool = False,
        passes: tuple[type[BaseException], ...] = (),
    ) -> None:
        """`passes`: what is no failure of a turn, but an end that its caller hears of."""
        self.name = vitals.name
        self.vitals = vitals
        self.turn = turn
        self.alone = alone
        self.passes = passes
        self.thread: threading.Thread | None = None
        self.by_hand = False  # no thread of its own, but the one that tends
        self.not_before = 0.0  # when to look for a thread again, or to take a turn by hand
        self.silent = False  # as was told
        self._wake = wake
        self._stopping = False
        self._over = threading.Event()

    @property
    def stopping(self) -> bool:
        """Return whether it is told to end after this turn."""
        return self._stopping

    @property
    def over(self) -> bool:
        """Return whether it has ended, and never goes on."""
        return self._over.is_set()

    @property
    def working(self) -> bool:
        """Return whether its turns are taken, and it was heard of in time."""
        taken = (self.thread is not None or self.by_hand) and not self.over
        return taken and not self.vitals.sign.overdue

    @property
    def trouble(self) -> str | None:
        """Return what hinders it, None where nothing does."""
        sign = self.vitals.sign
        return sign.error or (f"silent for {sign.silent_seconds:.0f} s" if sign.overdue else None)

    def hurry(self) -> None:
        """Let the next turn come at once."""
        self.vitals.expected()
        self._wake.set()

    def stop(self) -> None:
        """End after the turn under way; before the first one, at once."""
        self._stopping = True
        self.hurry()

    def join(self, timeout: float) -> bool:
        """Wait for the end of what has begun; whether nothing goes on any more."""
        return self.thread is None or self._over.wait(timeout)

    def is_due(self, now: float) -> bool:
        """Return whether it is time for a turn by hand."""
        return now >= self.not_before or self._wake.is_set()

    def rest(self, seconds: float) -> None:
        """Wait, or until it is hurried. In its own thread."""
        self._wake.wait(seconds)
        self._wake.clear()

    def recover(self, seconds: float) -> None:
        """Wait after a failure: only a stop makes that shorter. In its own thread."""
        ends = time.monotonic() + seconds
        while not self._stopping and (left := ends - time.monotonic()) > 0:
            self.rest(left)

    def end(self) -> None:
        """Nothing of it goes on. In its own thread, or where it has none."""
        self._over.set()
