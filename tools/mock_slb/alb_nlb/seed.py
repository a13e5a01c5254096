"""One product's part of a seed: server groups, load balancers, listeners, rules."""

from __future__ import annotations

from mock_slb.alb_nlb.balancer import Balancer
from mock_slb.alb_nlb.fleet import Fleet
from mock_slb.alb_nlb.group import ServerGroup
from mock_slb.alb_nlb.resources import INSTANCE_GROUP, IP_GROUP
from mock_slb.core.fields import Fields
from mock_slb.core.resources import DEFAULT_VPC
from mock_slb.core.seed_parts import at, health_check

SERVER_TYPES = ("Ecs", "Eni", "Eci", "Ip")


def read_fleet(fleet: Fleet, fields: Fields) -> None:
    """Make what the fields describe. Raises InputError."""
    for group in fields.children("server_groups"):
        _server_group(fleet, group)
    for balancer in fields.children("load_balancers"):
        _load_balancer(fleet, balancer)
    fields.done()


def _server_group(fleet: Fleet, fields: Fields) -> None:
    id_, name = fields.text("id"), fields.optional_text("name") or ""
    type_ = fields.choice("type", fleet.product.group_types, INSTANCE_GROUP)
    tags, vpc_id = fields.texts("tags"), fields.text("vpc_id", DEFAULT_VPC)
    region, ipv6 = fields.optional_text("region"), fields.flag("ipv6", False)
    any_port = fields.flag("any_port", False)
    draining = fields.optional_whole("connection_drain", high=900)
    sticky = fields.optional_whole("session_persistence", low=1, high=86400)
    check_fields, default = fields.child("health_check"), fleet.product.default_check
    check = health_check(check_fields, default) if check_fields is not None else None
    group = at(
        fields.where,
        lambda: fleet.add_server_group(
            id_,
            type=type_,
            name=name,
            vpc_id=vpc_id,
            tags=tags,
            region=region,
            health_check=check,
            ipv6=ipv6,
            any_port=any_port,
            connection_drain_seconds=draining,
            sticky_seconds=sticky,
        ),
    )
    for server in fields.children("servers"):
        _server(group, server)
    fields.done()


def _server(group: ServerGroup, fields: Fields) -> None:
    id_ = fields.text("id")
    port = 0 if group.any_port else fields.whole("port", low=1, high=65535)
    weight = fields.whole("weight", 100, high=100)
    description = fields.optional_text("description") or ""
    type_ = fields.choice("type", SERVER_TYPES, "Ip" if group.type == IP_GROUP else "Ecs")
    server_ip = fields.optional_text("server_ip") or ""
    fields.done()
    at(
        fields.where,
        lambda: group.add_server(
            id_,
            port=port,
            weight=weight,
            description=description,
            type=type_,
            server_ip=server_ip,
        ),
    )


def _load_balancer(fleet: Fleet, fields: Fields) -> None:
    id_, name = fields.text("id"), fields.optional_text("name") or ""
    tags, region = fields.texts("tags"), fields.optional_text("region")
    vpc_id = fields.text("vpc_id", DEFAULT_VPC)
    zone_ids, cross_zone = fields.names("zone_ids"), fields.flag("cross_zone", True)
    balancer = at(
        fields.where,
        lambda: fleet.add_load_balancer(
            id_,
            name=name,
            tags=tags,
            region=region,
            vpc_id=vpc_id,
            zone_ids=zone_ids,
            cross_zone=cross_zone,
        ),
    )
    for listener in fields.children("listeners"):
        _listener(fleet, balancer, listener)
    fields.done()


def _listener(fleet: Fleet, balancer: Balancer, fields: Fields) -> None:
    port = fields.whole("port", low=1, high=65535)
    protocols = fleet.product.protocols
    protocol = fields.choice("protocol", protocols, protocols[0])
    group, id_ = fields.text("server_group"), fields.optional_text("id")
    status = fields.choice("status", ("Running", "Stopped"), "Running")
    listener = at(
        fields.where,
        lambda: balancer.add_listener(port, protocol, server_group=group, id=id_, status=status),
    )
    for rule in fields.children("rules"):
        _rule(balancer, listener.id, rule)
    fields.done()


def _rule(balancer: Balancer, listener_id: str, fields: Fields) -> None:
    group, path = fields.text("server_group"), fields.text("path", "/*")
    fields.done()
    at(fields.where, lambda: balancer.add_rule(listener_id, server_group=group, path=path))
