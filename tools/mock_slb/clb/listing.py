"""CLB's two listings, with their filters and their two kinds of paging."""

from __future__ import annotations

from collections.abc import Mapping

from mock_slb.clb import errors, views
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.clb.fleet import Fleet
from mock_slb.clb.resources import Backend, Listener
from mock_slb.contract import contracts
from mock_slb.core.digits import whole_number
from mock_slb.core.documents import list_or_none
from mock_slb.core.errors import ApiError
from mock_slb.core.filters import MAX_TAG_KEY, Listing, paged, passes_tags, tags

MAX_TAGS = 20
DEFAULT_MAX_RESULTS = 20

Params = Mapping[str, str]


def describe_load_balancers(fleet: Fleet, params: Params) -> dict[str, object]:
    """DescribeLoadBalancers: the CLB instances of a region that pass every filter given."""
    if "PageSize" in params and "PageNumber" not in params:
        raise errors.parameters_in_conflict()
    wanted_tags = json_tags(params)
    listing: Listing[LoadBalancer] = Listing(
        contracts("slb")["DescribeLoadBalancers"],
        views.load_balancer,
        special={
            "ServerId": lambda one: {backend.server_id for backend in _backends(one)},
            "ServerIntranetAddress": lambda one: {backend.server_ip for backend in _backends(one)},
        },
        tags=LoadBalancer.tags_seen,
        separated=frozenset({"LoadBalancerId", "LoadBalancerName"}),
    )
    balancers = (
        balancer
        for balancer in fleet.load_balancers.values()
        if balancer.region == params["RegionId"]
        and fleet.account.sees(balancer.created_at)
        and passes_tags(wanted_tags, balancer.tags_seen())
    )
    fields, found = paged(listing.contract, params, listing.passing(balancers, params))
    return {**fields, "LoadBalancers": {"LoadBalancer": found}}


def describe_listeners(fleet: Fleet, params: Params) -> dict[str, object]:
    """DescribeLoadBalancerListeners: listeners of several CLB instances; pages by NextToken."""
    size = int(params.get("MaxResults") or DEFAULT_MAX_RESULTS)
    start = whole_number(params.get("NextToken") or "0")
    if start is None:
        raise ApiError("IllegalParam.NextToken", "The specified NextToken is not valid.")
    listing: Listing[tuple[LoadBalancer, Listener]] = Listing(
        contracts("slb")["DescribeLoadBalancerListeners"], lambda one: views.listener(*one)
    )
    region = params.get("RegionId", fleet.account.region)
    listeners = (
        (balancer, listener)
        for balancer in fleet.load_balancers.values()
        if balancer.region == region
        for listener in balancer.listeners.values()
    )
    found = listing.passing(listeners, params)
    answer: dict[str, object] = {
        "MaxResults": size,
        "TotalCount": len(found),
        "Listeners": found[start : start + size],
    }
    if start + size < len(found):
        answer["NextToken"] = str(start + size)
    return answer


def json_tags(params: Params) -> dict[str, str | None]:
    """Tags, the older way to ask for them: a JSON list of TagKey and TagValue. Raises ApiError."""
    entries = list_or_none(params.get("Tags") or "[]")
    if entries is None:
        raise errors.invalid_parameter()
    try:
        wanted: dict[str, str | None] = {
            entry["TagKey"]: entry.get("TagValue") for entry in entries
        }
    except (TypeError, KeyError, AttributeError):
        raise errors.invalid_parameter() from None
    too_long = [key for key in wanted if len(str(key)) > MAX_TAG_KEY]
    if len(wanted) + len(tags(params)) > MAX_TAGS or too_long:
        raise errors.invalid_parameter()
    return wanted


def _backends(balancer: LoadBalancer) -> list[Backend]:
    groups = [
        balancer.default_group,
        *balancer.vserver_groups(),
        *balancer.master_slave_groups(),
    ]
    return [backend for group in groups for backend in group.servers()]
