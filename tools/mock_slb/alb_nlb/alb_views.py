"""How ALB describes its things: the fields of the API reference for Alb 2020-06-16."""

from __future__ import annotations

from mock_slb.alb_nlb.balancer import Balancer
from mock_slb.alb_nlb.fleet import Fleet
from mock_slb.alb_nlb.group import ServerGroup
from mock_slb.alb_nlb.group_views import connection_drain
from mock_slb.alb_nlb.jobs import FAILED, OPERATES, PROCESSING, Job
from mock_slb.alb_nlb.listener_health import non_normal_servers
from mock_slb.alb_nlb.resources import GroupListener, GroupServer, Route, Rule
from mock_slb.alb_nlb.tags import TagOf
from mock_slb.core.moments import utc
from mock_slb.core.resources import HealthCheck

View = dict[str, object]
JOB_RESOURCE_TYPE = "servergroup"
FORWARD = "ForwardGroup"


def job_started(job: Job) -> View:
    """What an asynchronous call answers with."""
    return {"JobId": job.id}


def job(one: Job, now: float) -> View:
    """One entry of ListAsynJobs; times in milliseconds since the epoch."""
    status = one.status(now)
    view: View = {
        "Id": one.id,
        "ApiName": one.action,
        "Status": status,
        "OperateType": OPERATES[one.action],
        "ResourceId": one.resource_id,
        "ResourceType": JOB_RESOURCE_TYPE,
        "CreateTime": int(one.started_at * 1000),
        "ModifyTime": int((one.started_at if status == PROCESSING else one.ends_at) * 1000),
    }
    if status == FAILED and one.failure is not None:
        view["ErrorCode"] = one.failure.code
        view["ErrorMessage"] = one.failure.message
    return view


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
        "RemoteIpEnabled": False,
    }


def server_group(fleet: Fleet, group: ServerGroup) -> View:
    """One entry of ListServerGroups."""
    return {
        "ServerGroupId": group.id,
        "ServerGroupName": group.name,
        "ServerGroupStatus": group.status,
        "ServerGroupType": group.type,
        "VpcId": group.vpc_id,
        "Protocol": group.protocol,
        "Scheduler": "Wrr",
        "ServerCount": len(group.servers()),
        "RelatedLoadBalancerIds": fleet.related_balancer_ids(group),
        "ResourceGroupId": "rg-mock",
        "CreateTime": utc(group.created_at),
        "Ipv6Enabled": group.ipv6,
        "CrossZoneEnabled": fleet.balances_across_zones(group),
        "ConfigManagedEnabled": False,
        "UpstreamKeepaliveEnabled": False,
        "HealthCheckConfig": _check(group.health_check),
        "StickySessionConfig": _session_persistence(group),
        "ConnectionDrainConfig": connection_drain(group),
        "SlowStartConfig": {"SlowStartEnabled": False, "SlowStartDuration": 30},
        "Tags": [{"Key": key, "Value": value} for key, value in group.tags_seen().items()],
    }


def load_balancer(balancer: Balancer) -> View:
    """One entry of ListLoadBalancers."""
    return {
        "LoadBalancerId": balancer.id,
        "LoadBalancerName": balancer.name,
        "LoadBalancerStatus": balancer.status,
        "LoadBalancerBussinessStatus": "Normal",
        "LoadBalancerEdition": "Standard",
        "AddressType": "Intranet",
        "AddressIpVersion": "IPv4",
        "AddressAllocatedMode": "Dynamic",
        "DNSName": f"{balancer.id}.{balancer.region}.alb.aliyuncsslb.com",
        "VpcId": balancer.vpc_id,
        "ResourceGroupId": "rg-mock",
        "CreateTime": utc(balancer.created_at),
        "DeletionProtectionConfig": {"Enabled": False},
        "ModificationProtectionConfig": {"Status": "NonProtection"},
        "LoadBalancerBillingConfig": {"PayType": "PostPay"},
        "LoadBalancerOperationLocks": [],
        "Tags": [{"Key": key, "Value": value} for key, value in balancer.tags_seen().items()],
    }


def load_balancer_attribute(balancer: Balancer) -> View:
    """GetLoadBalancerAttribute: the same with its zones."""
    return {
        **load_balancer(balancer),
        "RegionId": balancer.region,
        "SecurityGroupIds": [],
        "ZoneMappings": [
            {
                "ZoneId": zone_id,
                "VSwitchId": f"vsw-{zone_id}",
                "LoadBalancerAddresses": [{"IntranetAddress": f"192.168.254.{number}"}],
            }
            for number, zone_id in enumerate(balancer.zone_ids, 1)
        ],
    }


def tag(_: Fleet, one: TagOf) -> View:
    """One entry of ListTagResources."""
    return {
        "ResourceId": one.resource_id,
        "ResourceType": one.resource_type,
        "TagKey": one.key,
        "TagValue": one.value,
    }


def listener(balancer: Balancer, one: GroupListener) -> View:
    """One entry of ListListeners."""
    return {
        "LoadBalancerId": balancer.id,
        "ListenerId": one.id,
        "ListenerPort": one.port,
        "ListenerProtocol": one.protocol,
        "ListenerStatus": one.status,
        **({"ListenerDescription": one.description} if one.description else {}),
        "DefaultActions": [_forward({"ServerGroupId": one.server_group_id})],
        "GzipEnabled": True,
        "IdleTimeout": 15,
        "RequestTimeout": 60,
        "Tags": [{"Key": key, "Value": value} for key, value in one.tags.items()],
    }


def rule(balancer: Balancer, one: GroupListener, of: Rule) -> View:
    """One entry of ListRules."""
    return {
        "RuleId": of.id,
        "RuleName": of.name,
        "RuleStatus": "Available",
        "Priority": of.priority,
        "Direction": "Request",
        "ListenerId": one.id,
        "LoadBalancerId": balancer.id,
        "RuleConditions": [{"Type": "Path", "PathConfig": {"Values": [of.path]}}],
        "RuleActions": [
            {**_forward({"ServerGroupId": of.server_group_id, "Weight": 100}), "Order": 1}
        ],
        "Tags": [],
    }


def listener_health(balancer: Balancer, one: GroupListener) -> View:
    """One entry of ListenerHealthStatus."""
    route = Route(one, None, one.server_group_id)
    return {
        "ListenerId": one.id,
        "ListenerPort": one.port,
        "ListenerProtocol": one.protocol,
        "ServerGroupInfos": [_group_health(balancer, route)],
    }


def rule_health(balancer: Balancer, one: GroupListener) -> list[View]:
    """RuleHealthStatus: an entry for each rule of a listener."""
    return [
        {
            "RuleId": of.id,
            "ServerGroupInfos": [_group_health(balancer, Route(one, of, of.server_group_id))],
        }
        for of in one.rules
    ]


def _group_health(balancer: Balancer, route: Route) -> View:
    group = balancer.group_of(route)
    return {
        "ServerGroupId": group.id,
        "ActionType": FORWARD,
        # A text here; NLB has a boolean under another spelling.
        "HealthCheckEnabled": "off" if group.health_check is None else "on",
        "NonNormalServers": non_normal_servers(balancer, route),
    }


def _forward(to: View) -> View:
    return {"Type": FORWARD, "ForwardGroupConfig": {"ServerGroupTuples": [to]}}


def _check(check: HealthCheck | None) -> View:
    if check is None:
        return {"HealthCheckEnabled": False}
    view: View = {
        "HealthCheckEnabled": True,
        "HealthCheckProtocol": check.type.upper(),
        "HealthCheckConnectPort": check.port or 0,
        "HealthCheckInterval": max(1, round(check.interval_seconds)),
        "HealthCheckTimeout": max(1, round(check.timeout_seconds)),
        "HealthyThreshold": check.healthy_threshold,
        "UnhealthyThreshold": check.unhealthy_threshold,
    }
    if check.type == "http":
        view["HealthCheckCodes"] = list(check.http_codes)
        view["HealthCheckHost"] = check.domain or "$SERVER_IP"
        view["HealthCheckHttpVersion"] = "HTTP1.1"
        view["HealthCheckMethod"] = check.method.upper()
        view["HealthCheckPath"] = check.path
    return view


def _session_persistence(group: ServerGroup) -> View:
    if group.sticky_seconds is None:
        return {"StickySessionEnabled": False}
    return {
        "StickySessionEnabled": True,
        "StickySessionType": "Insert",
        "CookieTimeout": group.sticky_seconds,
    }
