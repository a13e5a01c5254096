"""As which server this VM stands in a server group: the instance, a network interface, an address.

What the configuration leaves out is asked of the metadata service:
https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from slb_registration.config import GroupSpec
from slb_registration.instance import IdentityError, MetadataError

MACS = "network/interfaces/macs/"
_NETWORK_INTERFACE = re.compile(r"eni-[A-Za-z0-9-]{1,64}")
_MAC = re.compile(r"[0-9a-fA-F:]{11,17}")
_ADDRESS = re.compile(r"[0-9a-fA-F.:]{3,45}")


class Metadata(Protocol):
    """The metadata service; see instance.Metadata."""

    def get(self, path: str) -> str:
        """The text under /latest/meta-data/. Raises MetadataError."""
        ...


def resolved(spec: GroupSpec, metadata: Metadata) -> GroupSpec:
    """`spec` with the server's id and address. Raises MetadataError, and IdentityError where this
    VM has no such network interface.

    Without an address in the configuration it is the primary private one; without a network
    interface it is the primary one, or that which has the address.
    """
    if spec.server_type == "ip":
        address = spec.server_ip or _address(metadata, "private-ipv4")
        return replace(spec, server_id=address, server_ip=address)
    if spec.server_type != "eni" or (spec.server_id and spec.server_ip):
        return spec
    mac = _mac(spec, metadata)
    return replace(
        spec,
        server_id=spec.server_id or _interface(metadata, mac),
        server_ip=spec.server_ip or _address(metadata, f"{MACS}{mac}/primary-ip-address"),
    )


def _mac(spec: GroupSpec, metadata: Metadata) -> str:
    """The MAC address of the network interface that is meant."""
    if not spec.server_id and not spec.server_ip:
        return _matching(metadata, "mac", _MAC)
    for mac in _macs(metadata):
        if spec.server_id and _interface(metadata, mac) == spec.server_id:
            return mac
        if spec.server_ip and spec.server_ip in _addresses(metadata, mac):
            return mac
    raise IdentityError(
        f"server_groups: this VM has no network interface {spec.server_id or spec.server_ip}"
    )


def _macs(metadata: Metadata) -> Iterator[str]:
    for line in metadata.get(MACS).split():
        mac = line.rstrip("/")
        if _MAC.fullmatch(mac):
            yield mac


def _interface(metadata: Metadata, mac: str) -> str:
    return _matching(metadata, f"{MACS}{mac}/network-interface-id", _NETWORK_INTERFACE)


def _addresses(metadata: Metadata, mac: str) -> set[str]:
    """All addresses of an interface; one without IPv6 has no such entry."""
    found: set[str] = set()
    for name in ("private-ipv4s", "ipv6s"):
        try:
            text = metadata.get(f"{MACS}{mac}/{name}")
        except MetadataError:
            continue
        found.update(_normal(one) for one in _ADDRESS.findall(text))
    return found


def _address(metadata: Metadata, path: str) -> str:
    return _normal(_matching(metadata, path, _ADDRESS))


def _matching(metadata: Metadata, path: str, form: re.Pattern[str]) -> str:
    text = metadata.get(path)
    if not form.fullmatch(text):
        raise MetadataError(f"metadata service: answered {text[:60]!r}, which is no {path}")
    return text


def _normal(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text
