"""Probes of the co-located service: over TCP, HTTP or by a script."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from slb_registration.model.configuration import HealthCheck
from slb_registration.probes.checker import Cancelled, Check, Result, never
from slb_registration.probes.script import run_script
from slb_registration.support.net.bounded_http import NoAnswerError, exchange, reach


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
