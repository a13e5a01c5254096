"""CLB's listings of groups, and its active/standby groups, which are only ever read here."""

from __future__ import annotations

from collections.abc import Mapping

from mock_slb import clb_views, errors
from mock_slb.clb_listing import passes_tags, wanted_tags
from mock_slb.groups import ServerGroup
from mock_slb.model import Account, LoadBalancer

Params = Mapping[str, str]
View = dict[str, object]


def describe_vserver_groups(account: Account, params: Params) -> View:
    """DescribeVServerGroups: the vServer groups of a load balancer."""
    balancer = _load_balancer(account, params)
    views = [
        {
            "VServerGroupId": group.id,
            "VServerGroupName": group.name,
            "ServerCount": len(group.servers()),
            **_common(balancer, group, params),
        }
        for group in balancer.vserver_groups()
        if _passes(group, params)
    ]
    return {"VServerGroups": {"VServerGroup": views}}


def describe_master_slave_server_groups(account: Account, params: Params) -> View:
    """DescribeMasterSlaveServerGroups: the active/standby groups of a load balancer."""
    balancer = _load_balancer(account, params)
    views = [
        {
            "MasterSlaveServerGroupId": group.id,
            "MasterSlaveServerGroupName": group.name,
            **_common(balancer, group, params),
        }
        for group in balancer.master_slave_groups()
        if _passes(group, params)
    ]
    return {"MasterSlaveServerGroups": {"MasterSlaveServerGroup": views}}


def describe_master_slave_server_group_attribute(account: Account, params: Params) -> View:
    """DescribeMasterSlaveServerGroupAttribute: the two servers, the active one first."""
    id_ = params.get("MasterSlaveServerGroupId")
    if not id_:
        raise errors.missing_parameter("MasterSlaveServerGroupId")
    group = account.master_slave_group(id_)
    balancer = account.load_balancers[group.load_balancer_id]
    if balancer.region != params.get("RegionId", account.region):
        raise errors.master_slave_group_not_found()
    servers = [
        {
            "ServerId": backend.server_id,
            "Port": backend.port,
            "Weight": backend.weight,
            "Type": backend.type,
            "ServerType": backend.server_type,
            "Description": backend.description,
        }
        for backend in group.servers()
    ]
    return {
        "MasterSlaveServerGroupId": group.id,
        "MasterSlaveServerGroupName": group.name,
        "LoadBalancerId": group.load_balancer_id,
        "CreateTime": clb_views.utc(group.created_at),
        "Tags": clb_views.tags(group.tags_seen()),
        "MasterSlaveBackendServers": {"MasterSlaveBackendServer": servers},
    }


def _passes(group: ServerGroup, params: Params) -> bool:
    return passes_tags(wanted_tags(params), group.tags_seen())


def _common(balancer: LoadBalancer, group: ServerGroup, params: Params) -> View:
    view: View = {
        "CreateTime": clb_views.utc(group.created_at),
        "Tags": clb_views.tags(group.tags_seen()),
    }
    if params.get("IncludeListener", "").lower() == "true":
        listeners = [
            {"Port": listener.port, "Protocol": listener.protocol}
            for listener in balancer.listeners.values()
            if balancer.group_of(listener) is group
        ]
        view["AssociatedObjects"] = {"Listeners": {"Listener": listeners}}
    return view


def _load_balancer(account: Account, params: Params) -> LoadBalancer:
    id_ = params.get("LoadBalancerId")
    if not id_:
        raise errors.missing_parameter("LoadBalancerId")
    return account.load_balancer(id_, params.get("RegionId"))
