"""Parameters as ALB and NLB take them: flat lists of servers (`Servers.1.ServerId`), pages.

Those that are plainly wrong, by the contract, do not get here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mock_slb.alb_nlb import errors
from mock_slb.alb_nlb.admission import normal_address
from mock_slb.alb_nlb.product import Product
from mock_slb.alb_nlb.resources import ECI, ECS, ENI, IP, GroupServer
from mock_slb.core.resources import BackendKey

Params = Mapping[str, str]
T = TypeVar("T")

TYPES = (ECS, ENI, ECI, IP)
DEFAULT_PAGE = 20
# 2 to 256 letters, digits, Chinese characters and , . ; / @ _ -
DESCRIPTION = re.compile(r"[A-Za-z0-9\u4e00-\u9fff,.;/@_\-]{2,256}")
PAGE_TOKEN = re.compile(r"FFmyTO70tT([0-9a-f]{1,8})")


def flag(params: Params, name: str) -> bool:
    """A boolean; the SDKs send it as true, True or 1."""
    return params.get(name, "").lower() in {"true", "1"}


def servers(product: Product, params: Params) -> list[GroupServer]:
    """The servers of an Add or Update call, in their order. Raises ApiError."""
    return [_server(product, entry) for entry in _entries(params)]


def keys(product: Product, params: Params) -> list[BackendKey]:
    """The servers of a Remove call: weight and description do not matter. Raises ApiError."""
    return [_server(product, entry).key for entry in _entries(params)]


@dataclass(frozen=True)
class Page:
    """Part of a listing, with what the answer says of it."""

    start: int
    size: int
    total: int

    def cut(self, things: Sequence[T]) -> Sequence[T]:
        """The things on this page."""
        return things[self.start : self.start + self.size]

    def fields(self) -> dict[str, object]:
        """MaxResults, TotalCount, and NextToken where there is more."""
        fields: dict[str, object] = {"MaxResults": self.size, "TotalCount": self.total}
        if self.start + self.size < self.total:
            fields["NextToken"] = f"FFmyTO70tT{self.start + self.size:x}"
        return fields


def page(params: Params, total: int) -> Page:
    """The page that is asked for with MaxResults and NextToken. Raises ApiError."""
    size = int(params.get("MaxResults") or DEFAULT_PAGE)
    token = params.get("NextToken")
    if not token:
        return Page(0, size, total)
    match = PAGE_TOKEN.fullmatch(token)
    if match is None:
        raise errors.illegal("NextToken")
    return Page(int(match[1], 16), size, total)


def _entries(params: Params) -> list[dict[str, str]]:
    entries: dict[int, dict[str, str]] = {}
    for name, value in params.items():
        match = re.fullmatch(r"Servers\.([1-9][0-9]{0,3})\.(\w+)", name)
        if match is not None:
            entries.setdefault(int(match[1]), {})[match[2]] = value
    return [entry for _, entry in sorted(entries.items())]


def _server(product: Product, entry: Mapping[str, str]) -> GroupServer:
    if entry["ServerType"] not in TYPES:
        raise errors.illegal("ServerType")
    is_address = entry["ServerType"] == IP
    server_id = entry["ServerId"]
    return GroupServer(
        server_id=normal_address(product, server_id) if is_address else server_id,
        port=int(entry.get("Port") or 0),
        weight=int(entry.get("Weight") or 100),
        type=entry["ServerType"],
        server_ip=entry.get("ServerIp", ""),
        description=_description(entry),
    )


def _description(entry: Mapping[str, str]) -> str:
    description = entry.get("Description", "")
    if description and not DESCRIPTION.fullmatch(description):
        raise errors.illegal("description")
    return description


def milliseconds(params: Params, name: str, default: float) -> float:
    """A moment in milliseconds since the epoch."""
    return float(params.get(name) or default)
