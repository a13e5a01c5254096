"""Repeated failures: which of them are told."""

from __future__ import annotations


def worth_telling(count: int) -> bool:
    """The 1st, 10th, 100th, …: repeats are counted, not listed."""
    return str(count).rstrip("0") == "1"
