"""Admission of servers to a server group, and what the service adds to what it was told."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import TYPE_CHECKING

from mock_slb.alb_nlb import errors
from mock_slb.alb_nlb.product import Product
from mock_slb.alb_nlb.resources import FUNCTION_GROUP, IP, IP_GROUP, GroupServer

if TYPE_CHECKING:
    from mock_slb.alb_nlb.group import ServerGroup
    from mock_slb.core.base import BaseAccount


def admit(
    account: BaseAccount, product: Product, group: ServerGroup, server: GroupServer
) -> GroupServer:
    """The server with its address and zone. Raises ApiError for one that may not enter."""
    if group.type == FUNCTION_GROUP or (server.type == IP) != (group.type == IP_GROUP):
        raise errors.server_type_mismatch(server.type, group.type)
    if server.type == IP:
        return _address(account, product, group, server)
    instance = account.find_server(server.type.lower(), server.server_id)
    if instance is None:
        raise errors.instance_not_found(server.type)
    if instance.vpc_id != group.vpc_id:
        raise errors.vpc_mismatch(server.server_id, group.id)
    if server.server_ip and server.server_ip not in instance.addresses:
        raise errors.address_illegal(product)
    address = server.server_ip or instance.private_ip
    return replace(server, server_ip=address, zone_id=instance.zone_id)


def normal_address(product: Product, text: str) -> str:
    """An IP address in its one normal spelling. Raises ApiError for text that is none."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise errors.address_illegal(product) from None


def _address(
    account: BaseAccount, product: Product, group: ServerGroup, server: GroupServer
) -> GroupServer:
    address = normal_address(product, server.server_id)
    if ":" in address and not group.ipv6:
        raise errors.ipv6_not_supported(product)
    owner = account.instance_by_address(address)
    zone_id = owner.zone_id if owner is not None else ""
    return replace(server, server_id=address, server_ip=address, zone_id=zone_id)
