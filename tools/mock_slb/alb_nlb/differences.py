"""Differences between what ALB and NLB tell: spellings, and fields that only one has.

Sources: the API references for Alb 2020-06-16 and Nlb 2022-04-30.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mock_slb.alb_nlb.balancer import Balancer
from mock_slb.alb_nlb.fleet import Fleet
from mock_slb.alb_nlb.group import ServerGroup
from mock_slb.alb_nlb.jobs import Job
from mock_slb.alb_nlb.product import ALB, NLB
from mock_slb.alb_nlb.resources import GroupListener, GroupServer
from mock_slb.core.moments import utc

View = dict[str, object]
FORWARD = "ForwardGroup"
DEFAULT_DRAIN_SECONDS = 300
"""The default of both references, told while connection draining is off as well."""


@dataclass(frozen=True)
class CheckNames:
    """Spellings of the fields of a health check."""

    itself: str
    """The field of a server group that has all the others in it."""
    protocol: str
    timeout: str
    host: str
    path: str
    codes: str
    method: str


@dataclass(frozen=True)
class Differences:
    """One product's spellings, and its fields beside those that both have."""

    check: CheckNames
    http_version: View
    """What is told of an HTTP check's version."""
    address_ip_version: str
    business_status: str
    operation_locks: str
    is_checked: Callable[[bool], View]
    """Tell whether health checks are on, in GetListenerHealthStatus."""
    job: Callable[[Job], View]
    server: Callable[[GroupServer], View]
    server_group: Callable[[Fleet, ServerGroup], View]
    load_balancer: Callable[[Balancer], View]
    load_balancer_attribute: Callable[[Balancer], View]
    listener: Callable[[Balancer, GroupListener], View]
    tag: Callable[[Fleet], View]


def forward(to: View) -> View:
    """An action of a listener or rule of ALB: requests go to a server group."""
    return {"Type": FORWARD, "ForwardGroupConfig": {"ServerGroupTuples": [to]}}


def _connection_drain(group: ServerGroup) -> View:
    seconds = group.connection_drain_seconds
    return {
        "ConnectionDrainEnabled": seconds is not None,
        "ConnectionDrainTimeout": DEFAULT_DRAIN_SECONDS if seconds is None else seconds,
    }


def _zones(balancer: Balancer, address: Callable[[int], View], **more: object) -> list[View]:
    return [
        {
            "ZoneId": zone_id,
            "VSwitchId": f"vsw-{zone_id}",
            **more,
            "LoadBalancerAddresses": [address(number)],
        }
        for number, zone_id in enumerate(balancer.zone_ids, 1)
    ]


def _alb_server_group(fleet: Fleet, group: ServerGroup) -> View:
    sticky: View = {"StickySessionEnabled": False}
    if group.sticky_seconds is not None:
        sticky = {
            "StickySessionEnabled": True,
            "StickySessionType": "Insert",
            "CookieTimeout": group.sticky_seconds,
        }
    return {
        "CreateTime": utc(group.created_at),
        "Ipv6Enabled": group.ipv6,
        "CrossZoneEnabled": fleet.balances_across_zones(group),
        "ConfigManagedEnabled": False,
        "UpstreamKeepaliveEnabled": False,
        "StickySessionConfig": sticky,
        "ConnectionDrainConfig": _connection_drain(group),
        "SlowStartConfig": {"SlowStartEnabled": False, "SlowStartDuration": 30},
    }


def _alb_load_balancer_attribute(balancer: Balancer) -> View:
    return {
        "RegionId": balancer.region,
        "SecurityGroupIds": [],
        "ZoneMappings": _zones(
            balancer, lambda number: {"IntranetAddress": f"192.168.254.{number}"}
        ),
    }


def _alb_listener(_: Balancer, one: GroupListener) -> View:
    return {
        "DefaultActions": [forward({"ServerGroupId": one.server_group_id})],
        "GzipEnabled": True,
        "IdleTimeout": 15,
        "RequestTimeout": 60,
    }


def _nlb_server_group(fleet: Fleet, group: ServerGroup) -> View:
    return {
        "RegionId": group.region,
        "AddressIPVersion": "DualStack" if group.ipv6 else "ipv4",
        "AliUid": int(fleet.account.id),
        "AnyPortEnabled": group.any_port,
        **_connection_drain(group),
        "PreserveClientIpEnabled": True,
    }


def _nlb_load_balancer(balancer: Balancer) -> View:
    return {
        "LoadBalancerType": "Network",
        "CrossZoneEnabled": balancer.cross_zone,
        "RegionId": balancer.region,
        "SecurityGroupIds": [],
        "ZoneMappings": _zones(
            balancer,
            lambda number: {
                "EniId": f"eni-{balancer.id}-{number}",
                "PrivateIPv4Address": f"192.168.254.{number}",
                "PrivateIPv4HcStatus": "Healthy",
            },
            Status="Active",
        ),
    }


def _nlb_load_balancer_attribute(balancer: Balancer) -> View:
    # Tags as CLB tells them.
    tags = [{"TagKey": key, "TagValue": value} for key, value in balancer.tags_seen().items()]
    return {"Cps": 0, "Tags": tags}


def _nlb_listener(balancer: Balancer, one: GroupListener) -> View:
    return {
        "RegionId": balancer.region,
        "ServerGroupId": one.server_group_id,
        "IdleTimeout": 900,
        "Cps": 0,
        "Mss": 0,
        "ProxyProtocolEnabled": False,
        "SecSensorEnabled": False,
    }


def _nlb_tag(fleet: Fleet) -> View:
    return {
        "AliUid": int(fleet.account.id),
        "RegionNo": fleet.account.region,
        "Category": "Custom",
        "Scope": "public",
    }


DIFFERENCES: Mapping[str, Differences] = {
    ALB.name: Differences(
        check=CheckNames(
            itself="HealthCheckConfig",
            protocol="HealthCheckProtocol",
            timeout="HealthCheckTimeout",
            host="HealthCheckHost",
            path="HealthCheckPath",
            codes="HealthCheckCodes",
            method="HealthCheckMethod",
        ),
        http_version={"HealthCheckHttpVersion": "HTTP1.1"},
        address_ip_version="IPv4",
        business_status="LoadBalancerBussinessStatus",
        operation_locks="LoadBalancerOperationLocks",
        is_checked=lambda on: {
            "ActionType": FORWARD,
            "HealthCheckEnabled": "on" if on else "off",
        },
        job=lambda _: {},
        server=lambda _: {"RemoteIpEnabled": False},
        server_group=_alb_server_group,
        load_balancer=lambda _: {
            "LoadBalancerEdition": "Standard",
            "AddressAllocatedMode": "Dynamic",
        },
        load_balancer_attribute=_alb_load_balancer_attribute,
        listener=_alb_listener,
        tag=lambda _: {},
    ),
    NLB.name: Differences(
        check=CheckNames(
            itself="HealthCheck",
            protocol="HealthCheckType",
            timeout="HealthCheckConnectTimeout",
            host="HealthCheckDomain",
            path="HealthCheckUrl",
            codes="HealthCheckHttpCode",
            method="HttpCheckMethod",
        ),
        http_version={},
        address_ip_version="ipv4",
        business_status="LoadBalancerBusinessStatus",
        operation_locks="OperationLocks",
        is_checked=lambda on: {"HeathCheckEnabled": on},  # as the service spells it
        job=lambda job: {"ServerGroupId": job.resource_id},
        server=lambda server: {"ZoneId": server.zone_id},
        server_group=_nlb_server_group,
        load_balancer=_nlb_load_balancer,
        load_balancer_attribute=_nlb_load_balancer_attribute,
        listener=_nlb_listener,
        tag=_nlb_tag,
    ),
}
