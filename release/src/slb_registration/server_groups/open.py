"""From what the manifest says to the adapter of its kind."""

from __future__ import annotations

from slb_registration.cloud.client import Cloud
from slb_registration.model.configuration import GroupSpec
from slb_registration.model.server_group import ServerGroup
from slb_registration.server_groups.clb import DefaultGroup, VServerGroup
from slb_registration.server_groups.product_requests import ProductRequests

ASYNCHRONOUS = ("alb", "nlb")
"""The products whose server groups have ids of the form sgp-…."""


def open_group(cloud: Cloud, spec: GroupSpec) -> ServerGroup:
    """The server group that `spec` names. Makes no call.

    A server type other than ecs must have its id and address before anything is asked of the group.
    """
    suffix = _suffix(spec)
    if spec.product in ASYNCHRONOUS and spec.server_group_id is not None and spec.port is not None:
        # PLC0415: who has only Classic Load Balancers does not pay for importing the others.
        from slb_registration.server_groups.alb_nlb import AlbNlbGroup  # noqa: PLC0415

        name = f"{spec.product}/{spec.server_group_id}:{spec.port}{suffix}"
        requests = requests_of(spec.product)
        return AlbNlbGroup(name, cloud, requests, spec.server_group_id, spec.port)
    if spec.vserver_group_id is not None and spec.port is not None:
        return VServerGroup(cloud, spec.vserver_group_id, spec.port, suffix=suffix)
    if spec.active_standby_group_id is not None:
        from slb_registration.server_groups.clb_active_standby import (  # noqa: PLC0415
            ActiveStandbyGroup,
        )

        return ActiveStandbyGroup(cloud, spec.active_standby_group_id, spec.port, suffix=suffix)
    if spec.load_balancer_id is not None:
        return DefaultGroup(cloud, spec.load_balancer_id, suffix=suffix)
    raise ValueError(f"no adapter for {spec}")


def requests_of(product: str) -> ProductRequests:
    """The requests of `alb` or `nlb`, imported when they are first needed."""
    if product == "alb":
        from slb_registration.server_groups.alb import ALB  # noqa: PLC0415

        return ALB
    from slb_registration.server_groups.nlb import NLB  # noqa: PLC0415

    return NLB


def _suffix(spec: GroupSpec) -> str:
    """One VM may be in a group as an instance, by its network interfaces and its addresses.

    What is not known of them yet is a question mark.
    """
    if spec.server_type == "ecs":
        return ""
    if spec.server_type == "ip":
        return f"@{spec.server_id or '?'}"
    return f"@{spec.server_id or '?'}/{spec.server_ip or '?'}"
