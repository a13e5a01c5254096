"""The whole account as JSON, for tests to assert on and for the page. It holds no secrets."""

from __future__ import annotations

from mock_slb.account.account import Account, LoadBalancer
from mock_slb.alb_nlb.snapshot import snapshot_fleet
from mock_slb.clb.group import ServerGroup
from mock_slb.core.resources import Backend, Listener

View = dict[str, object]


def snapshot(account: Account) -> View:
    """Everything in the account at one moment; lists keep the order in which things were added."""
    with account.lock:
        return {
            "region": account.region,
            "already_there": account.already_there,
            "address_taken": account.address_taken,
            "metadata_mode": account.metadata_mode,
            "clock_offset_seconds": account.clock_offset_seconds,
            "change_seconds": account.change_seconds,
            "read_lag_seconds": account.read_lag_seconds,
            "forced_health": dict(account.forced_health),
            "ecs_access": {
                "denied": account.ecs_access.denied,
                "hidden": sorted(account.ecs_access.hidden),
            },
            "quotas": account.quotas.view(),
            "roles": {role.name: role.arn for role in account.keys.roles()},
            "instances": {
                i.id: {
                    "type": i.type,
                    "running": i.running,
                    "self": i.is_self,
                    "host": i.host,
                    "ports": {str(port): real for port, real in i.ports.items()},
                    "private_ip": i.private_ip,
                    "zone_id": i.zone_id,
                }
                for i in account.instances()
            },
            "load_balancers": {
                id_: _load_balancer(one) for id_, one in account.load_balancers.items()
            },
            "alb": snapshot_fleet(account.alb),
            "nlb": snapshot_fleet(account.nlb),
        }


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
