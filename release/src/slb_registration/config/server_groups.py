"""Reads which server groups the VM belongs in, and as what."""

from __future__ import annotations

import re

from slb_registration.config.reader import ANY_TEXT, Section
from slb_registration.model.addresses import normal, whole
from slb_registration.model.configuration import (
    ANY_PORT,
    MOST_GROUPS,
    GroupSpec,
    HealthCheck,
    lowest_port,
)

PRODUCTS = ("clb", "alb", "nlb")

# The second form is of load balancers from before 2016, as the API reference still shows them.
_LOAD_BALANCER = re.compile(r"lb-[A-Za-z0-9-]{1,64}|[0-9a-f]{8,16}-[a-z]{2}-[a-z0-9-]{1,64}")
_CLB_GROUP = re.compile(r"rsp-[A-Za-z0-9-]{1,64}")
_SERVER_GROUP = re.compile(r"sgp-[A-Za-z0-9-]{1,64}")
_NETWORK_INTERFACE = re.compile(r"eni-[A-Za-z0-9-]{1,64}")
# SLB allows 80 characters, and "bosh/", a spec.id and "/" stand before what an operator writes.
_DESCRIPTION = re.compile(r"[A-Za-z0-9\u4e00-\u9fff/._-]{1,38}")
_OTHER_PRODUCTS = {"alb-": "ALB", "nlb-": "NLB", "sgp-": "ALB or NLB"}
_CLB_IDS = ("load_balancer_id", "vserver_group_id", "active_standby_group_id")


def groups(
    properties: Section, default_port: int | None, check: HealthCheck
) -> tuple[GroupSpec, ...]:
    """Return the groups that load_balancer_id and server_groups name; the same one twice is bad.

    `default_port` is taken where an entry needs a port and has none. `check` is the one that will
    be made for them: for one that forwards all ports, it must tell which.
    """
    found: list[GroupSpec] = []
    keys: set[object] = set()
    load_balancer_id = _load_balancer_id(properties)
    if load_balancer_id is not None:
        found.append(GroupSpec("clb", load_balancer_id, None, None, 100, None))
        keys.add(_key(found[0]))
    entries = properties.sections("server_groups")
    if len(entries) > MOST_GROUPS:
        properties.problem("server_groups", f"must be at most {MOST_GROUPS}")
    for entry in entries:
        group = _group(entry, default_port)
        if group.port == ANY_PORT and not check.of(group, default_port).names_its_place:
            text = "0 is of a group that forwards all ports: set health_check.port, to check one"
            entry.problem("port", text)
        key = _key(group)
        if key is not None and key in keys:
            name = next(name for name in (*_CLB_IDS, "server_group_id") if getattr(group, name))
            entry.problem(name, "this server group is given twice: leave one out")
        keys.add(key)
        found.append(group)
    return tuple(found)


def _group(entry: Section, default_port: int | None) -> GroupSpec:
    product = entry.choice("product", "clb", PRODUCTS)
    _check_ids(entry, product)
    port = entry.integer("port", None, lowest_port(product), 65535)
    if not entry.given("port") and _needs_port(entry, product):
        port = default_port
        if port is None:
            what = "a vServer group" if product == "clb" else f"an {product.upper()} server group"
            entry.problem("port", f"is missing: {what} holds a server together with its port")
    server_type = entry.choice("server_type", "ecs", ("ecs", "eni", "ip"))
    if server_type == "ip" and product == "clb":
        entry.problem("server_type", "ip is for product alb or nlb: CLB takes ecs or eni")
    server_id, server_ip = _server(entry, server_type)
    return GroupSpec(
        product=product,
        load_balancer_id=_load_balancer_id(entry),
        vserver_group_id=_id(entry, "vserver_group_id", _CLB_GROUP, "a vServer group (rsp-…)"),
        port=port,
        weight=entry.integer("weight", 100, 0, 100),
        description=entry.text(
            "description", None, _DESCRIPTION, "1 to 38 of: letters, digits, Chinese, - / . _"
        ),
        active_standby_group_id=_id(
            entry, "active_standby_group_id", _CLB_GROUP, "an active/standby group (rsp-…)"
        ),
        server_group_id=_id(
            entry, "server_group_id", _SERVER_GROUP, "an ALB or NLB server group (sgp-…)"
        ),
        server_type=server_type,
        server_id=server_id,
        server_ip=server_ip,
    )


def _check_ids(entry: Section, product: str) -> None:
    given = [name for name in _CLB_IDS if entry.given(name)]
    if product == "clb":
        if entry.given("server_group_id"):
            entry.problem("server_group_id", "is of ALB or NLB: give product: alb or nlb, too")
        elif len(given) != 1:
            others = " or ".join(_CLB_IDS[1:])
            entry.problem(_CLB_IDS[0], f"give either this or {others}")
        return
    for name in given:
        entry.problem(name, f"is not for product {product}: give server_group_id (sgp-…)")
    if not given and not entry.given("server_group_id"):
        entry.problem("server_group_id", f"is missing: product {product} needs it (sgp-…)")


def _needs_port(entry: Section, product: str) -> bool:
    return entry.given("vserver_group_id" if product == "clb" else "server_group_id")


def _server(entry: Section, server_type: str) -> tuple[str | None, str | None]:
    """Return the id and the address of the server; of type ip they are the same."""
    address = _address(entry)
    if server_type == "eni":
        form = "the id of a network interface (eni-…)"
        return entry.text("server_id", None, _NETWORK_INTERFACE, form), address
    for name in ("server_id", "server_ip"):
        if entry.given(name) and (server_type, name) != ("ip", "server_ip"):
            entry.problem(name, f"is not for server_type {server_type}: leave it out")
    return (address, address) if server_type == "ip" else (None, None)


def _address(entry: Section) -> str | None:
    text = entry.text("server_ip", None, ANY_TEXT, "an IP address")
    if text is None:
        return None
    try:
        return normal(whole(text))
    except ValueError:
        entry.problem("server_ip", f"must be an IP address, not {entry.shown(text)}")
        return None


def _key(group: GroupSpec) -> tuple[object, ...] | None:
    """Return what two registrations of one VM must not have in common; None for one that is no
    good."""
    server = (group.server_type, group.server_id, group.server_ip)
    if group.load_balancer_id:
        # A default group knows a server by its id alone, every other by its id and port.
        return ("clb", group.load_balancer_id, *server)
    id_ = group.vserver_group_id or group.server_group_id or group.active_standby_group_id
    if id_ is None or (group.port is None and group.active_standby_group_id is None):
        return None
    return (group.product, id_, group.port, *server)


def _load_balancer_id(section: Section) -> str | None:
    return _id(section, "load_balancer_id", _LOAD_BALANCER, "a CLB load balancer (lb-…)")


def _id(section: Section, name: str, form: re.Pattern[str], described: str) -> str | None:
    value = str(section.value(name))
    of = next((what for prefix, what in _OTHER_PRODUCTS.items() if value.startswith(prefix)), None)
    hint = f": it is of {of}, which server_groups name by server_group_id" if of else ""
    return section.text(name, None, form, f"the id of {described}", hint)
