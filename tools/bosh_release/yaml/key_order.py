"""The order in which the BOSH CLI writes the keys of a map: numbers first, then texts.

Texts are in the order of their characters, but digits count as numbers (`a2` before `a10`) and
stand, as all that is no letter, before letters. The rules are those of go-yaml v2.
"""

from __future__ import annotations

import functools
from typing import Any

from bosh_release.yaml.values import scalar_of

_BITS = 64


def in_order(entries: dict[Any, Any]) -> list[Any]:
    """Return the keys of a map in the order in which they are written."""
    return sorted(entries, key=functools.cmp_to_key(_compare))


def _compare(one: Any, other: Any) -> int:
    first, second = scalar_of(one), scalar_of(other)
    if isinstance(first, str) and isinstance(second, str):
        return -1 if _is_before(first, second) else 1
    ranks = _rank(first), _rank(second)
    return -1 if ranks[0] < ranks[1] else 1


def _rank(value: Any) -> tuple[int, float, int]:
    """Order numbers and booleans by value, null behind them, texts behind it."""
    if isinstance(value, str):
        return 2, 0.0, 0
    if value is None:
        return 1, 0.0, 0
    kind = 0 if isinstance(value, bool) else 3 if isinstance(value, float) else 1
    return 0, float(value), kind + (kind == 1 and value >= 2 ** (_BITS - 1))


def _is_before(one: str, other: str) -> bool:
    for position, (first, second) in enumerate(zip(one, other, strict=False)):
        if first != second:
            return _differ_at(one, other, position)
    return len(one) < len(other)


def _differ_at(one: str, other: str, position: int) -> bool:
    first, second = one[position], other[position]
    if first.isalpha() and second.isalpha():
        return first < second
    if first.isalpha() or second.isalpha():
        return second.isalpha()
    # a 0 that differs continues a number, unless nothing but zeros stand before it
    start = 1 if "0" in (first, second) and _continues_number(one, position) else 0
    numbers = _number_at(one, position, start), _number_at(other, position, start)
    if numbers[0] != numbers[1]:
        return numbers[0] < numbers[1]
    return first < second


def _continues_number(text: str, position: int) -> bool:
    for character in reversed(text[:position]):
        if not character.isdecimal():
            return False
        if character != "0":
            return True
    return False


def _number_at(text: str, position: int, start: int) -> tuple[int, int]:
    """Return the number that begins at a position and where it ends, in 64 bits as in Go."""
    number, end = start, position
    while end < len(text) and text[end].isdecimal():
        number = number * 10 + ord(text[end]) - ord("0")
        end += 1
    half = 2 ** (_BITS - 1)
    return (number + half) % (2 * half) - half, end
