"""CLB's two listings, with their filters and their two kinds of paging."""

from __future__ import annotations

import json
from collections.abc import Mapping

from mock_slb import clb_views, errors
from mock_slb.digits import whole_number
from mock_slb.model import Account, LoadBalancer
from mock_slb.resources import Listener

MAX_TAGS = 20
DEFAULT_PAGE_SIZE = 50
DEFAULT_MAX_RESULTS = 20

Params = Mapping[str, str]


def describe_load_balancers(account: Account, params: Params) -> dict[str, object]:
    """DescribeLoadBalancers: the CLB instances of a region that pass every filter given."""
    if not params.get("RegionId"):
        raise errors.missing_parameter("RegionId")
    if "PageSize" in params and "PageNumber" not in params:
        raise errors.parameters_in_conflict()
    page = _number(params, "PageNumber", 1, 1, 1_000_000)
    size = _number(params, "PageSize", DEFAULT_PAGE_SIZE, 1, 100)
    tags = wanted_tags(params)
    found = [
        balancer
        for balancer in account.load_balancers.values()
        if balancer.region == params["RegionId"]
        and account.sees(balancer.created_at)
        and _passes(balancer, params, tags)
    ]
    return {
        "PageNumber": page,
        "PageSize": size,
        "TotalCount": len(found),
        "LoadBalancers": {
            "LoadBalancer": [
                clb_views.load_balancer(one) for one in found[(page - 1) * size : page * size]
            ]
        },
    }


def describe_listeners(account: Account, params: Params) -> dict[str, object]:
    """DescribeLoadBalancerListeners: listeners of up to ten CLB instances; pages by NextToken."""
    ids = [value for name, value in _repeated(params, "LoadBalancerId")]
    size = _number(params, "MaxResults", DEFAULT_MAX_RESULTS, 1, 100)
    start = _number(params, "NextToken", 0, 0, 1_000_000)
    region = params.get("RegionId", account.region)
    found = [
        (balancer, listener)
        for balancer in account.load_balancers.values()
        if balancer.region == region and (not ids or balancer.id in ids)
        for listener in balancer.listeners.values()
        if _is_asked_for(listener, params)
    ]
    answer: dict[str, object] = {
        "MaxResults": size,
        "TotalCount": len(found),
        "Listeners": [
            clb_views.listener(balancer, one) for balancer, one in found[start : start + size]
        ],
    }
    if start + size < len(found):
        answer["NextToken"] = str(start + size)
    return answer


def _passes(balancer: LoadBalancer, params: Params, tags: Mapping[str, str | None]) -> bool:
    exact = {
        "LoadBalancerStatus": balancer.status,
        "VpcId": balancer.vpc_id,
        "Address": balancer.address,
    }
    if any(params.get(name, value) != value for name, value in exact.items()):
        return False
    if not _among(params, "LoadBalancerId", balancer.id):
        return False
    if not _among(params, "LoadBalancerName", balancer.name):
        return False
    if params.get("ServerId") and params["ServerId"] not in _server_ids(balancer):
        return False
    return passes_tags(tags, balancer.tags_seen())


def _server_ids(balancer: LoadBalancer) -> set[str]:
    groups = [
        balancer.default_group,
        *balancer.vserver_groups(),
        *balancer.master_slave_groups(),
    ]
    return {backend.server_id for group in groups for backend in group.servers()}


def _among(params: Params, name: str, value: str) -> bool:
    """Up to ten values, separated by commas."""
    return not params.get(name) or value in params[name].split(",")


def _is_asked_for(listener: Listener, params: Params) -> bool:
    return params.get("ListenerPort", str(listener.port)) == str(listener.port) and (
        params.get("ListenerProtocol", listener.protocol) == listener.protocol
    )


def passes_tags(wanted: Mapping[str, str | None], has: Mapping[str, str]) -> bool:
    """Whether every tag that is asked for is there; None is met by any value."""
    return all(key in has and value in {None, has[key]} for key, value in wanted.items())


def wanted_tags(params: Params) -> dict[str, str | None]:
    """Tags, a JSON list of TagKey and TagValue, or the newer Tag.N.Key and Tag.N.Value."""
    wanted: dict[str, str | None] = {}
    for name, key in _repeated(params, "Tag", ".Key"):
        wanted[key] = params.get(name.removesuffix(".Key") + ".Value")
    if params.get("Tags"):
        wanted.update(_json_tags(params["Tags"]))
    if len(wanted) > MAX_TAGS:
        raise errors.invalid_parameter()
    return wanted


def _json_tags(text: str) -> dict[str, str | None]:
    try:
        entries = json.loads(text)
        return {entry["TagKey"]: entry.get("TagValue") for entry in entries}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise errors.invalid_parameter() from None


def _repeated(params: Params, prefix: str, suffix: str = "") -> list[tuple[str, str]]:
    names = (f"{prefix}.{n}{suffix}" for n in range(1, MAX_TAGS + 1))
    return [(name, params[name]) for name in names if name in params]


def _number(params: Params, name: str, default: int, low: int, high: int) -> int:
    number = whole_number(params.get(name, str(default)))
    if number is None or not low <= number <= high:
        raise errors.invalid_parameter()
    return number
