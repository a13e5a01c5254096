"""The API reference's word on each action: parameters, answers, error codes. See README.md."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mock_slb.contract.exceptions import BOUNDS, NEEDED

STRING, INTEGER, BOOLEAN, ARRAY = "string", "integer", "boolean", "array"
_FOLDER = Path(__file__).parent
# A field of a list's element is told in one text: "integer 1..65535 required".
_FIELD = re.compile(r"(?P<type>\w+)(?: (?P<low>\d+)\.\.(?P<high>\d+))?(?P<required> required)?")


@dataclass(frozen=True)
class Parameter:
    """A parameter of an action, or a field of one element of a list."""

    name: str
    type: str
    required: bool = False
    low: int | None = None
    """Of a number; None: not told."""
    high: int | None = None
    most: int | None = None
    """Elements of a list; None: not told."""
    choices: tuple[str, ...] = ()
    default: str | None = None
    fields: tuple[Parameter, ...] = ()
    """Of an element of a list; empty where the elements are plain."""


@dataclass(frozen=True)
class Documented:
    """An error that an action is documented to answer with."""

    code: str
    status: int
    passing: bool


@dataclass(frozen=True)
class Contract:
    """One action."""

    product: str
    action: str
    parameters: Mapping[str, Parameter]
    response: Mapping[str, Any]
    """Names and types; a list of one element stands for a list of such."""
    errors: tuple[Documented, ...]
    gone: frozenset[str] = frozenset()
    """Parameters that were no longer there by 2026."""

    @property
    def codes(self) -> frozenset[str]:
        """The codes of its documented errors."""
        return frozenset(error.code for error in self.errors)


@functools.cache
def contracts(product: str) -> Mapping[str, Contract]:
    """All of one product, by action."""
    told = {**_read(product), **_read("besides").get(product, {})}
    return {action: _contract(product, action, entry) for action, entry in told.items()}


@functools.cache
def action_names(product: str) -> frozenset[str]:
    """Every action that the product's API has, in the mocked cloud or not."""
    return frozenset(_read("actions")[product])


def documented_status(products: Iterable[str], pattern: str, code: str) -> int | None:
    """The HTTP status that these products document for a code of an action; None for none.

    `pattern` stands for one action or several: the first of them with that code counts.
    """
    for product in products:
        for action, contract in contracts(product).items():
            if fnmatchcase(action, pattern):
                for error in contract.errors:
                    if error.code == code:
                        return error.status
    return None


def _read(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return read


def _contract(product: str, action: str, entry: Mapping[str, Any]) -> Contract:
    parameters = {
        name: _parameter(product, action, name, of) for name, of in entry["parameters"].items()
    }
    errors = tuple(
        Documented(code, status, "passing" in rest) for status, code, *rest in entry["errors"]
    )
    gone = frozenset(entry.get("gone_by_2026", ()))
    return Contract(product, action, parameters, entry["response"], errors, gone)


def _parameter(product: str, action: str, name: str, of: Mapping[str, Any]) -> Parameter:
    low, high = of.get("minimum"), of.get("maximum")
    if of["type"] == INTEGER:
        # Of a text, such as BackendServers, the words are about a number inside it.
        low, high = of.get("described_range", (low, high))
    if (bounds := BOUNDS.get((product, action, name))) is not None:
        low, high = bounds.low, bounds.high
    items = of.get("items", STRING)
    fields = () if isinstance(items, str) else _fields(product, action, name, items)
    return Parameter(
        name,
        of["type"],
        required=bool(of.get("required")) or (product, action, name) in NEEDED,
        low=None if low is None else int(low),
        high=None if high is None else int(high),
        most=of.get("maxItems"),
        choices=tuple(of.get("enum", ())),
        default=of.get("default"),
        fields=fields,
    )


def _fields(
    product: str, action: str, name: str, items: Mapping[str, str]
) -> tuple[Parameter, ...]:
    fields = []
    for field, text in items.items():
        match = _FIELD.fullmatch(text)
        if match is None:
            raise ValueError(f"{product}.{action}: {name}.{field}: {text!r} is not understood")
        needed = (product, action, f"{name}.{field}") in NEEDED
        low, high = match["low"], match["high"]
        if (bounds := BOUNDS.get((product, action, f"{name}.{field}"))) is not None:
            low, high = str(bounds.low), str(bounds.high)
        fields.append(
            Parameter(
                field,
                match["type"],
                required=needed or match["required"] is not None,
                low=None if low is None else int(low),
                high=None if high is None else int(high),
            )
        )
    return tuple(fields)
