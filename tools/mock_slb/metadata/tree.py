"""The metadata of an instance, as a tree of paths.

Source: the ECS documentation's list of instance metadata; the fields of role credentials are those
that the SDKs read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Union

from mock_slb.account.account import Account
from mock_slb.core.keys import Role
from mock_slb.core.moments import utc
from mock_slb.core.resources import Instance

Leaf = Callable[[], str]
Tree = Mapping[str, Union[Leaf, "Tree"]]


def tree(account: Account, instance: Instance) -> Tree:
    """Everything under /latest/meta-data/."""
    nodes: dict[str, Leaf | Tree] = {
        "instance-id": lambda: instance.id,
        "region-id": lambda: account.region,
        "zone-id": lambda: instance.zone_id,
        "private-ipv4": lambda: instance.private_ip,
        "mac": lambda: instance.mac,
        "vpc-id": lambda: instance.vpc_id,
        "vswitch-id": lambda: "vsw-mock",
        "network-type": lambda: "vpc",
        "owner-account-id": lambda: account.id,
        "network": {"interfaces": {"macs": {instance.mac: _interface(instance)}}},
    }
    roles = [role for role in account.keys.roles() if role.on_instances]
    if roles:
        nodes["ram"] = {
            "security-credentials": {role.name: _credentials(account, role) for role in roles}
        }
    return nodes


def read(nodes: Tree, path: str) -> str | None:
    """Read what is at a path: a value, or the names in a folder; None for nothing."""
    found: Leaf | Tree = nodes
    for name in filter(None, path.split("/")):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    if not isinstance(found, Mapping):
        return found()
    return "\n".join(
        name + ("/" if isinstance(child, Mapping) else "") for name, child in sorted(found.items())
    )


def _interface(instance: Instance) -> Tree:
    ipv4 = [address for address in instance.addresses if ":" not in address]
    ipv6 = [address for address in instance.addresses if ":" in address]
    nodes: dict[str, Leaf | Tree] = {
        "network-interface-id": lambda: instance.eni_id,
        "primary-ip-address": lambda: instance.private_ip,
        "private-ipv4s": lambda: json.dumps(ipv4),
        "vpc-id": lambda: instance.vpc_id,
        "vswitch-id": lambda: "vsw-mock",
        "netmask": lambda: "255.255.255.0",
    }
    if ipv6:
        # The documentation's examples have quotes around IPv4 addresses, and none here.
        nodes["ipv6s"] = lambda: f"[{','.join(ipv6)}]"
    return nodes


def _credentials(account: Account, role: Role) -> Leaf:
    def read_credentials() -> str:
        key = account.keys.instance_credentials(role)
        return json.dumps(
            {
                "AccessKeyId": key.id,
                "AccessKeySecret": key.secret,
                "Expiration": utc(key.expires_at or 0.0),
                "SecurityToken": key.security_token,
                "LastUpdated": utc((key.expires_at or 0.0) - role.lifetime_seconds),
                "Code": "Success",
            },
            indent=2,
        )

    return read_credentials
