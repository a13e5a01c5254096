"""CLB's things as JSON, for tests to assert on and for the page."""

from __future__ import annotations

from mock_slb.clb.balancer import LoadBalancer
from mock_slb.clb.fleet import Fleet
from mock_slb.clb.group import ServerGroup
from mock_slb.clb.resources import Backend, Listener

View = dict[str, object]


def snapshot_fleet(fleet: Fleet) -> View:
    """Load balancers at one moment. The account's lock is held."""
    return {id_: _load_balancer(one) for id_, one in fleet.load_balancers.items()}


def _load_balancer(balancer: LoadBalancer) -> View:
    return {
        "name": balancer.name,
        "region": balancer.region,
        "status": balancer.status,
        "vpc_id": balancer.vpc_id,
        "tags": dict(balancer.tags),
        "listeners": {one.name: _listener(one) for one in balancer.listeners.values()},
        "servers": _servers(balancer, balancer.default_group),
        "vserver_groups": {
            group.id: {"name": group.name, "servers": _servers(balancer, group)}
            for group in balancer.vserver_groups()
        },
        "master_slave_groups": {
            group.id: {"name": group.name, "servers": _servers(balancer, group)}
            for group in balancer.master_slave_groups()
        },
    }


def _listener(listener: Listener) -> View:
    return {
        "port": listener.port,
        "protocol": listener.protocol,
        "backend_port": listener.backend_port,
        "vserver_group_id": listener.vserver_group_id,
        "master_slave_group_id": listener.master_slave_group_id,
        "health_check": listener.health_check.type if listener.health_check else None,
        "scheduler": listener.scheduler,
        "status": listener.status,
    }


def _servers(balancer: LoadBalancer, group: ServerGroup) -> list[View]:
    listeners = [
        one for one in balancer.listeners.values() if balancer.group_of(one).id == group.id
    ]
    return [_server(balancer, listeners, backend) for backend in group.servers()]


def _server(balancer: LoadBalancer, listeners: list[Listener], backend: Backend) -> View:
    view: View = {
        "server_id": backend.server_id,
        "weight": backend.weight,
        "type": backend.type,
        "server_ip": backend.server_ip,
        "description": backend.description,
        "health": {one.name: balancer.health(one, backend) for one in listeners},
    }
    if backend.port:
        view["port"] = backend.port
    return view
