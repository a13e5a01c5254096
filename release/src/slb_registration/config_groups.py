"""Reads which server groups the VM belongs in: named ones, or those found by tag."""

from __future__ import annotations

import re

from .config_reader import Section
from .config_types import Discovery, GroupSpec, Spec

# The second form is of load balancers from before 2016, as the API reference still shows them.
_LOAD_BALANCER = re.compile(r"lb-[A-Za-z0-9-]{1,64}|[0-9a-f]{8,16}-[a-z]{2}-[a-z0-9-]{1,64}")
_VSERVER_GROUP = re.compile(r"rsp-[A-Za-z0-9-]{1,64}")
# SLB allows 80 characters, and "bosh/", a spec.id and "/" stand before what an operator writes.
_DESCRIPTION = re.compile(r"[A-Za-z0-9\u4e00-\u9fff/._-]{1,38}")
_OTHER_PRODUCTS = {"alb-": "an ALB", "nlb-": "an NLB", "sgp-": "an ALB or NLB server group"}


def groups(properties: Section) -> tuple[GroupSpec, ...]:
    """Return the groups that load_balancer_id and server_groups name; the same one twice is bad."""
    found: list[GroupSpec] = []
    load_balancer_id = _load_balancer_id(properties)
    if load_balancer_id is not None:
        found.append(GroupSpec("clb", load_balancer_id, None, None, 100, None))
    for entry in properties.sections("server_groups"):
        group = _group(entry)
        if any(_same(group, other) for other in found):
            name = "load_balancer_id" if group.load_balancer_id else "vserver_group_id"
            entry.problem(name, "this server group is given twice: leave one out")
        found.append(group)
    return tuple(found)


def discovery(properties: Section, spec_section: Section, spec: Spec) -> Discovery:
    """Return how load balancers are found; off by default where groups are named."""
    section = properties.section("discovery")
    named = properties.given("load_balancer_id") or bool(properties.value("server_groups"))
    enabled = section.flag("enabled", not named)
    if not enabled and not named:
        section.problem("enabled", "is false: then give load_balancer_id or server_groups")
    for name, value in (("deployment", spec.deployment), ("instance_group", spec.instance_group)):
        if enabled and not value:
            text = "is empty, and load balancers are found by it: name them and turn discovery off"
            spec_section.problem(name, text)
    return Discovery(
        enabled=enabled,
        interval_seconds=section.seconds("interval", 300),
        tags={"bosh-deployment": spec.deployment, "bosh-instance-group": spec.instance_group},
    )


def _group(entry: Section) -> GroupSpec:
    vserver_group = entry.given("vserver_group_id")
    if vserver_group == entry.given("load_balancer_id"):
        entry.problem("load_balancer_id", "give either this or vserver_group_id")
    elif vserver_group and not entry.given("port"):
        entry.problem("port", "is missing: a vServer group holds a server together with its port")
    return GroupSpec(
        product=entry.choice("product", "clb", ("clb",)),
        load_balancer_id=_load_balancer_id(entry),
        vserver_group_id=_id(entry, "vserver_group_id", _VSERVER_GROUP, "a vServer group (rsp-…)"),
        port=entry.integer("port", None, 1, 65535),
        weight=entry.integer("weight", 100, 0, 100),
        description=entry.text(
            "description", None, _DESCRIPTION, "1 to 38 of: letters, digits, Chinese, - / . _"
        ),
    )


def _same(one: GroupSpec, other: GroupSpec) -> bool:
    # A default group knows a server by its id alone, a vServer group by its id and port.
    if one.load_balancer_id or other.load_balancer_id:
        return one.load_balancer_id == other.load_balancer_id
    known = one.vserver_group_id is not None and one.port is not None
    return known and (one.vserver_group_id, one.port) == (other.vserver_group_id, other.port)


def _load_balancer_id(section: Section) -> str | None:
    return _id(section, "load_balancer_id", _LOAD_BALANCER, "a CLB load balancer (lb-…)")


def _id(section: Section, name: str, form: re.Pattern[str], described: str) -> str | None:
    value = str(section.value(name))
    others = (what for prefix, what in _OTHER_PRODUCTS.items() if value.startswith(prefix))
    hint = "".join(f": {what} is not supported" for what in others)
    return section.text(name, None, form, f"the id of {described}", hint)
