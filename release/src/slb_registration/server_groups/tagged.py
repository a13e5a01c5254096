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

from slb_registration.cloud import Cloud
from slb_registration.server_groups.answers import checked_list, incomplete, objects
from slb_registration.server_groups.open import requests_of
from slb_registration.server_groups.product_requests import ProductRequests, listed

PAGE_SIZE = 100
"""The largest page that DescribeLoadBalancers gives."""

PAGES_AT_MOST = 1000
CLB_IDS_AT_ONCE = 10
"""The most ids that DescribeLoadBalancers takes."""

_CLB, _GROUPS = "DescribeLoadBalancers", "ListServerGroups"


@dataclass(frozen=True)
class Tagged:
    """A load balancer of CLB, or a server group of ALB or NLB, and where it is.

    `vpc_id` is empty where it is in none. `server_type` is what its servers must be.
    """

    product: str
    id: str
    name: str = ""
    vpc_id: str = ""
    server_type: str = "ecs"


class Listing(Protocol):
    """One product's. Both methods read all pages or raise ApiError: a part is no listing."""

    def tagged(self) -> tuple[Tagged, ...]:
        """What carries every one of the tags, by id."""
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
            item["LoadBalancerId"]: Tagged(
                "clb",
                str(item["LoadBalancerId"]),
                str(item.get("LoadBalancerName") or ""),
                str(item.get("VpcId") or ""),
            )
            for item in self._list("Tags", json.dumps(wanted))
        }
        return tuple(one for _, one in sorted(found.items()))

    def without_tags(self, ids: Iterable[str]) -> frozenset[str]:
        """Those of `ids` that are there, and do not carry every one of the tags."""
        wanted = sorted(ids)
        return frozenset(
            str(item["LoadBalancerId"])
            for start in range(0, len(wanted), CLB_IDS_AT_ONCE)
            for item in self._list(
                "LoadBalancerId", ",".join(wanted[start : start + CLB_IDS_AT_ONCE])
            )
            if not _carries(self._tags, _clb_tags(item)) and item["LoadBalancerId"] in wanted
        )

    def _list(self, name: str, value: str) -> Iterator[Mapping[str, Any]]:
        for page in range(1, PAGES_AT_MOST):
            request = DescribeLoadBalancersRequest()
            request.add_query_param(name, value)
            request.set_PageNumber(page)
            request.set_PageSize(PAGE_SIZE)
            items = objects(_CLB, self._cloud.call(request), "LoadBalancers", "LoadBalancer")
            yield from (item for item in items if item.get("LoadBalancerId"))
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
            item["ServerGroupId"]: Tagged(
                self._product,
                str(item["ServerGroupId"]),
                str(item.get("ServerGroupName") or ""),
                str(item.get("VpcId") or ""),
                "ip" if str(item.get("ServerGroupType") or "").lower() == "ip" else "ecs",
            )
            for item in self._list(lambda requests: requests.groups(tags=self._tags))
            # The filter is the API's: what does not carry the tags is none of ours all the same.
            if _carries(self._tags, _group_tags(item))
        }
        return tuple(one for _, one in sorted(found.items()))

    def without_tags(self, ids: Iterable[str]) -> frozenset[str]:
        """Those of `ids` that are there, and do not carry every one of the tags."""
        wanted = sorted(ids)
        return frozenset(
            str(item["ServerGroupId"])
            for item in self._list(lambda requests: requests.groups(wanted))
            if not _carries(self._tags, _group_tags(item)) and item["ServerGroupId"] in wanted
        )

    def _list(self, make: Callable[[ProductRequests], RpcRequest]) -> list[Mapping[str, Any]]:
        requests = self._requests = self._requests or requests_of(self._product)
        items = listed(self._cloud, lambda: make(requests), "ServerGroups")
        return [item for item in items if item.get("ServerGroupId")]


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
