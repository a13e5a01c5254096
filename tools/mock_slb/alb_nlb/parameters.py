"""Parameters as ALB and NLB take them: flat lists (`Servers.1.ServerId`), tags, pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mock_slb.alb_nlb import errors
from mock_slb.alb_nlb.admission import normal_address
from mock_slb.alb_nlb.product import Product
from mock_slb.alb_nlb.resources import ECI, ECS, ENI, IP, GroupServer
from mock_slb.digits import whole_number
from mock_slb.resources import BackendKey

Params = Mapping[str, str]
T = TypeVar("T")

TYPES = (ECS, ENI, ECI, IP)
MAX_PAGE = 100
DEFAULT_PAGE = 20
# 2 to 256 letters, digits, Chinese characters and , . ; / @ _ -
DESCRIPTION = re.compile(r"[A-Za-z0-9\u4e00-\u9fff,.;/@_\-]{2,256}")
PAGE_TOKEN = re.compile(r"FFmyTO70tT([0-9a-f]{1,8})")


def required(product: Product, params: Params, name: str) -> str:
    """A parameter that must be there. Raises ApiError."""
    if not params.get(name):
        raise errors.missing(product, name)
    return params[name]


def flag(params: Params, name: str) -> bool:
    """A boolean; the SDKs send it as true, True or 1."""
    return params.get(name, "").lower() in {"true", "1"}


def listed(params: Params, name: str) -> list[str]:
    """`Name.1`, `Name.2` … in their order."""
    return [value for _, value in sorted(_numbered(params, name, r"").items())]


def tags(params: Params) -> dict[str, str | None]:
    """`Tag.N.Key` and `Tag.N.Value`; a key without a value is met by any."""
    return {
        key: params.get(f"Tag.{number}.Value")
        for number, key in sorted(_numbered(params, "Tag", r"\.Key").items())
    }


def passes_tags(wanted: Mapping[str, str | None], has: Mapping[str, str]) -> bool:
    """Whether every tag that is asked for is there."""
    return all(key in has and value in {None, has[key]} for key, value in wanted.items())


def servers(product: Product, params: Params, limit: int) -> list[GroupServer]:
    """The servers of an Add or Update call, in their order. Raises ApiError."""
    return [_server(product, entry) for entry in _entries(product, params, limit)]


def keys(product: Product, params: Params, limit: int) -> list[BackendKey]:
    """The servers of a Remove call: weight and description do not matter. Raises ApiError."""
    return [_server(product, entry).key for entry in _entries(product, params, limit)]


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
    size = whole_number(params.get("MaxResults", str(DEFAULT_PAGE)))
    if size is None or not 1 <= size <= MAX_PAGE:
        raise errors.illegal("MaxResults")
    token = params.get("NextToken")
    if not token:
        return Page(0, size, total)
    match = PAGE_TOKEN.fullmatch(token)
    if match is None:
        raise errors.illegal("NextToken")
    return Page(int(match[1], 16), size, total)


def _entries(product: Product, params: Params, limit: int) -> list[dict[str, str]]:
    entries: dict[int, dict[str, str]] = {}
    for name, value in params.items():
        match = re.fullmatch(r"Servers\.([1-9][0-9]{0,3})\.(\w+)", name)
        if match is not None:
            entries.setdefault(int(match[1]), {})[match[2]] = value
    if not entries:
        raise errors.missing(product, "Servers")
    if len(entries) > limit:
        raise errors.illegal("Servers")
    return [entry for _, entry in sorted(entries.items())]


def _server(product: Product, entry: Mapping[str, str]) -> GroupServer:
    for name in ("ServerId", "ServerType"):
        if not entry.get(name):
            raise errors.missing(product, name)
    if entry["ServerType"] not in TYPES:
        raise errors.illegal("ServerType")
    is_address = entry["ServerType"] == IP
    server_id = entry["ServerId"]
    return GroupServer(
        server_id=normal_address(product, server_id) if is_address else server_id,
        port=_port(product, entry),
        weight=_weight(entry),
        type=entry["ServerType"],
        server_ip=entry.get("ServerIp", ""),
        description=_description(entry),
    )


def _port(product: Product, entry: Mapping[str, str]) -> int:
    if "Port" not in entry and product.min_port > 0:
        raise errors.missing(product, "Port")
    port = whole_number(entry.get("Port", "0"))
    # NLB takes 0 for groups that forward any port, which this model does not have.
    if port is None or not 1 <= port <= 65535:
        raise errors.illegal("Port")
    return port


def _weight(entry: Mapping[str, str]) -> int:
    weight = whole_number(entry.get("Weight", "100"))
    if weight is None or not 0 <= weight <= 100:
        raise errors.illegal("Weight")
    return weight


def _description(entry: Mapping[str, str]) -> str:
    description = entry.get("Description", "")
    if description and not DESCRIPTION.fullmatch(description):
        raise errors.illegal("description")
    return description


def _numbered(params: Params, name: str, suffix: str) -> dict[int, str]:
    pattern = re.compile(rf"{re.escape(name)}\.([1-9][0-9]{{0,3}}){suffix}")
    matches = ((pattern.fullmatch(key), value) for key, value in params.items())
    return {int(match[1]): value for match, value in matches if match is not None}


def milliseconds(params: Params, name: str, default: float) -> float:
    """A moment in milliseconds since the epoch. Raises ApiError."""
    text = params.get(name)
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise errors.illegal(name)
    return float(text)
