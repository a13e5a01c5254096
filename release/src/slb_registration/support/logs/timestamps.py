"""Moments as they stand in logs and in the status."""

from __future__ import annotations

from datetime import datetime, timezone


def timestamp(seconds: float) -> str:
    """RFC 3339, UTC, of seconds since 1970."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
