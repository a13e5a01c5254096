"""Writes YAML, byte for byte, as the BOSH CLI does: lists are not indented, lines fold at 80."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from bosh_release.yaml.folding import Lines, write_double, write_literal, write_plain, write_single
from bosh_release.yaml.key_order import in_order
from bosh_release.yaml.scalar_style import DOUBLE, LITERAL, PLAIN, SINGLE, has_breaks, style_of
from bosh_release.yaml.values import scalar_of

_LONGEST_KEY = 128  # bytes; a longer one is written behind `? `
_BASE64_LINE = 70
_BINARY = "!!binary"
_WRITERS = {PLAIN: write_plain, SINGLE: write_single, DOUBLE: write_double, LITERAL: write_literal}

Order = Callable[[dict[Any, Any]], Iterable[Any]]


def write_yaml(value: object) -> bytes:
    """Return `value` (dicts, lists, scalars) as a YAML document in UTF-8, maps in their order."""
    return _written(value, lambda entries: entries)


def write_interpolated(value: object) -> bytes:
    """Return `value` as `bosh interpolate` and `bosh deploy` write it: with the keys in order."""
    return _written(value, in_order)


def _written(value: object, order: Order) -> bytes:
    lines = Lines()
    _Writer(lines, order).node(value, -1)
    lines.indent(0)
    return lines.text().encode()


class _Writer:
    def __init__(self, lines: Lines, order: Order) -> None:
        self._lines = lines
        self._order = order

    def node(self, value: object, indent: int, *, of_map: bool = False) -> None:
        """Write a value that stands in a collection with this indent, -1 for the document."""
        if isinstance(value, dict) and value:
            self._map(value, _deeper(indent))
        elif isinstance(value, list) and value:
            beside_key = of_map and not self._lines.only_indent
            self._list(value, indent if beside_key else _deeper(indent))
        elif isinstance(value, (dict, list)):
            self._lines.indicator("{}" if isinstance(value, dict) else "[]")
        else:
            self._scalar(value, indent)

    def _map(self, entries: dict[Any, Any], indent: int) -> None:
        for key in self._order(entries):
            self._lines.indent(indent)
            self._key(scalar_of(key), indent)
            self.node(entries[key], indent, of_map=True)

    def _key(self, key: object, indent: int) -> None:
        tag, text = _tag_and_text(key)
        length = len((tag + text).encode(errors="surrogateescape"))
        if length <= _LONGEST_KEY and not (isinstance(key, str) and has_breaks(text)):
            self._scalar(key, indent, is_key=True)
            self._lines.indicator(":", apart=False)
        else:
            self._lines.indicator("?", keeps_indent=True)
            self._scalar(key, indent)
            self._lines.indent(indent)
            self._lines.indicator(":", keeps_indent=True)

    def _list(self, items: list[Any], indent: int) -> None:
        for item in items:
            self._lines.indent(indent)
            self._lines.indicator("-", keeps_indent=True)
            self.node(item, indent)

    def _scalar(self, value: object, indent: int, *, is_key: bool = False) -> None:
        tag, text = _tag_and_text(value)
        if tag:
            self._lines.indicator(tag)
        plain = PLAIN if not isinstance(value, str) else None
        style = plain or style_of(text, is_key=is_key, is_binary=bool(tag))
        _WRITERS[style](self._lines, text, max(indent, 0) + 2, may_fold=not is_key)


def _deeper(indent: int) -> int:
    return 0 if indent < 0 else indent + 2


def _tag_and_text(value: object) -> tuple[str, str]:
    if not isinstance(value, str):
        return "", _plain(value)
    try:
        value.encode()
    except UnicodeEncodeError:  # not UTF-8: the name of a file, or from a !!binary
        return _BINARY, _packed(value.encode(errors="surrogateescape"))
    return "", value


def _packed(data: bytes) -> str:
    text = base64.b64encode(data).decode()
    if len(text) < _BASE64_LINE:
        return text
    return "".join(f"{text[at : at + _BASE64_LINE]}\n" for at in range(0, len(text), _BASE64_LINE))


def _plain(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    raise TypeError(f"no way to write a {type(value).__name__} as YAML")


def _float(value: float) -> str:
    """Write the shortest digits that mean the value, as Go's %g: with an exponent from 1e+06 on."""
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    number = Decimal(repr(value)).normalize()
    sign, digits, shift = number.as_tuple()
    exponent = len(digits) + int(shift) - 1
    if -4 <= exponent < 6 or not value:
        return f"{number:f}"
    first, *rest = (str(digit) for digit in digits)
    mantissa = ".".join(part for part in (first, "".join(rest)) if part)
    return f"{'-' * sign}{mantissa}e{exponent:+03d}"
