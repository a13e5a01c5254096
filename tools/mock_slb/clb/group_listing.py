"""CLB's listings of groups, and its active/standby groups, which are only ever read here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mock_slb.clb import errors, views
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.clb.fleet import Fleet
from mock_slb.clb.group import ServerGroup
from mock_slb.contract import contracts
from mock_slb.core.filters import Listing
from mock_slb.core.moments import utc

Params = Mapping[str, str]
View = dict[str, object]


def describe_vserver_groups(fleet: Fleet, params: Params) -> View:
    """DescribeVServerGroups: the vServer groups of a load balancer."""
    balancer = fleet.load_balancer(params["LoadBalancerId"], params["RegionId"])

    def view(group: ServerGroup) -> View:
        return {
            "VServerGroupId": group.id,
            "VServerGroupName": group.name,
            "ServerCount": len(group.servers()),
            **_common(balancer, group, params),
        }

    listing = Listing(
        contracts("slb")["DescribeVServerGroups"],
        view,
        special={"LoadBalancerId": lambda _: [balancer.id]},
        tags=ServerGroup.tags_seen,
    )
    groups = listing.passing(_seen(fleet, balancer.vserver_groups()), params)
    return {"VServerGroups": {"VServerGroup": groups}}


def describe_master_slave_server_groups(fleet: Fleet, params: Params) -> View:
    """DescribeMasterSlaveServerGroups: the active/standby groups of a load balancer."""
    balancer = fleet.load_balancer(params["LoadBalancerId"], params["RegionId"])

    def view(group: ServerGroup) -> View:
        return {
            "MasterSlaveServerGroupId": group.id,
            "MasterSlaveServerGroupName": group.name,
            **_common(balancer, group, params),
        }

    listing = Listing(
        contracts("slb")["DescribeMasterSlaveServerGroups"],
        view,
        special={"LoadBalancerId": lambda _: [balancer.id]},
        tags=ServerGroup.tags_seen,
    )
    groups = listing.passing(_seen(fleet, balancer.master_slave_groups()), params)
    return {"MasterSlaveServerGroups": {"MasterSlaveServerGroup": groups}}


def describe_master_slave_server_group_attribute(fleet: Fleet, params: Params) -> View:
    """DescribeMasterSlaveServerGroupAttribute: the two servers, the active one first."""
    group = fleet.master_slave_group(params["MasterSlaveServerGroupId"])
    balancer = fleet.load_balancers[group.load_balancer_id]
    if balancer.region != params["RegionId"]:
        raise errors.master_slave_group_not_found()
    servers = [
        {
            "ServerId": backend.server_id,
            "Port": backend.port,
            "Weight": backend.weight,
            "Type": backend.type,
            "ServerType": backend.server_type,
            **views.description(backend),
        }
        for backend in group.servers()
    ]
    return {
        "MasterSlaveServerGroupId": group.id,
        "MasterSlaveServerGroupName": group.name,
        "LoadBalancerId": group.load_balancer_id,
        "CreateTime": utc(group.created_at),
        "Tags": views.tags(group.tags_seen()),
        "MasterSlaveBackendServers": {"MasterSlaveBackendServer": servers},
    }


def _seen(fleet: Fleet, groups: Iterable[ServerGroup]) -> list[ServerGroup]:
    return [group for group in groups if fleet.account.sees(group.created_at)]


def _common(balancer: LoadBalancer, group: ServerGroup, params: Params) -> View:
    view: View = {
        "CreateTime": utc(group.created_at),
        "Tags": views.tags(group.tags_seen()),
    }
    related: View = {}
    if params.get("IncludeListener", "").lower() == "true":
        listeners = [
            {"Port": listener.port, "Protocol": listener.protocol}
            for listener in balancer.listeners.values()
            if balancer.group_of(listener) is group
        ]
        related["Listeners"] = {"Listener": listeners}
    if params.get("IncludeRule", "").lower() == "true":
        related["Rules"] = {"Rule": []}  # this model has no forwarding rules
    if related:
        view["AssociatedObjects"] = related
    return view
