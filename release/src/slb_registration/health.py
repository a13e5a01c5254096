"""Is the co-located service serving? Probes over TCP, HTTP or by a script, and thresholds."""

from __future__ import annotations

import enum
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from .bounded_http import NoAnswerError, exchange, reach
from .config import HealthCheck
from .script import run_script

FIRST_SECONDS = 1.0
"""Between two probes at most, until the service is healthy for the first time: a start waits."""

FIRST_FOR_SECONDS = 300.0
"""For so long: a service that does not come up is no reason to probe so often for ever."""

FIRST_SHARE = 0.5
"""The part of that time that probes may take: those of a heavy script leave the service room."""


class Health(enum.Enum):
    """What is known of the service."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


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


@dataclass(frozen=True)
class TcpCheck:
    """The service accepts a connection, and finishes a TLS handshake if asked to."""

    host: str
    port: int
    tls: bool
    timeout_seconds: float

    def __str__(self) -> str:
        """As an operator reads it."""
        return f"{'tls' if self.tls else 'tcp'} {_place(self.host, self.port)}"

    def probe(self, cancelled: Cancelled = never) -> Result:
        """Connect and close."""
        del cancelled
        try:
            reach(self.host, self.port, tls=_tls(self.tls), timeout_seconds=self.timeout_seconds)
        except NoAnswerError as error:
            return _failed(_place(self.host, self.port), error)
        return Result(True, f"{_place(self.host, self.port)}: connected")


@dataclass(frozen=True)
class HttpCheck:
    """The service answers GET with an expected status; a redirect is an answer, not followed."""

    host: str
    port: int
    path: str
    tls: bool
    expected_status: frozenset[int]
    timeout_seconds: float

    def __str__(self) -> str:
        """As an operator reads it."""
        scheme = "https" if self.tls else "http"
        return f"{scheme} {_place(self.host, self.port)}{self.path}"

    def probe(self, cancelled: Cancelled = never) -> Result:
        """Ask once. The body does not count; a little is read so that the service can finish."""
        del cancelled
        place = _place(self.host, self.port)
        try:
            answer = exchange(
                "GET",
                self.host,
                self.port,
                self.path,
                headers={"User-Agent": "slb-registration"},
                tls=_tls(self.tls),
                timeout_seconds=self.timeout_seconds,
                body_limit=16384,
            )
        except NoAnswerError as error:
            return _failed(place, error)
        if answer.status in self.expected_status:
            return Result(True, f"{place}: answered {answer.status}")
        expected = ", ".join(str(status) for status in sorted(self.expected_status))
        return Result(False, f"{place}: answered {answer.status}, expected {expected}")


@dataclass(frozen=True)
class ScriptCheck:
    """An executable file exits with 0."""

    path: str
    timeout_seconds: float

    def __str__(self) -> str:
        """As an operator reads it."""
        return f"script {self.path}"

    def probe(self, cancelled: Cancelled = never) -> Result:
        """Run it once, with everything that it started."""
        ok, detail = run_script(self.path, self.timeout_seconds, cancelled)
        return Result(ok, f"{self.path}: {detail}")


def checks_for(config: HealthCheck, ports: Sequence[int]) -> tuple[Check, ...]:
    """Return a check for each port, or for the configured one alone; none if there is no port."""
    if config.type == "none":
        return ()
    if config.type == "script":
        return (ScriptCheck(config.script or "", config.timeout_seconds),)
    chosen = [config.port] if config.port is not None else sorted(set(ports))
    return tuple(_network_check(config, port) for port in chosen)


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
        """What the last probe has shown, or why there is none, in a few words."""
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


def _network_check(config: HealthCheck, port: int) -> Check:
    timeout = config.timeout_seconds
    if config.type == "tcp":
        return TcpCheck(config.host, port, config.tls, timeout)
    return HttpCheck(config.host, port, config.path, config.tls, config.expected_status, timeout)


def _failed(place: str, error: NoAnswerError) -> Result:
    """Raises OSError where the service was not even asked."""
    if error.exhausted is not None:
        raise error.exhausted
    return Result(False, f"{place}: {error}")


def _tls(wanted: bool) -> ssl.SSLContext | None:
    """Return a context that takes any certificate.

    The service runs on this VM: there is nobody in between to impersonate it, and its certificate
    is for the name that the load balancer's clients use, not for 127.0.0.1. An expired one is not
    a reason to leave the rotation either, as SLB's own health check does not look at it.
    """
    if not wanted:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
