"""Descriptions of the things of CLB: the fields of the API reference for Slb 2014-05-15."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mock_slb.clb.balancer import LoadBalancer
from mock_slb.clb.group import ServerGroup
from mock_slb.clb.resources import Backend, Listener
from mock_slb.core.moments import utc

View = dict[str, object]


def load_balancer(balancer: LoadBalancer) -> View:
    """One entry of DescribeLoadBalancers."""
    return {
        "LoadBalancerId": balancer.id,
        "LoadBalancerName": balancer.name,
        "LoadBalancerStatus": balancer.status,
        "Address": balancer.address,
        "AddressType": "intranet",
        "AddressIPVersion": "ipv4",
        "RegionId": balancer.region,
        "RegionIdAlias": balancer.region,
        "VpcId": balancer.vpc_id,
        "VSwitchId": "vsw-mock" if balancer.vpc_id else "",
        "NetworkType": "vpc" if balancer.vpc_id else "classic",
        "InternetChargeType": "4",
        "MasterZoneId": f"{balancer.region}-h",
        "SlaveZoneId": f"{balancer.region}-g",
        "LoadBalancerSpec": "slb.s1.small",
        "PayType": "PayOnDemand",
        "ResourceGroupId": "rg-mock",
        "DeleteProtection": "off",
        "ModificationProtectionStatus": "NonProtection",
        "CreateTime": utc(balancer.created_at),
        "CreateTimeStamp": int(balancer.created_at * 1000),
        "Tags": tags(balancer.tags_seen()),
    }


def load_balancer_attribute(balancer: LoadBalancer) -> View:
    """DescribeLoadBalancerAttribute; three fields list the listeners, one of them misspelt."""
    listeners = balancer.listeners.values()
    return {
        **load_balancer(balancer),
        "Bandwidth": 5120,
        "EndTime": "2999-09-08T16:00:00Z",
        "EndTimeStamp": 32493801600000,
        "ListenerPorts": {"ListenerPort": [one.port for one in listeners]},
        "ListenerPortsAndProtocal": {
            "ListenerPortAndProtocal": [
                {"ListenerPort": one.port, "ListenerProtocal": one.protocol} for one in listeners
            ]
        },
        "ListenerPortsAndProtocol": {
            "ListenerPortAndProtocol": [
                {
                    "ListenerPort": one.port,
                    "ListenerProtocol": one.protocol,
                    "Description": one.description or f"{one.protocol}_{one.port}",
                    "ListenerForward": "off",
                }
                for one in listeners
            ]
        },
        "BackendServers": {
            "BackendServer": [
                {**default_server(b, weight=b.weight), "ServerIp": b.server_ip}
                for b in balancer.default_group.servers()
            ]
        },
    }


def default_server(backend: Backend, *, weight: int | str) -> View:
    """A server of a default group; Add and Set answer with the weight as a string."""
    return {
        "ServerId": backend.server_id,
        "Weight": weight,
        "Type": backend.type,
        **description(backend),
    }


def vserver_group(group: ServerGroup, *, described: bool = True) -> View:
    """The answer to writes on a vServer group; Remove does not tell descriptions."""
    views = [_vserver_server(b) for b in group.servers()]
    if not described:
        views = [{k: v for k, v in view.items() if k != "Description"} for view in views]
    return {"VServerGroupId": group.id, "BackendServers": {"BackendServer": views}}


def vserver_group_attribute(group: ServerGroup) -> View:
    """DescribeVServerGroupAttribute."""
    return {
        "VServerGroupId": group.id,
        "VServerGroupName": group.name,
        "LoadBalancerId": group.load_balancer_id,
        "CreateTime": utc(group.created_at),
        "Tags": tags(group.tags_seen()),
        "BackendServers": {
            "BackendServer": [
                {**_vserver_server(b), "ServerIp": b.server_ip} for b in group.servers()
            ]
        },
    }


def health_status(balancer: LoadBalancer, listeners: Iterable[Listener]) -> View:
    """DescribeHealthStatus: `Port` is the backend's, `ListenerPort` the frontend's."""
    return {
        "BackendServers": {
            "BackendServer": [
                {
                    "ServerId": backend.server_id,
                    "ServerIp": backend.server_ip,
                    "Port": backend.port or listener.backend_port,
                    "ListenerPort": listener.port,
                    "Protocol": listener.protocol,
                    "ServerHealthStatus": balancer.health(listener, backend),
                }
                for listener in listeners
                for backend in balancer.group_of(listener).servers()
            ]
        }
    }


def listener(balancer: LoadBalancer, one: Listener) -> View:
    """One entry of DescribeLoadBalancerListeners."""
    return {
        "LoadBalancerId": balancer.id,
        "ListenerProtocol": one.protocol,
        **_listener(one),
        "Tags": [],
        f"{one.protocol.upper()}ListenerConfig": {**_listener_config(one), **_standby_group(one)},
    }


def listener_attribute(balancer: LoadBalancer, one: Listener) -> View:
    """DescribeLoadBalancerTCPListenerAttribute and the like: the same in one level."""
    return {
        "LoadBalancerId": balancer.id,
        **_listener(one),
        "Tags": {"Tag": []},
        **_listener_config(one),
        **_standby_group(one),
    }


def _listener(one: Listener) -> View:
    view: View = {
        "ListenerPort": one.port,
        "Status": one.status,
        "Scheduler": one.scheduler,
        "Bandwidth": -1,
        "Description": one.description or f"{one.protocol}_{one.port}",
        "AclStatus": "off",
    }
    if one.vserver_group_id is not None:
        view["VServerGroupId"] = one.vserver_group_id
    elif one.master_slave_group_id is None:
        view["BackendServerPort"] = one.backend_port
    return view


def _standby_group(one: Listener) -> View:
    if one.master_slave_group_id is None:
        return {}
    return {"MasterSlaveServerGroupId": one.master_slave_group_id}


def tags(of: Mapping[str, str]) -> View:
    """Tags as CLB nests them."""
    return {"Tag": [{"TagKey": key, "TagValue": value} for key, value in of.items()]}


def _listener_config(one: Listener) -> View:
    check, layer4 = one.health_check, one.protocol in {"tcp", "udp"}
    switch = "off" if check is None else "on"
    config: View = {"HealthCheck": switch}
    if layer4:
        config["HealthCheckSwitch"] = switch  # as some clients know it
    config |= _connection_drain(one)
    config |= _session_persistence(one)
    if check is None:
        return config
    config |= {
        "HealthCheckInterval": max(1, round(check.interval_seconds)),
        "HealthyThreshold": check.healthy_threshold,
        "UnhealthyThreshold": check.unhealthy_threshold,
        "HealthCheckConnectTimeout" if layer4 else "HealthCheckTimeout": max(
            1, round(check.timeout_seconds)
        ),
    }
    if check.port is not None:
        config["HealthCheckConnectPort"] = check.port
    if one.protocol == "tcp":
        config["HealthCheckType"] = check.type
    if check.type == "http" and one.protocol != "udp":
        config["HealthCheckURI"] = check.path
        config["HealthCheckMethod"] = check.method
        config["HealthCheckHttpCode"] = ",".join(check.http_codes)
        config["HealthCheckDomain"] = check.domain
    return config


def _connection_drain(one: Listener) -> View:
    """Of TCP alone: at layer 7 there is none, and of UDP only the listing has the field."""
    if one.protocol != "tcp":
        return {}
    if one.connection_drain_seconds is None:
        return {"ConnectionDrain": "off"}
    return {"ConnectionDrain": "on", "ConnectionDrainTimeout": one.connection_drain_seconds}


def _session_persistence(one: Listener) -> View:
    """By address at layer 4, where 0 is off and UDP has none; by cookie at layer 7."""
    if one.protocol == "udp":
        return {}
    if one.protocol == "tcp":
        return {"PersistenceTimeout": one.sticky_seconds or 0}
    if one.sticky_seconds is None:
        return {"StickySession": "off"}
    return {
        "StickySession": "on",
        "StickySessionType": "insert",
        "CookieTimeout": one.sticky_seconds,
    }


def _vserver_server(backend: Backend) -> View:
    return {
        "ServerId": backend.server_id,
        "Port": backend.port,
        "Weight": backend.weight,
        "Type": backend.type,
        **description(backend),
    }


def description(backend: Backend) -> View:
    """The field of that name, absent where there is none."""
    return {"Description": backend.description} if backend.description else {}
