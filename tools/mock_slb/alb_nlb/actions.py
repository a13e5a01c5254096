"""The actions that ALB and NLB have in common: from parameters to the model, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from mock_slb.alb_nlb import errors, parameters
from mock_slb.alb_nlb import tags as group_tags
from mock_slb.alb_nlb.balancer import Balancer
from mock_slb.alb_nlb.fleet import Fleet
from mock_slb.alb_nlb.group import ServerGroup
from mock_slb.alb_nlb.parameters import Params
from mock_slb.alb_nlb.resources import GroupListener, GroupServer
from mock_slb.alb_nlb.views import Views
from mock_slb.contract import contracts
from mock_slb.core.filters import Listing, listed, passes_tags, tags

View = dict[str, object]
Action = Callable[[Fleet, Params], View]
T = TypeVar("T")


class Actions:
    """The actions on one product's things in one account."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._product = fleet.product
        self._views = Views(fleet.product)
        self._contracts = contracts(fleet.product.name.lower())

    def add_servers(self, params: Params) -> View:
        """AddServersToServerGroup."""
        group = self._group(params)
        servers = parameters.servers(self._product, params)
        group.check_ports(server.port for server in servers)
        return self._views.job_started(
            group.add(servers, dry_run=parameters.flag(params, "DryRun"))
        )

    def remove_servers(self, params: Params) -> View:
        """RemoveServersFromServerGroup."""
        group = self._group(params)
        keys = parameters.keys(self._product, params)
        group.check_ports(key.port for key in keys)
        return self._views.job_started(
            group.remove(keys, dry_run=parameters.flag(params, "DryRun"))
        )

    def update_servers(self, params: Params) -> View:
        """UpdateServerGroupServersAttribute: weights and descriptions."""
        group = self._group(params)
        servers = parameters.servers(self._product, params)
        group.check_ports(server.port for server in servers)
        return self._views.job_started(
            group.update(servers, dry_run=parameters.flag(params, "DryRun"))
        )

    def list_servers(self, params: Params) -> View:
        """ListServerGroupServers: of one group, or of all."""
        groups = [self._group(params)] if params.get("ServerGroupId") else self._groups(params)
        listing: Listing[tuple[ServerGroup, GroupServer]] = Listing(
            self._contracts["ListServerGroupServers"],
            lambda one: self._views.server(*one),
            tags=lambda one: one[0].tags_seen(),
        )
        servers = ((group, server) for group in groups for server in group.servers())
        return self._page(params, "Servers", listing, servers)

    def list_groups(self, params: Params) -> View:
        """ListServerGroups: those that pass every filter given."""
        listing: Listing[ServerGroup] = Listing(
            self._contracts["ListServerGroups"],
            lambda group: self._views.server_group(self._fleet, group),
            tags=ServerGroup.tags_seen,
        )
        return self._page(params, "ServerGroups", listing, self._groups(params))

    def list_balancers(self, params: Params) -> View:
        """ListLoadBalancers: those that pass every filter given."""
        listing: Listing[Balancer] = Listing(
            self._contracts["ListLoadBalancers"],
            self._views.load_balancer,
            special={
                "ZoneId": lambda one: one.zone_ids,
                "PayType": lambda _: ["PostPay"],
            },
            tags=Balancer.tags_seen,
        )
        return self._page(params, "LoadBalancers", listing, self._balancers(params))

    def list_listeners(self, params: Params) -> View:
        """ListListeners: with the server group that each sends its requests to by default."""
        listing: Listing[tuple[Balancer, GroupListener]] = Listing(
            self._contracts["ListListeners"],
            lambda one: self._views.listener(*one),
            tags=lambda one: one[1].tags,
        )
        listeners = (
            (balancer, listener)
            for balancer in self._balancers(params)
            for listener in balancer.listeners.values()
        )
        return self._page(params, "Listeners", listing, listeners)

    def get_load_balancer_attribute(self, params: Params) -> View:
        """GetLoadBalancerAttribute."""
        for balancer in self._balancers(params):
            if balancer.id == params["LoadBalancerId"]:
                return self._views.load_balancer_attribute(balancer)
        raise errors.load_balancer_not_found(self._product)

    def list_tag_resources(self, params: Params) -> View:
        """ListTagResources: the tags of things that are named, or that have certain tags."""
        ids, wanted = listed(params, "ResourceId"), tags(params)
        if not ids and not wanted:
            raise errors.missing(self._product, "ResourceId")
        things = group_tags.things(
            params["ResourceType"], self._product, self._balancers(params), self._groups(params)
        )
        for id_ in ids:
            if id_ not in things:
                raise group_tags.not_found(params["ResourceType"], self._product)
        found = [
            self._views.tag(self._fleet, group_tags.TagOf(params["ResourceType"], id_, key, value))
            for id_, has in things.items()
            if (not ids or id_ in ids) and passes_tags(wanted, has)
            for key, value in has.items()
        ]
        page = parameters.page(params, len(found))
        answer = {**page.fields(), "TagResources": page.cut(found)}
        told = self._contracts["ListTagResources"].response  # ALB tells no TotalCount here
        return {name: value for name, value in answer.items() if name in told}

    def _page(self, params: Params, name: str, listing: Listing[T], things: Iterable[T]) -> View:
        found = listing.passing(things, params)
        page = parameters.page(params, len(found))
        return {**page.fields(), name: page.cut(found)}

    def _listener(self, params: Params) -> tuple[Balancer, GroupListener]:
        return self._fleet.listener(params["ListenerId"], params.get("RegionId"))

    def _group(self, params: Params) -> ServerGroup:
        return self._fleet.group(params["ServerGroupId"], params.get("RegionId"))

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


A = TypeVar("A", bound=Actions)

COMMON: Mapping[str, Callable[[Actions, Params], View]] = {
    "AddServersToServerGroup": Actions.add_servers,
    "RemoveServersFromServerGroup": Actions.remove_servers,
    "UpdateServerGroupServersAttribute": Actions.update_servers,
    "ListServerGroupServers": Actions.list_servers,
    "ListServerGroups": Actions.list_groups,
    "ListLoadBalancers": Actions.list_balancers,
    "ListListeners": Actions.list_listeners,
    "GetLoadBalancerAttribute": Actions.get_load_balancer_attribute,
    "ListTagResources": Actions.list_tag_resources,
}


def on_fleet(
    kind: Callable[[Fleet], A], methods: Mapping[str, Callable[[A, Params], View]]
) -> Mapping[str, Action]:
    """Methods of a class of actions, by the names of the actions."""

    def whole(method: Callable[[A, Params], View]) -> Action:
        return lambda fleet, params: method(kind(fleet), params)

    return {name: whole(method) for name, method in methods.items()}
