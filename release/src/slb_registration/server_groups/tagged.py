"""Finding load balancers and server groups by their tags, for all products.

Of CLB it is load balancers that are found, of ALB and NLB server groups: theirs belong to no load
balancer in particular.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aliyunsdkcore.request import RpcRequest
from aliyunsdkslb.request.v20140515.DescribeLoadBalancersRequest import (
    DescribeLoadBalancersRequest,
)

from slb_registration.cloud.client import Cloud
from slb_registration.server_groups.answers import checked_list, incomplete, objects, text
from slb_registration.server_groups.open import requests_of
from slb_registration.server_groups.product_requests import (
    GROUP_IDS_AT_ONCE,
    ProductRequests,
    listed,
)

PAGE_SIZE = 100
"""The largest page that DescribeLoadBalancers gives."""

PAGES_AT_MOST = 100
CLB_IDS_AT_ONCE = 10
"""The most ids that DescribeLoadBalancers takes."""

Named = tuple[str, Mapping[str, Any]]
"""An id, and all that is said of what has it."""

_CLB, _GROUPS = "DescribeLoadBalancers", "ListServerGroups"


@dataclass(frozen=True)
class Tagged:
    """A load balancer of CLB, or a server group of ALB or NLB, and where it is.

    `vpc_id` is empty where it is in none. `server_type` is what its servers must be. `any_port`:
    it forwards all ports. `functions`: what it holds are functions.
    """

    product: str
    id: str
    name: str = ""
    vpc_id: str = ""
    server_type: str = "ecs"
    any_port: bool = False
    functions: bool = False


class Listing(Protocol):
    """One product's. Both methods read all pages or raise ApiError: a part is no listing."""

    def tagged(self) -> tuple[Tagged, ...]:
        """Return what carries every one of the tags, by id."""
        ...

    def without_tags(self, ids: Iterable[str]) -> frozenset[str]:
        """Those of `ids` that are there, and do not carry every one of the tags."""
        ...


def listings(
    cloud: Cloud, products: Sequence[str], tags: Mapping[str, str]
) -> Mapping[str, Listing]:
    """The listing of each product. Makes no call."""
    return {
        one: ClbListing(cloud, tags) if one == "clb" else GroupListing(cloud, one, tags)
        for one in products
    }


class ClbListing:
    """Load balancers of CLB."""

    def __init__(self, cloud: Cloud, tags: Mapping[str, str]) -> None:
        self._cloud = cloud
        self._tags = tags

    def tagged(self) -> tuple[Tagged, ...]:
        """The load balancers of the region that carry every one of the tags, by id."""
        wanted = [{"TagKey": key, "TagValue": value} for key, value in sorted(self._tags.items())]
        found = {
            id_: _load_balancer(id_, item) for id_, item in self._list("Tags", json.dumps(wanted))
        }
        return tuple(one for _, one in sorted(found.items()))

    def without_tags(self, ids: Iterable[str]) -> frozenset[str]:
        """Those of `ids` that are there, and do not carry every one of the tags."""
        wanted = sorted(ids)
        return frozenset(
            id_
            for start in range(0, len(wanted), CLB_IDS_AT_ONCE)
            for id_, item in self._list(
                "LoadBalancerId", ",".join(wanted[start : start + CLB_IDS_AT_ONCE])
            )
            if not _carries(self._tags, _clb_tags(item)) and id_ in wanted
        )

    def _list(self, name: str, value: str) -> Iterator[Named]:
        for page in range(1, PAGES_AT_MOST):
            request = DescribeLoadBalancersRequest()
            request.add_query_param(name, value)
            request.set_PageNumber(page)
            request.set_PageSize(PAGE_SIZE)
            items = objects(_CLB, self._cloud.call(request), "LoadBalancers", "LoadBalancer")
            yield from _named(_CLB, "LoadBalancerId", items)
            if len(items) < PAGE_SIZE:
                return
        raise incomplete(_CLB, "an end")


class GroupListing:
    """Server groups of ALB or NLB."""

    def __init__(self, cloud: Cloud, product: str, tags: Mapping[str, str]) -> None:
        self._cloud = cloud
        self._product = product
        self._tags = tags
        self._requests: ProductRequests | None = None

    def tagged(self) -> tuple[Tagged, ...]:
        """The server groups of the region that carry every one of the tags, by id."""
        found = {
            id_: _server_group(self._product, id_, item)
            for id_, item in self._list(lambda requests: requests.groups(tags=self._tags))
            # The filter is the API's: what does not carry the tags is none of ours all the same.
            if _carries(self._tags, _group_tags(item))
        }
        return tuple(one for _, one in sorted(found.items()))

    def without_tags(self, ids: Iterable[str]) -> frozenset[str]:
        """Those of `ids` that are there, and do not carry every one of the tags."""
        wanted = sorted(ids)
        parts = (
            wanted[start : start + GROUP_IDS_AT_ONCE]
            for start in range(0, len(wanted), GROUP_IDS_AT_ONCE)
        )
        return frozenset(
            id_
            for part in parts
            for id_, item in self._named(part)
            if not _carries(self._tags, _group_tags(item)) and id_ in wanted
        )

    def _named(self, ids: Sequence[str]) -> Iterator[Named]:
        return self._list(lambda requests: requests.groups(ids))

    def _list(self, make: Callable[[ProductRequests], RpcRequest]) -> Iterator[Named]:
        requests = self._requests = self._requests or requests_of(self._product)
        items = listed(self._cloud, lambda: make(requests), "ServerGroups")
        return _named(_GROUPS, "ServerGroupId", items)


def _load_balancer(id_: str, item: Mapping[str, Any]) -> Tagged:
    name, vpc_id = _texts(_CLB, item, "LoadBalancerName", "VpcId")
    return Tagged("clb", id_, name, vpc_id)


def _server_group(product: str, id_: str, item: Mapping[str, Any]) -> Tagged:
    name, vpc_id, type_ = _texts(_GROUPS, item, "ServerGroupName", "VpcId", "ServerGroupType")
    return Tagged(
        product,
        id_,
        name,
        vpc_id,
        server_type="ip" if type_.lower() == "ip" else "ecs",
        any_port=str(item.get("AnyPortEnabled")).lower() == "true",
        functions=type_.lower() == "fc",
    )


def _named(action: str, name: str, items: Iterable[Mapping[str, Any]]) -> Iterator[Named]:
    """Those that have an id, with it."""
    for item in items:
        (id_,) = _texts(action, item, name)
        if id_:
            yield id_, item


def _texts(action: str, item: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    try:
        return tuple(text(item.get(name)) for name in names)
    except TypeError:
        raise incomplete(action, f"a usable {' or '.join(names)}") from None


def _clb_tags(item: Mapping[str, Any]) -> Mapping[str, str]:
    held = item.get("Tags")
    tags = held.get("Tag") or [] if isinstance(held, dict) else []
    return {
        str(tag.get("TagKey")): str(tag.get("TagValue")) for tag in checked_list(_CLB, "Tags", tags)
    }


def _group_tags(item: Mapping[str, Any]) -> Mapping[str, str]:
    tags = checked_list(_GROUPS, "Tags", item.get("Tags") or [])
    return {str(tag.get("Key")): str(tag.get("Value")) for tag in tags}


def _carries(wanted: Mapping[str, str], tags: Mapping[str, str]) -> bool:
    return all(tags.get(key) == value for key, value in wanted.items())
