"""Changes by the control API of who is in a server group, as another operator would make them."""

from __future__ import annotations

from mock_slb.account.account import Account
from mock_slb.alb_nlb.group import ServerGroup as AlbNlbGroup
from mock_slb.clb.group import ServerGroup
from mock_slb.control.changes_account import NO_RESULT, Result
from mock_slb.core.fields import Fields, InputError
from mock_slb.gateway.gateway import Gateway

TYPES = ("ecs", "eni", "ip")


def add_server(gateway: Gateway, fields: Fields) -> Result:
    """{group, server_id, port?, weight?, description?, type?, server_ip?}: put one in.

    `type` is ecs, eni or ip; without it, what the group holds.
    """
    group = group_of(gateway.account, fields)
    server_id, port = fields.text("server_id"), _port(fields, group)
    weight = fields.whole("weight", 100, high=100)
    description = fields.optional_text("description") or ""
    server_ip = fields.optional_text("server_ip") or ""
    type_ = fields.choice("type", TYPES) if "type" in fields else None
    fields.done()
    if isinstance(group, AlbNlbGroup):
        type_ = type_ and type_.capitalize()
    group.add_server(
        server_id,
        port=port,
        weight=weight,
        description=description,
        type=type_,
        server_ip=server_ip,
    )
    return NO_RESULT


def remove_server(gateway: Gateway, fields: Fields) -> Result:
    """{group, server_id, port?, server_ip?}: take one out; absent is fine."""
    group = group_of(gateway.account, fields)
    server_id, port = fields.text("server_id"), _port(fields, group)
    server_ip = _server_ip(fields, group, server_id, port)
    fields.done()
    group.remove_server(server_id, port=port, server_ip=server_ip)
    return NO_RESULT


def set_weight(gateway: Gateway, fields: Fields) -> Result:
    """{group, server_id, port?, server_ip?, weight}: change a weight and nothing else."""
    group = group_of(gateway.account, fields)
    server_id, port = fields.text("server_id"), _port(fields, group)
    server_ip = _server_ip(fields, group, server_id, port)
    weight = fields.whole("weight", high=100)
    fields.done()
    group.set_weight(server_id, weight, port=port, server_ip=server_ip)
    return NO_RESULT


def group_of(account: Account, fields: Fields) -> ServerGroup | AlbNlbGroup:
    """`group` is a server group's id, or a CLB's for its default group."""
    id_ = fields.text("group")
    if id_ in account.load_balancers:
        return account.load_balancers[id_].default_group
    if account.alb.has_group(id_) or account.nlb.has_group(id_):
        return alb_nlb_group(account, id_)
    return account.group(id_)


def alb_nlb_group(account: Account, id_: str) -> AlbNlbGroup:
    """The ALB or NLB server group with this id. Raises KeyError for none such."""
    for group in [*account.alb.groups(), *account.nlb.groups()]:
        if group.id == id_:
            return group
    raise KeyError(id_)


def _port(fields: Fields, group: ServerGroup | AlbNlbGroup) -> int:
    if not group.ports:
        fields.whole("port", 0, high=65535)  # the listener has it
        return 0
    if isinstance(group, AlbNlbGroup) and group.any_port:
        return fields.whole("port", 0, high=0)
    return fields.whole("port", low=1, high=65535)


def _server_ip(fields: Fields, group: ServerGroup | AlbNlbGroup, server_id: str, port: int) -> str:
    """The address in the entry's key: a network interface may be there with several.

    The field `server_ip` says which; the address of an instance is no part of its key.
    """
    wanted = fields.optional_text("server_ip")
    found = [
        one
        for one in group.servers()
        if (one.server_id, one.port) == (server_id, port) and wanted in {None, one.server_ip}
    ]
    if len(found) > 1:
        each = ", ".join(one.server_ip for one in found)
        raise InputError(f"{fields.place('server_ip')} must say which of {server_id}'s: {each}")
    return found[0].key.server_ip if found else (wanted or "")
