"""From what the manifest says to the adapter of its kind."""

from __future__ import annotations

from slb_registration.cloud import Cloud
from slb_registration.config import GroupSpec
from slb_registration.server_groups import ServerGroup
from slb_registration.server_groups.clb import DefaultGroup, VServerGroup


def open_group(cloud: Cloud, spec: GroupSpec) -> ServerGroup:
    """The server group that `spec` names. Makes no call."""
    if spec.vserver_group_id is not None and spec.port is not None:
        return VServerGroup(cloud, spec.vserver_group_id, spec.port)
    if spec.load_balancer_id is not None:
        return DefaultGroup(cloud, spec.load_balancer_id)
    raise ValueError(f"no adapter for {spec}")
