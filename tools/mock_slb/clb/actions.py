"""CLB (Slb 2014-05-15): from the parameters of an action to calls on the model, and back.

Names, nesting and types of what is answered are those of the public API reference, oddities
included: `ListenerPortsAndProtocal`, and weights that come back as strings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mock_slb.clb import errors, group_listing, parameters, tags, views
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.clb.fleet import Fleet
from mock_slb.clb.group import ServerGroup
from mock_slb.clb.listing import describe_listeners, describe_load_balancers
from mock_slb.clb.resources import Listener

VERSION = "2014-05-15"

Params = Mapping[str, str]
Answer = dict[str, object]
Action = Callable[[Fleet, Params], Answer]


def add_backend_servers(fleet: Fleet, params: Params) -> Answer:
    """AddBackendServers: put servers into the default group."""
    balancer = _load_balancer(fleet, params)
    balancer.default_group.add(parameters.to_add(params, "BackendServers", ports=False))
    return _default_group(balancer, weight=str)


def set_backend_servers(fleet: Fleet, params: Params) -> Answer:
    """SetBackendServers: change weights in the default group."""
    balancer = _load_balancer(fleet, params)
    balancer.default_group.change(parameters.to_add(params, "BackendServers", ports=False))
    return _default_group(balancer, weight=str)


def remove_backend_servers(fleet: Fleet, params: Params) -> Answer:
    """RemoveBackendServers: take servers out of the default group."""
    balancer = _load_balancer(fleet, params)
    balancer.default_group.remove(parameters.to_remove(params, "BackendServers", ports=False))
    return _default_group(balancer, weight=int)


def describe_load_balancer_attribute(fleet: Fleet, params: Params) -> Answer:
    """DescribeLoadBalancerAttribute: the instance, its listeners and its default group."""
    return views.load_balancer_attribute(_load_balancer(fleet, params))


def add_vserver_group_backend_servers(fleet: Fleet, params: Params) -> Answer:
    """AddVServerGroupBackendServers: put servers into a vServer group."""
    group = _vserver_group(fleet, params)
    group.add(parameters.to_add(params, "BackendServers", ports=True))
    return views.vserver_group(group)


def remove_vserver_group_backend_servers(fleet: Fleet, params: Params) -> Answer:
    """RemoveVServerGroupBackendServers: take servers out of a vServer group."""
    group = _vserver_group(fleet, params)
    group.remove(parameters.to_remove(params, "BackendServers", ports=True))
    return views.vserver_group(group, described=False)


def set_vserver_group_attribute(fleet: Fleet, params: Params) -> Answer:
    """SetVServerGroupAttribute: change weights in a vServer group, or its name."""
    group = _vserver_group(fleet, params)
    if params.get("BackendServers"):
        group.change(parameters.to_add(params, "BackendServers", ports=True))
    if params.get("VServerGroupName"):
        group.name = params["VServerGroupName"]
    return {**views.vserver_group(group), "VServerGroupName": group.name}


def modify_vserver_group_backend_servers(fleet: Fleet, params: Params) -> Answer:
    """ModifyVServerGroupBackendServers: replace servers of a vServer group by others."""
    group = _vserver_group(fleet, params)
    group.exchange(
        parameters.to_remove(params, "OldBackendServers", ports=True),
        parameters.to_add(params, "NewBackendServers", ports=True),
    )
    return views.vserver_group(group)


def describe_vserver_group_attribute(fleet: Fleet, params: Params) -> Answer:
    """DescribeVServerGroupAttribute: a vServer group and the load balancer it belongs to."""
    return views.vserver_group_attribute(_vserver_group(fleet, params))


def describe_health_status(fleet: Fleet, params: Params) -> Answer:
    """DescribeHealthStatus: each server behind each listener, or behind the one that is named."""
    balancer = _load_balancer(fleet, params)
    return views.health_status(balancer, _listeners(balancer, params))


def describe_listener_attribute(protocol: str) -> Action:
    """DescribeLoadBalancerTCPListenerAttribute and the like: one listener of this protocol."""

    def action(fleet: Fleet, params: Params) -> Answer:
        balancer = _load_balancer(fleet, params)
        listener = balancer.listeners.get(f"{protocol}:{int(params['ListenerPort'])}")
        if listener is None:
            raise errors.listener_not_found()
        return views.listener_attribute(balancer, listener)

    return action


def describe_regions(fleet: Fleet, _: Params) -> Answer:
    """DescribeRegions: that of the account, and those where it has load balancers."""
    regions = [fleet.account.region, *(one.region for one in fleet.load_balancers.values())]
    return {
        "Regions": {
            "Region": [
                {
                    "RegionId": region,
                    "LocalName": region,
                    "RegionEndpoint": f"slb.{region}.aliyuncs.com",
                }
                for region in dict.fromkeys(regions)
            ]
        }
    }


ACTIONS: Mapping[str, Action] = {
    "AddBackendServers": add_backend_servers,
    "SetBackendServers": set_backend_servers,
    "RemoveBackendServers": remove_backend_servers,
    "DescribeLoadBalancerAttribute": describe_load_balancer_attribute,
    "AddVServerGroupBackendServers": add_vserver_group_backend_servers,
    "RemoveVServerGroupBackendServers": remove_vserver_group_backend_servers,
    "SetVServerGroupAttribute": set_vserver_group_attribute,
    "ModifyVServerGroupBackendServers": modify_vserver_group_backend_servers,
    "DescribeVServerGroupAttribute": describe_vserver_group_attribute,
    "DescribeVServerGroups": group_listing.describe_vserver_groups,
    "DescribeMasterSlaveServerGroups": group_listing.describe_master_slave_server_groups,
    "DescribeMasterSlaveServerGroupAttribute": (
        group_listing.describe_master_slave_server_group_attribute
    ),
    "DescribeHealthStatus": describe_health_status,
    "DescribeLoadBalancers": describe_load_balancers,
    "DescribeLoadBalancerListeners": describe_listeners,
    **{
        f"DescribeLoadBalancer{protocol}ListenerAttribute": describe_listener_attribute(
            protocol.lower()
        )
        for protocol in ("TCP", "UDP", "HTTP", "HTTPS")
    },
    "DescribeRegions": describe_regions,
    "DescribeTags": tags.describe_tags,
    "ListTagResources": tags.list_tag_resources,
}


def _load_balancer(fleet: Fleet, params: Params) -> LoadBalancer:
    return fleet.load_balancer(params["LoadBalancerId"], params.get("RegionId"))


def _vserver_group(fleet: Fleet, params: Params) -> ServerGroup:
    group = fleet.group(params["VServerGroupId"])
    if fleet.load_balancers[group.load_balancer_id].region != params["RegionId"]:
        raise errors.vserver_group_not_found()
    return group


def _listeners(balancer: LoadBalancer, params: Params) -> list[Listener]:
    port, protocol = params.get("ListenerPort"), params.get("ListenerProtocol")
    listeners = [
        one
        for one in balancer.listeners.values()
        if (not port or one.port == int(port)) and (not protocol or one.protocol == protocol)
    ]
    if (port or protocol) and not listeners:
        raise errors.listener_not_found()
    if port and len(listeners) > 1:
        raise errors.too_many_listeners()
    return listeners


def _default_group(balancer: LoadBalancer, *, weight: type[int] | type[str]) -> Answer:
    return {
        "LoadBalancerId": balancer.id,
        "BackendServers": {
            "BackendServer": [
                views.default_server(b, weight=weight(b.weight))
                for b in balancer.default_group.servers()
            ]
        },
    }
