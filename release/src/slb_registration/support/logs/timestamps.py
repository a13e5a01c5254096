"""Moments in UTC as they stand in logs, in the status and in answers of the API: RFC 3339."""

from __future__ import annotations

from datetime import datetime, timezone

_FORM = "%Y-%m-%dT%H:%M:%SZ"


def timestamp(seconds: float) -> str:
    """Write seconds since 1970, to the second."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime(_FORM)


def precise_timestamp(seconds: float) -> str:
    """Write seconds since 1970, to the millisecond."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_at(text: str) -> float:
    """Read what `timestamp` writes. Raises ValueError."""
    return datetime.strptime(text, _FORM).replace(tzinfo=timezone.utc).timestamp()
