"""This VM as a server of a server group: the instance, a network interface, an address.

What the configuration leaves out is asked of the metadata service:
https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Protocol

from slb_registration.instance.metadata import IdentityError, MetadataError
from slb_registration.model.addresses import normal
from slb_registration.model.configuration import GroupSpec

MACS = "network/interfaces/macs/"
_NETWORK_INTERFACE = re.compile(r"eni-[A-Za-z0-9-]{1,64}")
_MAC = re.compile(r"[0-9a-fA-F:]{11,17}")
_VPC = re.compile(r"vpc-[A-Za-z0-9-]{1,64}")
_ZONE = re.compile(r"[a-z][a-z0-9-]{1,63}")
_BETWEEN_ADDRESSES = re.compile(r'[\s,"\[\]]+')


class Metadata(Protocol):
    """The metadata service; see instance.Metadata."""

    def get(self, path: str) -> str:
        """The text under /latest/meta-data/. Raises MetadataError."""
        ...


def given(spec: GroupSpec) -> GroupSpec | None:
    """`spec` with the server's id and address where the configuration tells them, None where the
    metadata service has to."""
    if spec.server_type == "ip" and spec.server_ip:
        return replace(spec, server_id=spec.server_ip)
    is_whole = spec.server_type == "ecs" or (spec.server_id and spec.server_ip)
    return spec if is_whole else None


def resolved(spec: GroupSpec, metadata: Metadata) -> GroupSpec:
    """`spec` with the server's id and address. Raises MetadataError, and IdentityError where this
    VM has no such network interface.

    Without an address in the configuration it is the primary private one; without a network
    interface it is the primary one, or that which has the address.
    """
    known = given(spec)
    if known is not None:
        return known
    if spec.server_type == "ip":
        address = _address(metadata, "private-ipv4")
        return replace(spec, server_id=address, server_ip=address)
    mac = _mac(spec, metadata)
    return replace(
        spec,
        server_id=spec.server_id or _interface(metadata, mac),
        server_ip=spec.server_ip or _address(metadata, f"{MACS}{mac}/primary-ip-address"),
    )


def vpc_id(metadata: Metadata) -> str:
    """The VPC that this VM is in. Raises MetadataError."""
    return _matching(metadata, "vpc-id", _VPC)


def zone_id(metadata: Metadata) -> str:
    """The zone that this VM is in. Raises MetadataError."""
    return _matching(metadata, "zone-id", _ZONE)


def _mac(spec: GroupSpec, metadata: Metadata) -> str:
    """The MAC address of the network interface that is meant.

    That none is it can only be told where all of them have told what they are.
    """
    if not spec.server_id and not spec.server_ip:
        return _matching(metadata, "mac", _MAC)
    unknown: MetadataError | None = None
    for mac in _macs(metadata):
        try:
            if _is_meant(spec, metadata, mac):
                return mac
        except MetadataError as error:
            unknown = unknown or error
    if unknown is not None:
        raise unknown
    raise IdentityError(
        f"server_groups: this VM has no network interface {spec.server_id or spec.server_ip}"
    )


def _is_meant(spec: GroupSpec, metadata: Metadata, mac: str) -> bool:
    if spec.server_id:
        return _interface(metadata, mac) == spec.server_id
    kind = "ipv6s" if ":" in str(spec.server_ip) else "private-ipv4s"
    return spec.server_ip in _addresses(metadata, f"{MACS}{mac}/{kind}")


def _macs(metadata: Metadata) -> list[str]:
    """Every ECS instance has one network interface at least."""
    text = metadata.get(MACS)
    macs = [line.rstrip("/") for line in text.split()]
    if not macs or not all(map(_MAC.fullmatch, macs)):
        raise _no(text, MACS)
    return macs


def _interface(metadata: Metadata, mac: str) -> str:
    return _matching(metadata, f"{MACS}{mac}/network-interface-id", _NETWORK_INTERFACE)


def _addresses(metadata: Metadata, path: str) -> set[str]:
    """All addresses of one kind of an interface; one without any has no such entry."""
    try:
        text = metadata.get(path)
    except MetadataError as error:
        if error.status == 404:
            return set()
        raise
    return {_normal(one, path) for one in _BETWEEN_ADDRESSES.split(text) if one}


def _address(metadata: Metadata, path: str) -> str:
    return _normal(metadata.get(path), path)


def _matching(metadata: Metadata, path: str, form: re.Pattern[str]) -> str:
    text = metadata.get(path)
    if not form.fullmatch(text):
        raise _no(text, path)
    return text


def _normal(text: str, path: str) -> str:
    try:
        return normal(text)
    except ValueError:
        raise _no(text, path) from None


def _no(text: str, path: str) -> MetadataError:
    return MetadataError(f"metadata service: answered {text[:60]!r}, which is no {path}")
