"""Judges by one probe after the other, and thresholds, whether the co-located service serves.

Without the probes themselves, so that who only speaks of health need not import what they take.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from slb_registration.model.configuration import HealthCheck
from slb_registration.model.health import Health

FIRST_SECONDS = 1.0
"""Between two probes at most, until the service is healthy for the first time: a start waits."""

FIRST_FOR_SECONDS = 300.0
"""For so long: a service that does not come up is no reason to probe so often for ever."""

FIRST_SHARE = 0.5
"""The part of that time that probes may take: those of a heavy script leave the service room."""


@dataclass(frozen=True)
class Result:
    """The outcome of one probe; detail says in a few words what happened."""

    ok: bool
    detail: str


Cancelled = Callable[[], bool]


def never() -> bool:
    """Nothing cancels it."""
    return False


def always() -> bool:
    """Its turns are taken."""
    return True


class Check(Protocol):
    """A way to find out."""

    def probe(self, cancelled: Cancelled = never) -> Result:
        """Try once, within the timeout as a whole. A service that fails raises nothing.

        Raises OSError where this VM has no room for an attempt, which says nothing of the service.
        An attempt that takes long asks `cancelled` whether it is still wanted.
        """


class Verdict:
    """Turns single results into health: a change takes as many in a row as its threshold says."""

    def __init__(self, healthy_threshold: int, unhealthy_threshold: int) -> None:
        self.health = Health.UNKNOWN
        self._needed = {True: healthy_threshold, False: unhealthy_threshold}
        self._last = False
        self._in_a_row = 0

    def observe(self, ok: bool) -> Health:
        """Take in one result and return the health now; UNKNOWN until a threshold is reached."""
        self._in_a_row = self._in_a_row + 1 if ok is self._last else 1
        self._last = ok
        if self._in_a_row >= self._needed[ok]:
            self.health = Health.HEALTHY if ok else Health.UNHEALTHY
        return self.health


class Checker:
    """Probes at a steady pace and tells of every change of health.

    Until the service is healthy for the first time the pace is quicker, so that a deploy does not
    wait for intervals; thresholds are the same. `working` tells whether its turns are taken,
    `trouble` what hinders them.
    """

    def __init__(
        self,
        check: Check,
        config: HealthCheck,
        on_change: Callable[[Health, str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.passed = 0
        self.failed = 0
        self.working: Callable[[], bool] = always
        self.trouble: Callable[[], str | None] = lambda: None
        self._health = Health.UNKNOWN
        self._detail = "not checked yet"
        self._check = check
        self._interval_seconds = config.interval_seconds
        self._thresholds = config.healthy_threshold, config.unhealthy_threshold
        self._verdict = Verdict(*self._thresholds)
        self._on_change = on_change
        self._clock = clock
        self._quick_until: float | None = clock() + FIRST_FOR_SECONDS  # None once it was healthy

    @property
    def health(self) -> Health:
        """The verdict; unknown where the check itself does not work: an old one says nothing."""
        return self._health if self.working() else Health.UNKNOWN

    @property
    def detail(self) -> str:
        """Return what the last probe has shown, or why there is none, in a few words."""
        trouble = self.trouble()
        return f"the check does not run: {trouble}" if trouble else self._detail

    def turn(self, cancelled: Cancelled = never) -> float:
        """Probe once; returns the seconds until the next time.

        The interval is from the start of a probe to the next one's.
        """
        started = self._clock()
        self._probe(cancelled)
        ended = self._clock()
        return max(0.0, started + self._interval(started, ended) - ended)

    def _interval(self, started: float, ended: float) -> float:
        if self._health is Health.HEALTHY:
            self._quick_until = None
        if self._quick_until is None or ended >= self._quick_until:
            return self._interval_seconds
        return min(self._interval_seconds, max(FIRST_SECONDS, (ended - started) / FIRST_SHARE))

    def _probe(self, cancelled: Cancelled) -> None:
        result = self._check.probe(cancelled)
        if cancelled():
            return
        if not self.working():  # until now; what was seen before is too old to be added to
            self._health, self._verdict = Health.UNKNOWN, Verdict(*self._thresholds)
        before = self._health
        self._detail = result.detail
        if result.ok:
            self.passed += 1
        else:
            self.failed += 1
        self._health = self._verdict.observe(result.ok)
        if self._health is not before:
            self._on_change(self._health, self._detail)
