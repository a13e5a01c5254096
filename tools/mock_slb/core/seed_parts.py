"""Parts of a seed that every product has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mock_slb.core.errors import ApiError
from mock_slb.core.fields import Fields, InputError
from mock_slb.core.resources import HealthCheck

T = TypeVar("T")


def health_check(fields: Fields, default: HealthCheck) -> HealthCheck:
    """A health check; what is not given is as in `default`. Raises InputError."""
    check = HealthCheck(
        type=fields.choice("type", ("tcp", "http"), default.type),
        interval_seconds=fields.number("interval", default.interval_seconds),
        timeout_seconds=fields.number("timeout", default.timeout_seconds),
        healthy_threshold=fields.whole(
            "healthy_threshold", default.healthy_threshold, low=1, high=10
        ),
        unhealthy_threshold=fields.whole(
            "unhealthy_threshold", default.unhealthy_threshold, low=1, high=10
        ),
        port=fields.optional_whole("port", low=1, high=65535),
        path=fields.text("path", default.path),
        domain=fields.optional_text("domain") or "",
        method=fields.choice("method", ("head", "get"), default.method),
        http_codes=fields.names("http_codes") or default.http_codes,
    )
    fields.done()
    return check


def at(where: str, make: Callable[[], T]) -> T:
    """Say what the model refuses with its place in the file."""
    try:
        return make()
    except (ValueError, ApiError) as error:
        raise InputError(f"{where}: {error}") from None
