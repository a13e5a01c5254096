"""Local checks as they are configured, and the time that one takes."""

from __future__ import annotations

import time

from slb_registration.model.configuration import HealthCheck
from slb_registration.probes.checker import Check, Result

SOON = 0.1
# How much longer than its timeout a probe may take on a machine that is busy.
SLACK = 1.0


def config(**options: object) -> HealthCheck:
    given = {
        "type": "tcp",
        "host": "127.0.0.1",
        "port": None,
        "path": "/",
        "tls": False,
        "expected_status": frozenset({200}),
        "script": None,
        "interval_seconds": 5.0,
        "timeout_seconds": 2.0,
        "healthy_threshold": 2,
        "unhealthy_threshold": 3,
        **options,
    }
    return HealthCheck(**given)  # type: ignore[arg-type]


def timed(check: Check) -> tuple[Result, float]:
    started = time.monotonic()
    return check.probe(), time.monotonic() - started
