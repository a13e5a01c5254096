"""How NLB describes its things: the fields of the API reference for Nlb 2022-04-30."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_slb.alb_nlb.balancer import Balancer
from mock_slb.alb_nlb.fleet import Fleet
from mock_slb.alb_nlb.group import ServerGroup
from mock_slb.alb_nlb.group_views import connection_drain
from mock_slb.alb_nlb.jobs import FAILED, Job
from mock_slb.alb_nlb.listener_health import non_normal_servers
from mock_slb.alb_nlb.resources import GroupListener, GroupServer, Route
from mock_slb.alb_nlb.tags import TagOf
from mock_slb.core.moments import utc
from mock_slb.core.resources import HealthCheck

if TYPE_CHECKING:
    from mock_slb.account.account import Account

View = dict[str, object]


def job_started(job: Job) -> View:
    """What an asynchronous call answers with."""
    return {"JobId": job.id, "ServerGroupId": job.resource_id}


def job_status(one: Job, account: Account) -> View:
    """GetJobStatus; with the reason of a failure only where the account is set so."""
    view: View = {"Status": one.status(account.now())}
    if account.job_reasons and view["Status"] == FAILED and one.failure is not None:
        view["ErrorCode"] = one.failure.code
        view["ErrorMessage"] = one.failure.message
    return view


def job(one: Job, account: Account) -> View:
    """One entry of ListAsynJobs."""
    return {"Id": one.id, **job_status(one, account)}


def server(group: ServerGroup, one: GroupServer) -> View:
    """One entry of ListServerGroupServers."""
    return {
        "ServerGroupId": group.id,
        "ServerId": one.server_id,
        "ServerIp": one.server_ip,
        "ServerType": one.type,
        "Port": one.port,
        "Weight": one.weight,
        **({"Description": one.description} if one.description else {}),
        "Status": one.status,
        "ZoneId": one.zone_id,
    }


def server_group(fleet: Fleet, group: ServerGroup) -> View:
    """One entry of ListServerGroups."""
    return {
        "ServerGroupId": group.id,
        "ServerGroupName": group.name,
        "ServerGroupStatus": group.status,
        "ServerGroupType": group.type,
        "RegionId": group.region,
        "VpcId": group.vpc_id,
        "Protocol": group.protocol,
        "Scheduler": "Wrr",
        "AddressIPVersion": "DualStack" if group.ipv6 else "ipv4",
        "AliUid": int(fleet.account.id),
        "AnyPortEnabled": group.any_port,
        **connection_drain(group),
        "PreserveClientIpEnabled": True,
        "ServerCount": len(group.servers()),
        "RelatedLoadBalancerIds": fleet.related_balancer_ids(group),
        "ResourceGroupId": "rg-mock",
        "HealthCheck": _check(group.health_check),
        "Tags": [{"Key": key, "Value": value} for key, value in group.tags_seen().items()],
    }


def load_balancer(balancer: Balancer) -> View:
    """One entry of ListLoadBalancers."""
    return {
        "LoadBalancerId": balancer.id,
        "LoadBalancerName": balancer.name,
        "LoadBalancerStatus": balancer.status,
        "LoadBalancerBusinessStatus": "Normal",
        "LoadBalancerType": "Network",
        "AddressType": "Intranet",
        "AddressIpVersion": "ipv4",
        "CrossZoneEnabled": balancer.cross_zone,
        "DNSName": f"{balancer.id}.{balancer.region}.nlb.aliyuncsslb.com",
        "RegionId": balancer.region,
        "VpcId": balancer.vpc_id,
        "ResourceGroupId": "rg-mock",
        "CreateTime": utc(balancer.created_at),
        "DeletionProtectionConfig": {"Enabled": False},
        "ModificationProtectionConfig": {"Status": "NonProtection"},
        "LoadBalancerBillingConfig": {"PayType": "PostPay"},
        "OperationLocks": [],
        "SecurityGroupIds": [],
        "ZoneMappings": [
            {
                "ZoneId": zone_id,
                "VSwitchId": f"vsw-{zone_id}",
                "Status": "Active",
                "LoadBalancerAddresses": [
                    {
                        "EniId": f"eni-{balancer.id}-{number}",
                        "PrivateIPv4Address": f"192.168.254.{number}",
                        "PrivateIPv4HcStatus": "Healthy",
                    }
                ],
            }
            for number, zone_id in enumerate(balancer.zone_ids, 1)
        ],
        "Tags": [{"Key": key, "Value": value} for key, value in balancer.tags_seen().items()],
    }


def load_balancer_attribute(balancer: Balancer) -> View:
    """GetLoadBalancerAttribute: the same, but that tags are told as CLB tells them."""
    tags = [{"TagKey": key, "TagValue": value} for key, value in balancer.tags_seen().items()]
    return {**load_balancer(balancer), "Cps": 0, "Tags": tags}


def tag(fleet: Fleet, one: TagOf) -> View:
    """One entry of ListTagResources."""
    return {
        "ResourceId": one.resource_id,
        "ResourceType": one.resource_type,
        "TagKey": one.key,
        "TagValue": one.value,
        "AliUid": int(fleet.account.id),
        "RegionNo": fleet.account.region,
        "Category": "Custom",
        "Scope": "public",
    }


def listener(balancer: Balancer, one: GroupListener) -> View:
    """One entry of ListListeners."""
    return {
        "LoadBalancerId": balancer.id,
        "RegionId": balancer.region,
        "ListenerId": one.id,
        "ListenerPort": one.port,
        "ListenerProtocol": one.protocol,
        "ListenerStatus": one.status,
        **({"ListenerDescription": one.description} if one.description else {}),
        "ServerGroupId": one.server_group_id,
        "IdleTimeout": 900,
        "Cps": 0,
        "Mss": 0,
        "ProxyProtocolEnabled": False,
        "SecSensorEnabled": False,
        "Tags": [{"Key": key, "Value": value} for key, value in one.tags.items()],
    }


def listener_health(balancer: Balancer, one: GroupListener) -> View:
    """One entry of ListenerHealthStatus; `HeathCheckEnabled` is how the service spells it."""
    route = Route(one, None, one.server_group_id)
    group = balancer.group_of(route)
    return {
        "ListenerId": one.id,
        "ListenerPort": one.port,
        "ListenerProtocol": one.protocol,
        "ServerGroupInfos": [
            {
                "ServerGroupId": group.id,
                "HeathCheckEnabled": group.health_check is not None,
                "NonNormalServers": non_normal_servers(balancer, route),
            }
        ],
    }


def _check(check: HealthCheck | None) -> View:
    if check is None:
        return {"HealthCheckEnabled": False}
    view: View = {
        "HealthCheckEnabled": True,
        "HealthCheckType": check.type.upper(),
        "HealthCheckConnectPort": check.port or 0,
        "HealthCheckConnectTimeout": max(1, round(check.timeout_seconds)),
        "HealthCheckInterval": max(1, round(check.interval_seconds)),
        "HealthyThreshold": check.healthy_threshold,
        "UnhealthyThreshold": check.unhealthy_threshold,
    }
    if check.type == "http":
        view["HealthCheckDomain"] = check.domain or "$SERVER_IP"
        view["HealthCheckUrl"] = check.path
        view["HealthCheckHttpCode"] = list(check.http_codes)
        view["HttpCheckMethod"] = check.method.upper()
    return view
