"""ECS (Ecs 2014-05-26): which instances there are.

Without the permission, and for instances that a policy does not reach, the answer is a list that
lacks them, and no error (API reference of DescribeInstances, "Limits").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mock_slb.contract import Contract, contracts
from mock_slb.core.base import BaseAccount
from mock_slb.core.digits import whole_number
from mock_slb.core.documents import list_or_none
from mock_slb.core.errors import ApiError
from mock_slb.core.filters import Listing, paged
from mock_slb.core.resources import Instance

VERSION = "2014-05-26"
MOST_IDS = 100
LEAST_RESULTS = 10
JSON_LISTS = ("InstanceIds", "PrivateIpAddresses")
"""Parameters that hold a list as one text."""

Params = Mapping[str, str]
Answer = dict[str, object]


def describe_instances(account: BaseAccount, params: Params) -> Answer:
    """DescribeInstances: those of the region that pass every filter, the stopped ones among them.

    Pages by NextToken where MaxResults or NextToken is given, by PageNumber otherwise.
    """
    wanted = {name: _json_list(params[name]) for name in JSON_LISTS if name in params}
    if params.get("DryRun", "").lower() in ("true", "1"):
        raise _dry_run(account)
    listing: Listing[Instance] = Listing(
        contracts("ecs")["DescribeInstances"], _view, special={"VpcId": lambda one: {one.vpc_id}}
    )
    instances = (
        one
        for one in account.instances()
        if one.type == "ecs"
        and params["RegionId"] == account.region
        and account.ecs_access.shows(one.id)
        and one.id in wanted.get("InstanceIds", [one.id])
        and one.private_ip in wanted.get("PrivateIpAddresses", [one.private_ip])
    )
    others = {name: value for name, value in params.items() if name not in JSON_LISTS}
    found = listing.passing(instances, others)
    fields, page = _paged(listing.contract, params, found)
    return {**fields, "Instances": {"Instance": page}}


ACTIONS: Mapping[str, Callable[[BaseAccount, Params], Answer]] = {
    "DescribeInstances": describe_instances,
}


def _view(instance: Instance) -> dict[str, object]:
    return {
        "InstanceId": instance.id,
        "InstanceName": instance.id,
        "Status": "Running" if instance.running else "Stopped",
        "RegionId": instance.zone_id.rpartition("-")[0],
        "ZoneId": instance.zone_id,
        "InstanceNetworkType": "vpc",
        "VpcAttributes": {
            "VpcId": instance.vpc_id,
            "PrivateIpAddress": {"IpAddress": [instance.private_ip]},
        },
        "NetworkInterfaces": {
            "NetworkInterface": [
                {
                    "NetworkInterfaceId": instance.eni_id,
                    "MacAddress": instance.mac,
                    "PrimaryIpAddress": instance.private_ip,
                    "Type": "Primary",
                }
            ]
        },
    }


def _json_list(text: str) -> list[str]:
    ids = list_or_none(text)
    if ids is None or len(ids) > MOST_IDS or not all(isinstance(one, str) for one in ids):
        raise ApiError("InvalidInstanceIds.Malformed", "The specified InstanceIds is not valid.")
    return ids


def _dry_run(account: BaseAccount) -> ApiError:
    """The one way to tell that the permission is missing."""
    if account.ecs_access.denied:
        return ApiError("Forbidden.RAM", "User not authorized to operate on the resource.", 403)
    return ApiError("DryRunOperation", "Request validation has been passed with DryRun flag set.")


def _paged(
    contract: Contract, params: Params, found: Sequence[Mapping[str, object]]
) -> tuple[Answer, Sequence[Mapping[str, object]]]:
    if "MaxResults" not in params and "NextToken" not in params:
        return paged(contract, params, found)
    # Less than the default is raised to it; TotalCount then means nothing.
    size = max(int(params.get("MaxResults") or 0), LEAST_RESULTS)
    start = whole_number(params.get("NextToken") or "0")
    if start is None:
        raise ApiError("InvalidParameter.NextToken", "The specified NextToken is not valid.")
    end = start + size
    fields: Answer = {"NextToken": str(end) if end < len(found) else "", "TotalCount": 0}
    return fields, found[start:end]
