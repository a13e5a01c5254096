"""CLB's two listings of tags: the older by tag, the newer by resource."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from mock_slb.clb.fleet import Fleet
from mock_slb.clb.listing import json_tags
from mock_slb.contract import contracts
from mock_slb.core.digits import whole_number
from mock_slb.core.errors import ApiError
from mock_slb.core.filters import listed, paged, passes_tags, tags

PAGE_SIZE = 50
"""Tags on one page of ListTagResources, which takes no size."""

Params = Mapping[str, str]
View = dict[str, object]


def describe_tags(fleet: Fleet, params: Params) -> View:
    """DescribeTags: every tag of the region's CLB instances, and how many instances have it."""
    wanted, id_ = json_tags(params), params.get("LoadBalancerId")
    count = Counter(
        (key, value)
        for balancer in fleet.load_balancers.values()
        if balancer.region == params["RegionId"] and id_ in {None, "", balancer.id}
        for key, value in balancer.tags_seen().items()
        if not wanted or (key in wanted and wanted[key] in {None, value})
    )
    sets: list[View] = [
        {"TagKey": key, "TagValue": value, "InstanceCount": number}
        for (key, value), number in count.items()
    ]
    if params.get("DistinctKey", "").lower() == "true":
        keys = Counter(key for (key, _), number in count.items() for _ in range(number))
        sets = [{"TagKey": key, "InstanceCount": number} for key, number in keys.items()]
    fields, page = paged(contracts("slb")["DescribeTags"], params, sets)
    return {**fields, "TagSets": {"TagSet": page}}


def list_tag_resources(fleet: Fleet, params: Params) -> View:
    """ListTagResources: the tags of things that are named, or that have certain tags."""
    ids, wanted = listed(params, "ResourceId"), tags(params)
    if not ids and not wanted:
        raise ApiError("MissingParam.TagOrResourceId", "Tag or ResourceId must be given.")
    things = _things(fleet, params["RegionId"], params["ResourceType"])
    if any(id_ not in things for id_ in ids):
        raise ApiError("ResourceNotExist", "The specified resource does not exist.")
    found: Sequence[View] = [
        {
            "ResourceType": params["ResourceType"],
            "ResourceId": id_,
            "TagKey": key,
            "TagValue": value,
        }
        for id_, has in things.items()
        if (not ids or id_ in ids) and passes_tags(wanted, has)
        for key, value in has.items()
    ]
    start = whole_number(params.get("NextToken") or "0")
    if start is None:
        raise ApiError("InvalidParam.NextToken", "The specified NextToken is not valid.")
    answer: View = {"TagResources": {"TagResource": found[start : start + PAGE_SIZE]}}
    if start + PAGE_SIZE < len(found):
        answer["NextToken"] = str(start + PAGE_SIZE)
    return answer


def _things(fleet: Fleet, region: str, resource_type: str) -> Mapping[str, Mapping[str, str]]:
    balancers = [one for one in fleet.load_balancers.values() if one.region == region]
    if resource_type == "instance":
        return {one.id: one.tags_seen() for one in balancers}
    if resource_type == "vservergroup":
        groups = [group for one in balancers for group in one.vserver_groups()]
    elif resource_type == "masterslaveservergroup":
        groups = [group for one in balancers for group in one.master_slave_groups()]
    else:
        raise ApiError("InvalidParam.ResourceType", "The specified ResourceType is not valid.")
    return {group.id: group.tags_seen() for group in groups}
