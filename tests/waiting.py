"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

DEADLINE_SECONDS = 60.0
POLL_SECONDS = 0.02
T = TypeVar("T")


def eventually(what: Callable[[], T], *, within: float = DEADLINE_SECONDS) -> T:
    """What `what` gives once that is true; the deadline is for a machine that is busy."""
    ends = time.monotonic() + within
    while not (found := what()):
        assert time.monotonic() < ends, f"not within {within:g} s"
        time.sleep(POLL_SECONDS)
    return found
