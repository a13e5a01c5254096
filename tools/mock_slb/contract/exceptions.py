"""Differences of the mocked cloud from the contract that are on purpose, and why: the one list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Place = tuple[str, str, str]
"""Product, action, and the name of a parameter or the path of a field of the answer."""


@dataclass(frozen=True)
class Bounds:
    """A range that the contract does not tell."""

    low: int
    high: int
    why: str


_PAGE = Bounds(1, 100, "the metadata has no range; every other list of the product takes these")

BOUNDS: Mapping[Place, Bounds] = {
    ("alb", "ListListeners", "MaxResults"): _PAGE,
    ("alb", "ListRules", "MaxResults"): _PAGE,
    ("slb", "DescribeTags", "PageSize"): Bounds(
        1, 100, "no range is told; as DescribeLoadBalancers"
    ),
    ("slb", "DescribeTags", "PageNumber"): Bounds(1, 1000, "as for DescribeLoadBalancers"),
    ("nlb", "AddServersToServerGroup", "Servers.Port"): Bounds(
        0, 65535, "the metadata has no range; as Remove's, where 0 is for groups that take any port"
    ),
    ("nlb", "UpdateServerGroupServersAttribute", "Servers.Port"): Bounds(
        0, 65535, "servers of groups that take any port have port 0, and weights; else 1 at least"
    ),
}
"""Ranges of parameters and of fields of list elements."""

_OF_A_VM = "the metadata leaves it out for groups of functions (Fc), which the mock only lists"

_NOTHING = "the metadata calls it optional; without it there is nothing to do"

NEEDED: Mapping[Place, str] = {
    ("slb", "AddBackendServers", "BackendServers"): _NOTHING,
    ("slb", "SetBackendServers", "BackendServers"): _NOTHING,
    ("alb", "AddServersToServerGroup", "Servers.Port"): _OF_A_VM,
    ("alb", "RemoveServersFromServerGroup", "Servers.Port"): _OF_A_VM,
    ("alb", "UpdateServerGroupServersAttribute", "Servers.Port"): _OF_A_VM,
}
"""Parameters and fields of list elements that are required though the contract does not say so."""

_SWITCH = "the Go SDK and the Kubernetes cloud provider read this name, others HealthCheck"
_REASON = "set by `groups/fail` only; the reference has no field for why a job failed"

TOLD_BY_2026: Mapping[Place, str] = {
    ("alb", "ListServerGroups", "ServerGroups[].CrossZoneEnabled"): (
        "came after the contract's date; the newer SDK reads it"
    ),
}
"""Fields of answers that came since."""

TOLD: Mapping[Place, str] = {
    **{
        (
            "slb",
            "DescribeLoadBalancerListeners",
            f"Listeners[].{protocol}ListenerConfig.HealthCheckSwitch",
        ): _SWITCH
        for protocol in ("TCP", "UDP")
    },
    **{
        ("slb", f"DescribeLoadBalancer{protocol}ListenerAttribute", "HealthCheckSwitch"): _SWITCH
        for protocol in ("TCP", "UDP")
    },
    ("nlb", "GetJobStatus", "ErrorCode"): _REASON,
    ("nlb", "GetJobStatus", "ErrorMessage"): _REASON,
    ("nlb", "ListAsynJobs", "Jobs[].ErrorCode"): _REASON,
    ("nlb", "ListAsynJobs", "Jobs[].ErrorMessage"): _REASON,
    **TOLD_BY_2026,
}
"""Fields of answers that the contract does not have."""

_WORDS = "the reference does not say whether a part of the text is enough to match"

_NOT_THERE = "the mocked cloud's instances have no such thing"
_OF_INSTANCES = (
    "AdditionalAttributes", "DeviceAvailable", "EipAddresses", "Filter", "HpcClusterId",
    "HttpEndpoint", "HttpPutResponseHopLimit", "HttpTokens", "ImageId", "InnerIpAddresses",
    "InstanceChargeType", "InstanceName", "InstanceType", "InstanceTypeFamily",
    "InternetChargeType", "IoOptimized", "Ipv6Address", "KeyPairName", "LockReason",
    "NeedSaleCycle", "PublicIpAddresses", "RdmaIpAddresses", "ResourceGroupId", "SecurityGroupId",
    "Tag", "VSwitchId",
)  # fmt: skip

REFUSED: Mapping[Place, str] = {
    **{("ecs", "DescribeInstances", name): _NOT_THERE for name in _OF_INSTANCES},
    ("slb", "DescribeVServerGroups", "Description"): _WORDS,
    ("slb", "DescribeMasterSlaveServerGroups", "Description"): _WORDS,
    ("slb", "DescribeLoadBalancerListeners", "Description"): _WORDS,
}
"""Filters that are not honoured: a call with one is refused, by the name of the filter."""

_GONE = "gone from the reference by 2026; a caller of 2024 still sends it, so it is still honoured"
_NO_POLICIES = "accepted: the mocked cloud evaluates no policies"

WITHOUT_EFFECT: Mapping[Place, str] = {
    ("slb", "DescribeRegions", "AcceptLanguage"): "region names come in English only",
    ("nlb", "GetJobStatus", "ClientToken"): "a read is repeated without harm",
    ("nlb", "GetLoadBalancerAttribute", "ClientToken"): "a read is repeated without harm",
    ("nlb", "GetLoadBalancerAttribute", "DryRun"): "a read changes nothing",
    ("sts", "AssumeRole", "Policy"): _NO_POLICIES,
    ("sts", "AssumeRole", "ExternalId"): _NO_POLICIES,
}
"""Parameters that are accepted and change nothing."""

GONE: Mapping[Place, str] = {
    ("nlb", "GetListenerHealthStatus", "MaxResults"): _GONE,
    ("nlb", "GetListenerHealthStatus", "NextToken"): _GONE,
}
"""Parameters with `gone_by_2026` that are honoured as before."""
