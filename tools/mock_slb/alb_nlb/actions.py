"""The actions that ALB and NLB have in common: from parameters to the model, and back.

What they answer with differs, so each product hands in its own views.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mock_slb.alb_nlb import parameters
from mock_slb.alb_nlb.balancer import Balancer
from mock_slb.alb_nlb.fleet import Fleet
from mock_slb.alb_nlb.group import ServerGroup
from mock_slb.alb_nlb.jobs import Job
from mock_slb.alb_nlb.parameters import Params
from mock_slb.alb_nlb.resources import GroupListener, GroupServer

View = dict[str, object]


@dataclass(frozen=True)
class Views:
    """How one product describes its things."""

    job: Callable[[Job], View]
    server: Callable[[ServerGroup, GroupServer], View]
    server_group: Callable[[Fleet, ServerGroup], View]
    load_balancer: Callable[[Balancer], View]
    listener: Callable[[Balancer, GroupListener], View]


class Actions:
    """The actions on one product's things in one account."""

    def __init__(self, fleet: Fleet, views: Views) -> None:
        self._fleet = fleet
        self._product = fleet.product
        self._views = views

    def add_servers(self, params: Params) -> View:
        """AddServersToServerGroup."""
        group = self._group(params)
        servers = parameters.servers(self._product, params, self._product.max_servers)
        return self._views.job(group.add(servers, dry_run=parameters.flag(params, "DryRun")))

    def remove_servers(self, params: Params) -> View:
        """RemoveServersFromServerGroup."""
        group = self._group(params)
        keys = parameters.keys(self._product, params, self._product.max_servers)
        return self._views.job(group.remove(keys, dry_run=parameters.flag(params, "DryRun")))

    def update_servers(self, params: Params) -> View:
        """UpdateServerGroupServersAttribute: weights and descriptions."""
        group = self._group(params)
        servers = parameters.servers(self._product, params, self._product.max_servers_to_update)
        return self._views.job(group.update(servers, dry_run=parameters.flag(params, "DryRun")))

    def list_servers(self, params: Params) -> View:
        """ListServerGroupServers: of one group, or of all."""
        groups = [self._group(params)] if params.get("ServerGroupId") else self._groups(params)
        ids = parameters.listed(params, "ServerIds")
        addresses = parameters.listed(params, "ServerIps")
        found = [
            self._views.server(group, server)
            for group in groups
            for server in group.servers()
            if (not ids or server.server_id in ids)
            and (not addresses or server.server_ip in addresses)
        ]
        page = parameters.page(params, len(found))
        return {**page.fields(), "Servers": page.cut(found)}

    def list_groups(self, params: Params) -> View:
        """ListServerGroups: those that pass every filter given."""
        wanted_tags = parameters.tags(params)
        ids = parameters.listed(params, "ServerGroupIds")
        names = parameters.listed(params, "ServerGroupNames")
        found = [
            group
            for group in self._groups(params)
            if (not ids or group.id in ids)
            and (not names or group.name in names)
            and params.get("ServerGroupType", group.type) == group.type
            and params.get("VpcId", group.vpc_id) == group.vpc_id
            and parameters.passes_tags(wanted_tags, group.tags_seen())
        ]
        page = parameters.page(params, len(found))
        views = [self._views.server_group(self._fleet, group) for group in page.cut(found)]
        return {**page.fields(), "ServerGroups": views}

    def list_balancers(self, params: Params) -> View:
        """ListLoadBalancers: those that pass every filter given."""
        wanted_tags = parameters.tags(params)
        filters: Mapping[str, Callable[[Balancer], str]] = {
            "LoadBalancerIds": lambda one: one.id,
            "LoadBalancerNames": lambda one: one.name,
            "VpcIds": lambda one: one.vpc_id,
        }
        wanted = {name: parameters.listed(params, name) for name in filters}
        found = [
            balancer
            for balancer in self._balancers(params)
            if all(not wanted[name] or of(balancer) in wanted[name] for name, of in filters.items())
            and params.get("LoadBalancerStatus", balancer.status) == balancer.status
            and parameters.passes_tags(wanted_tags, balancer.tags_seen())
        ]
        page = parameters.page(params, len(found))
        views = [self._views.load_balancer(balancer) for balancer in page.cut(found)]
        return {**page.fields(), "LoadBalancers": views}

    def list_listeners(self, params: Params) -> View:
        """ListListeners: with the server group that each sends its requests to by default."""
        wanted_tags = parameters.tags(params)
        balancer_ids = parameters.listed(params, "LoadBalancerIds")
        ids = parameters.listed(params, "ListenerIds")
        found = [
            (balancer, listener)
            for balancer in self._balancers(params)
            if not balancer_ids or balancer.id in balancer_ids
            for listener in balancer.listeners.values()
            if (not ids or listener.id in ids)
            and params.get("ListenerProtocol", listener.protocol) == listener.protocol
            and parameters.passes_tags(wanted_tags, listener.tags)
        ]
        page = parameters.page(params, len(found))
        return {
            **page.fields(),
            "Listeners": [self._views.listener(*one) for one in page.cut(found)],
        }

    def _group(self, params: Params) -> ServerGroup:
        id_ = parameters.required(self._product, params, "ServerGroupId")
        return self._fleet.group(id_, params.get("RegionId"))

    def _groups(self, params: Params) -> list[ServerGroup]:
        account = self._fleet.account
        region = params.get("RegionId") or account.region
        groups = self._fleet.groups()
        return [g for g in groups if g.region == region and account.sees(g.created_at)]

    def _balancers(self, params: Params) -> list[Balancer]:
        account = self._fleet.account
        region = params.get("RegionId") or account.region
        balancers = self._fleet.balancers()
        return [b for b in balancers if b.region == region and account.sees(b.created_at)]
