"""The CLB part of a seed: load balancers with their groups and listeners."""

from __future__ import annotations

from mock_slb.clb.balancer import LoadBalancer
from mock_slb.clb.fleet import Fleet
from mock_slb.clb.group import ServerGroup
from mock_slb.core.fields import Fields, InputError
from mock_slb.core.resources import DEFAULT_VPC, HealthCheck
from mock_slb.core.seed_parts import at, health_check

PROTOCOLS = ("tcp", "udp", "http", "https")
DEFAULT_CHECK = HealthCheck()


def read_load_balancer(fleet: Fleet, fields: Fields) -> None:
    """Make the CLB instance that the fields describe. Raises InputError."""
    id_, name = fields.text("id"), fields.optional_text("name") or ""
    tags, region = fields.texts("tags"), fields.optional_text("region")
    vpc_id = fields.text("vpc_id", DEFAULT_VPC)
    balancer = at(
        fields.where,
        lambda: fleet.add_load_balancer(id_, name=name, tags=tags, region=region, vpc_id=vpc_id),
    )
    for server in fields.children("servers"):
        _server(balancer.default_group, server)
    for group in fields.children("vserver_groups"):
        _vserver_group(balancer, group)
    for group in fields.children("master_slave_groups"):
        _master_slave_group(balancer, group)
    for listener in fields.children("listeners"):
        _listener(balancer, listener)
    fields.done()


def _vserver_group(balancer: LoadBalancer, fields: Fields) -> None:
    id_, name = fields.text("id"), fields.optional_text("name") or ""
    tags = fields.texts("tags")
    group = at(fields.where, lambda: balancer.add_vserver_group(id_, name=name, tags=tags))
    for server in fields.children("servers"):
        _server(group, server)
    fields.done()


def _master_slave_group(balancer: LoadBalancer, fields: Fields) -> None:
    id_, name = fields.text("id"), fields.optional_text("name") or ""
    tags = fields.texts("tags")
    servers = []
    for place in ("master", "slave"):
        server = fields.child(place)
        if server is None:
            raise InputError(f"{fields.place(place)} must be a server with id and port")
        servers.append((server.text("id"), server.whole("port", low=1, high=65535)))
        server.done()
    fields.done()
    master, slave = servers
    at(
        fields.where,
        lambda: balancer.add_master_slave_group(
            id_, master=master, slave=slave, name=name, tags=tags
        ),
    )


def _server(group: ServerGroup, fields: Fields) -> None:
    id_ = fields.text("id")
    port = fields.whole("port", low=1, high=65535) if group.ports else 0
    weight = fields.whole("weight", 100, high=100)
    description = fields.optional_text("description") or ""
    fields.done()
    at(
        fields.where,
        lambda: group.add_server(id_, port=port, weight=weight, description=description),
    )


def _listener(balancer: LoadBalancer, fields: Fields) -> None:
    port = fields.whole("port", low=1, high=65535)
    protocol = fields.choice("protocol", PROTOCOLS, "tcp")
    backend_port = fields.optional_whole("backend_port", low=1, high=65535)
    vserver_group = fields.optional_text("vserver_group")
    master_slave_group = fields.optional_text("master_slave_group")
    scheduler = fields.choice("scheduler", ("wrr", "rr", "wlc", "sch", "tch", "qch"), "wrr")
    draining = fields.optional_whole("connection_drain", low=10, high=900)
    sticky = fields.optional_whole("session_persistence", low=1, high=86400)
    status = fields.choice("status", ("running", "stopped"), "running")
    check_fields = fields.child("health_check")
    check = health_check(check_fields, DEFAULT_CHECK) if check_fields is not None else None
    fields.done()
    at(
        fields.where,
        lambda: balancer.add_listener(
            port,
            protocol,
            backend_port=backend_port,
            vserver_group=vserver_group,
            master_slave_group=master_slave_group,
            health_check=check,
            scheduler=scheduler,
            connection_drain_seconds=draining,
            sticky_seconds=sticky,
            status=status,
        ),
    )
