"""One product's things as JSON, for tests to assert on and for the page."""

from __future__ import annotations

from mock_slb.alb_nlb.balancer import Balancer
from mock_slb.alb_nlb.fleet import Fleet
from mock_slb.alb_nlb.group import ServerGroup
from mock_slb.alb_nlb.resources import GroupServer, Route

View = dict[str, object]


def snapshot_fleet(fleet: Fleet) -> View:
    """Load balancers and server groups at one moment. The account's lock is held."""
    return {
        "load_balancers": {one.id: _balancer(one) for one in fleet.balancers()},
        "server_groups": {one.id: _group(fleet, one) for one in fleet.groups()},
    }


def routes_to(fleet: Fleet, group: ServerGroup) -> list[tuple[Balancer, Route]]:
    """Every way to a server group."""
    return [
        (balancer, route)
        for balancer in fleet.balancers()
        for route in balancer.routes()
        if route.server_group_id == group.id
    ]


def _balancer(balancer: Balancer) -> View:
    return {
        "name": balancer.name,
        "region": balancer.region,
        "vpc_id": balancer.vpc_id,
        "status": balancer.status,
        "zone_ids": list(balancer.zone_ids),
        "cross_zone": balancer.cross_zone,
        "tags": dict(balancer.tags),
        "listeners": {
            one.id: {
                "port": one.port,
                "protocol": one.protocol,
                "status": one.status,
                "server_group_id": one.server_group_id,
                "rules": {rule.id: rule.server_group_id for rule in one.rules},
            }
            for one in balancer.listeners.values()
        },
    }


def _group(fleet: Fleet, group: ServerGroup) -> View:
    routes = routes_to(fleet, group)
    return {
        "name": group.name,
        "type": group.type,
        "region": group.region,
        "vpc_id": group.vpc_id,
        "status": group.status,
        "troubles": group.troubles(),
        "any_port": group.any_port,
        "tags": dict(group.tags),
        "health_check": group.health_check.type if group.health_check else None,
        "servers": [_server(routes, server) for server in group.servers()],
    }


def _server(routes: list[tuple[Balancer, Route]], server: GroupServer) -> View:
    return {
        "server_id": server.server_id,
        "server_ip": server.server_ip,
        "port": server.port,
        "type": server.type,
        "weight": server.weight,
        "status": server.status,
        "description": server.description,
        "health": {route.name: balancer.health(route, server) for balancer, route in routes},
    }
