"""Moments as the APIs and the metadata service write them."""

from __future__ import annotations

import time


def utc(seconds: float) -> str:
    """Write seconds since 1970 as RFC 3339 does, in UTC and to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
