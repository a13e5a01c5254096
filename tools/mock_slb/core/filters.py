"""Listings by their filters: a parameter that names a field of the entries must be met by it.

So every filter that the reference has is honoured, those that nobody thought of included. And the
one kind of paging that CLB and ECS have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mock_slb.contract import ARRAY, Contract, Parameter

T = TypeVar("T")
Params = Mapping[str, str]
View = dict[str, object]

MAX_TAG_KEY = 64
"""Characters; the reference's text for CLB, ALB and NLB."""
NO_FILTERS = frozenset(
    {
        "DistinctKey",
        "DryRun",
        "IncludeListener",
        "IncludeRule",
        "MaxResults",
        "NextToken",
        "PageNumber",
        "PageSize",
        "RegionId",
    }
)
"""What a listing takes beside its filters."""


@dataclass(frozen=True)
class Listing(Generic[T]):
    """One listing: how its entries are told, and which filters are not a field of their own."""

    contract: Contract
    view: Callable[[T], View]
    special: Mapping[str, Callable[[T], Collection[str]]] = field(default_factory=dict)
    """By parameter: the values that an entry has there, one of which must be asked for."""
    tags: Callable[[T], Mapping[str, str]] = lambda _: {}
    separated: frozenset[str] = frozenset()
    """Parameters that take several values with commas between them."""

    def passing(self, things: Iterable[T], params: Params) -> list[View]:
        """The views of those that pass every filter given."""
        filters = [
            (parameter, wanted)
            for name, parameter in self.contract.parameters.items()
            if name not in NO_FILTERS | {"Tag", "Tags"}
            and (wanted := self._wanted(parameter, params))
        ]
        wanted_tags = tags(params)
        return [
            view
            for thing, view in ((one, self.view(one)) for one in things)
            if all(self._has(thing, view, one) & wanted for one, wanted in filters)
            and (not wanted_tags or passes_tags(wanted_tags, self.tags(thing)))
        ]

    def _wanted(self, parameter: Parameter, params: Params) -> set[str]:
        if parameter.type == ARRAY:
            return set(listed(params, parameter.name))
        value = params.get(parameter.name)
        if not value:
            return set()
        return set(value.split(",")) if parameter.name in self.separated else {value}

    def _has(self, thing: T, view: Mapping[str, Any], parameter: Parameter) -> set[str]:
        if parameter.name in self.special:
            return set(self.special[parameter.name](thing))
        name = parameter.name
        value = view.get(name.removesuffix("s") if parameter.type == ARRAY else name)
        return set() if value is None else {str(value)}


def paged(
    contract: Contract, params: Params, found: Sequence[T]
) -> tuple[dict[str, object], Sequence[T]]:
    """The page that is asked for with PageNumber and PageSize, and what the answer says of it."""
    default = contract.parameters["PageSize"].default or ""
    page, size = int(params.get("PageNumber") or 1), int(params.get("PageSize") or default)
    fields: dict[str, object] = {"PageNumber": page, "PageSize": size, "TotalCount": len(found)}
    return fields, found[(page - 1) * size : page * size]


def listed(params: Params, name: str, field_name: str = "") -> list[str]:
    """`Name.1`, `Name.2` … (or `Name.1.Field` …) in their order."""
    suffix = f".{field_name}" if field_name else ""
    found: dict[int, str] = {}
    for key, value in params.items():
        if key.startswith(f"{name}.") and key.endswith(suffix):
            number = key[len(name) + 1 : len(key) - len(suffix)]
            if number.isascii() and number.isdigit() and len(number) < 6:
                found[int(number)] = value
    return [value for _, value in sorted(found.items())]


def tags(params: Params) -> dict[str, str | None]:
    """`Tag.N.Key` and `Tag.N.Value`; a key without a value is met by any."""
    return {
        value: params.get(f"{name.removesuffix('.Key')}.Value")
        for name, value in params.items()
        if name.startswith("Tag.") and name.endswith(".Key")
    }


def passes_tags(wanted: Mapping[str, str | None], has: Mapping[str, str]) -> bool:
    """Tell whether every tag that is asked for is there."""
    return all(key in has and value in {None, has[key]} for key, value in wanted.items())
