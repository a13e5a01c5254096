"""What a plain YAML scalar means to the BOSH CLI: its library (go-yaml v2) has its own rules.

It knows only part of YAML 1.1: `y` and `on` are booleans, `1:30` is text, `2026-11-23` a date.
"""

from __future__ import annotations

import math
import re
from datetime import date

BOOLEANS = {
    word: value
    for value, words in ((True, ("y", "yes", "true", "on")), (False, ("n", "no", "false", "off")))
    for plain in words
    for word in (plain, plain.capitalize(), plain.upper())
}
NULLS = frozenset(("", "~", "null", "Null", "NULL"))
FLOAT_NAMES = frozenset(
    sign + name
    for name in (".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN")
    for sign in ("", "+", "-")
    if not (sign and name.lower() == ".nan")
)

# 64 bits in binary have 64, and a sign and a prefix; Python refuses to convert thousands.
_MOST_DIGITS = 100

_INTEGER = re.compile(r"[-+]?(0[bB][01]+|0[oO]?[0-7]+|0[xX][0-9a-fA-F]+|[1-9][0-9]*|0)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BASE60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_TIME = re.compile(
    r"([Tt]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})([.,][0-9]+)?(Z|[-+]([0-9]{2}):([0-9]{2}))"
    r"| ([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})([.,][0-9]+)?)?"
)


def tag_of(plain: str) -> str:
    """Return the short tag (`!!int`, `!!str`, …) that a scalar without quotes resolves to."""
    if plain in NULLS:
        return "!!null"
    if plain in BOOLEANS:
        return "!!bool"
    if plain in FLOAT_NAMES:
        return "!!float"
    if plain == "<<":
        return "!!merge"
    return _tag_of_number(plain) if plain[0] in "+-.0123456789" else "!!str"


def needs_quotes(text: str) -> bool:
    """Whether `text`, written without quotes, would be read back as something else."""
    return tag_of(text) not in ("!!str", "!!merge") or _BASE60.fullmatch(text) is not None


def _tag_of_number(plain: str) -> str:
    if plain[0] == ".":
        return "!!float" if _is_float(plain) else "!!str"
    if _is_timestamp(plain):
        return "!!timestamp"
    digits = plain.replace("_", "")
    if _INTEGER.fullmatch(digits):
        # beyond 64 bits only a decimal number is still a number, a float
        small = len(digits) <= _MOST_DIGITS and -(2**63) <= int(_pythonic(digits), 0) < 2**64
        return "!!int" if small else "!!float" if _is_float(digits) else "!!str"
    return "!!float" if _is_float(digits) else "!!str"


def _is_float(digits: str) -> bool:
    """What is too large for 64 bits, as a commit's hash 1e99999 is, stays text."""
    return _FLOAT.fullmatch(digits) is not None and math.isfinite(float(digits))


def _pythonic(digits: str) -> str:
    """Python writes octal `0o17`; Go also takes `017`."""
    sign, number = (digits[0], digits[1:]) if digits[0] in "+-" else ("", digits)
    octal = re.fullmatch(r"0([0-7]+)", number)
    return sign + (f"0o{octal[1]}" if octal else number)


def _is_timestamp(plain: str) -> bool:
    day = _DATE.match(plain)
    if day is None:
        return False
    rest = _TIME.fullmatch(plain, day.end())
    if rest is None:
        return False
    try:
        date(int(day[1]), int(day[2]), int(day[3]))
    except ValueError:
        return False
    clock = [int(part) for part in rest.group(2, 3, 4, 9, 10, 11) if part is not None]
    return all(part < limit for part, limit in zip(clock, (24, 60, 60), strict=False))
