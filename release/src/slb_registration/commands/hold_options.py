"""For how long a VM is to be held, and why, as an operator says it on the command line."""

from __future__ import annotations

import argparse
import re

from slb_registration.instance.markers import REASON_LONGEST

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LENGTH = re.compile(r"([0-9]{1,9})([smhd])")
_LONGEST_SECONDS = 365 * _UNITS["d"]


def length(text: str) -> int:
    """Seconds, 1 to a year; raises ArgumentTypeError."""
    found = _LENGTH.fullmatch(text)
    seconds = 0 if found is None else int(found[1]) * _UNITS[found[2]]
    if not 1 <= seconds <= _LONGEST_SECONDS:
        raise argparse.ArgumentTypeError(
            f"{text[:40]!a} is no length of time: give one whole number and its unit, s, m, h or d "
            "(90m, 2h), from 1s to 365d; without --for a hold lasts until `resume`"
        )
    return seconds


def reason(text: str) -> str:
    """The text, where it may stand in logs and on a terminal; raises ArgumentTypeError."""
    if not text.strip() or len(text) > REASON_LONGEST or not text.isprintable():
        raise argparse.ArgumentTypeError(
            f"must have 1 to {REASON_LONGEST} characters, all of them printable: no line breaks, "
            f"tabs or other control characters (it has {len(text)})"
        )
    return text
