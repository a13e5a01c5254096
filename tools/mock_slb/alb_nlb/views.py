"""Descriptions of the things of ALB and NLB: what both tell, with what differs from a table."""

from __future__ import annotations

from collections.abc import Mapping

from mock_slb.alb_nlb.balancer import Balancer
from mock_slb.alb_nlb.differences import DIFFERENCES
from mock_slb.alb_nlb.fleet import Fleet
from mock_slb.alb_nlb.group import ServerGroup
from mock_slb.alb_nlb.jobs import FAILED, Job
from mock_slb.alb_nlb.listener_health import non_normal_servers
from mock_slb.alb_nlb.product import Product
from mock_slb.alb_nlb.resources import GroupListener, GroupServer, Route
from mock_slb.alb_nlb.tags import TagOf
from mock_slb.core.moments import utc
from mock_slb.core.resources import HealthCheck

View = dict[str, object]


class Views:
    """Entries of one product's answers."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._own = DIFFERENCES[product.name]

    def job_started(self, job: Job) -> View:
        """The answer to an asynchronous call."""
        return {"JobId": job.id, **self._own.job(job)}

    def server(self, group: ServerGroup, one: GroupServer) -> View:
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
            **self._own.server(one),
        }

    def server_group(self, fleet: Fleet, group: ServerGroup) -> View:
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
            self._own.check.itself: self._check(group.health_check),
            **self._own.server_group(fleet, group),
            "Tags": _tags(group.tags_seen()),
        }

    def load_balancer(self, balancer: Balancer) -> View:
        """One entry of ListLoadBalancers."""
        domain = f"{self._product.name.lower()}.aliyuncsslb.com"
        return {
            "LoadBalancerId": balancer.id,
            "LoadBalancerName": balancer.name,
            "LoadBalancerStatus": balancer.status,
            self._own.business_status: "Normal",
            "AddressType": "Intranet",
            "AddressIpVersion": self._own.address_ip_version,
            "DNSName": f"{balancer.id}.{balancer.region}.{domain}",
            "VpcId": balancer.vpc_id,
            "ResourceGroupId": "rg-mock",
            "CreateTime": utc(balancer.created_at),
            "DeletionProtectionConfig": {"Enabled": False},
            "ModificationProtectionConfig": {"Status": "NonProtection"},
            "LoadBalancerBillingConfig": {"PayType": "PostPay"},
            self._own.operation_locks: [],
            **self._own.load_balancer(balancer),
            "Tags": _tags(balancer.tags_seen()),
        }

    def load_balancer_attribute(self, balancer: Balancer) -> View:
        """GetLoadBalancerAttribute: the same with more."""
        return {**self.load_balancer(balancer), **self._own.load_balancer_attribute(balancer)}

    def tag(self, fleet: Fleet, one: TagOf) -> View:
        """One entry of ListTagResources."""
        return {
            "ResourceId": one.resource_id,
            "ResourceType": one.resource_type,
            "TagKey": one.key,
            "TagValue": one.value,
            **self._own.tag(fleet),
        }

    def listener(self, balancer: Balancer, one: GroupListener) -> View:
        """One entry of ListListeners."""
        return {
            "LoadBalancerId": balancer.id,
            "ListenerId": one.id,
            "ListenerPort": one.port,
            "ListenerProtocol": one.protocol,
            "ListenerStatus": one.status,
            **({"ListenerDescription": one.description} if one.description else {}),
            **self._own.listener(balancer, one),
            "Tags": _tags(one.tags),
        }

    def listener_health(self, balancer: Balancer, one: GroupListener) -> View:
        """One entry of ListenerHealthStatus."""
        return {
            "ListenerId": one.id,
            "ListenerPort": one.port,
            "ListenerProtocol": one.protocol,
            "ServerGroupInfos": [
                self._group_health(balancer, Route(one, None, one.server_group_id))
            ],
        }

    def rule_health(self, balancer: Balancer, one: GroupListener) -> list[View]:
        """RuleHealthStatus: an entry for each rule of a listener."""
        return [
            {
                "RuleId": of.id,
                "ServerGroupInfos": [
                    self._group_health(balancer, Route(one, of, of.server_group_id))
                ],
            }
            for of in one.rules
        ]

    def _group_health(self, balancer: Balancer, route: Route) -> View:
        group = balancer.group_of(route)
        return {
            "ServerGroupId": group.id,
            **self._own.is_checked(group.health_check is not None),
            "NonNormalServers": non_normal_servers(balancer, route),
        }

    def _check(self, check: HealthCheck | None) -> View:
        if check is None:
            return {"HealthCheckEnabled": False}
        names = self._own.check
        view: View = {
            "HealthCheckEnabled": True,
            names.protocol: check.type.upper(),
            "HealthCheckConnectPort": check.port or 0,
            names.timeout: max(1, round(check.timeout_seconds)),
            "HealthCheckInterval": max(1, round(check.interval_seconds)),
            "HealthyThreshold": check.healthy_threshold,
            "UnhealthyThreshold": check.unhealthy_threshold,
        }
        if check.type == "http":
            view[names.host] = check.domain or "$SERVER_IP"
            view[names.path] = check.path
            view[names.codes] = list(check.http_codes)
            view[names.method] = check.method.upper()
            view.update(self._own.http_version)
        return view


def why_failed(job: Job, status: str) -> View:
    """Error fields of a job that failed; none of another."""
    if status != FAILED or job.failure is None:
        return {}
    return {"ErrorCode": job.failure.code, "ErrorMessage": job.failure.message}


def _tags(tags: Mapping[str, str]) -> list[View]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
