"""The meaning of a YAML scalar to the BOSH CLI: its library (go-yaml v2) has its own rules.

It knows only part of YAML 1.1: `y` and `on` are booleans, `1:30` is text, `2026-11-23` a date.
"""

from __future__ import annotations

import math
import re
from datetime import date

Scalar = str | bool | int | float | None

BOOLEANS = {
    word: value
    for value, words in ((True, ("y", "yes", "true", "on")), (False, ("n", "no", "false", "off")))
    for plain in words
    for word in (plain, plain.capitalize(), plain.upper())
}
NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_INFINITIES = {
    sign + name: math.copysign(math.inf, -1.0 if sign == "-" else 1.0)
    for name in (".inf", ".Inf", ".INF")
    for sign in ("", "+", "-")
}
_NOT_A_NUMBER = frozenset((".nan", ".NaN", ".NAN"))
# Scalars with any other tag are text, whatever they look like.
_RESOLVED = frozenset(("!!bool", "!!int", "!!float", "!!null", "!!timestamp"))
BASE64 = re.compile(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
"""What Go decodes; Python's own decoder is less strict, and on 3.10 less than later."""

# 64 bits in binary have 64, and a sign and a prefix; Python refuses to convert thousands.
_MOST_DIGITS = 100

_INTEGER = re.compile(r"[-+]?(0[bB][01]+|0[oO]?[0-7]+|0[xX][0-9a-fA-F]+|[1-9][0-9]*|0)")
_SIGN_INSIDE = re.compile(r"0b([-+][01]+)")  # Go reads what stands behind 0b as a number of its own
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_FRACTION = re.compile(r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+(_[0-9]+)*)?")
_BASE60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_TIME = re.compile(
    r"([Tt]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})([.,][0-9]+)?(Z|[-+]([0-9]{2}):([0-9]{2}))"
    r"| +([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})([.,][0-9]+)?)?"
)


def tag_of(plain: str) -> str:
    """Return the short tag (`!!int`, `!!str`, …) that a scalar without quotes resolves to."""
    return resolve(plain)[0]


def resolve(text: str, tag: str = "") -> tuple[str, Scalar]:
    """Return the short tag and the value of a scalar without quotes, or with a tag written to it.

    Text of any other tag than those of YAML itself keeps it and is left as it stands; `!!binary`
    is for the caller to decode. Raises ValueError where the text cannot have the tag.
    """
    if tag and tag not in _RESOLVED:
        return tag, text
    found, value = _resolve_plain(text, may_be_time=tag in ("", "!!timestamp"))
    if tag in ("", found):
        return found, value
    if tag == "!!float" and found == "!!int" and isinstance(value, int) and value < 2**63:
        return tag, float(value)
    raise ValueError(f"not a value for {tag}")


def needs_quotes(text: str) -> bool:
    """Tell whether `text`, written without quotes, would be read back as something else."""
    return tag_of(text) != "!!str" or _BASE60.fullmatch(text) is not None


def _resolve_plain(text: str, *, may_be_time: bool) -> tuple[str, Scalar]:
    if text in NULLS:
        return "!!null", None
    if text in BOOLEANS:
        return "!!bool", BOOLEANS[text]
    if text in _INFINITIES:
        return "!!float", _INFINITIES[text]
    if text in _NOT_A_NUMBER:
        return "!!float", math.nan
    if text[0] == ".":
        return _resolve_float(text, text.replace("_", "") if _FRACTION.fullmatch(text) else "")
    if text[0] not in "+-0123456789":
        return "!!str", text
    if may_be_time and _is_timestamp(text):
        return "!!timestamp", text
    return _resolve_number(text)


def _resolve_number(text: str) -> tuple[str, Scalar]:
    digits = text.replace("_", "")
    if _INTEGER.fullmatch(digits) and len(digits) <= _MOST_DIGITS:
        number = int(_pythonic(digits), 0)
        if -(2**63) <= number < 2 ** (63 if digits[0] == "+" else 64):
            return "!!int", number
    signed = _SIGN_INSIDE.fullmatch(digits)
    if signed and len(digits) <= _MOST_DIGITS and -(2**63) <= int(signed[1], 2) < 2**63:
        return "!!int", int(signed[1], 2)
    return _resolve_float(text, digits)


def _resolve_float(text: str, digits: str) -> tuple[str, Scalar]:
    """Return a number; one too large for 64 bits, as a commit's hash 1e99999 is, stays text."""
    if _FLOAT.fullmatch(digits) and math.isfinite(float(digits)):
        return "!!float", float(digits)
    return "!!str", text


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
        # Go knows a year 0, which was a leap year
        date(int(day[1]) or 400, int(day[2]), int(day[3]))
    except ValueError:
        return False
    clock = [int(part) for part in rest.group(2, 3, 4, 9, 10, 11) if part is not None]
    zone = [int(part) for part in rest.group(7, 8) if part is not None]
    return all(part < limit for part, limit in zip(clock, (24, 60, 60), strict=False)) and all(
        part <= limit for part, limit in zip(zone, (24, 60), strict=False)
    )
