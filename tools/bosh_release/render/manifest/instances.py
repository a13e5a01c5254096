"""The instances of an instance group: index, id, zone, networks and addresses.

What a director or a cloud would decide is chosen here so that the same manifest always gives the
same files; every choice can be set.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bosh_release.render.manifest.manifest import InstanceGroup, Manifest
from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.values import place_of

# The top-level domain of BOSH DNS where the director's manifest sets no other.
DOMAIN = "bosh"
# What a director writes for a dynamic network whose address is not known yet.
UNKNOWN_ADDRESS = "127.0.0.1"

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "instances.bosh.io")
_REQUIRED_DEFAULTS = ["dns", "gateway"]


@dataclass(frozen=True)
class Settings:
    """The command line's word on the instance; None leaves it to the manifest."""

    index: int = 0
    id: str | None = None
    az: str | None = None
    bootstrap: bool | None = None
    address: str | None = None
    ip: str | None = None
    networks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Instance:
    """One instance; `networks` as a director hands them to templates."""

    index: int
    id: str
    az: str | None
    bootstrap: bool
    address: str
    ip: str
    default_network: str
    networks: Mapping[str, Mapping[str, Any]]


def describe(manifest: Manifest, group: InstanceGroup, settings: Settings) -> Instance:
    """Return the instance of the group that the settings ask for."""
    index = settings.index
    networks = _network_entries(manifest, group, settings)
    default = _default_network(networks)
    settled = {
        name: _network(manifest, group, name, entry, settings, is_default=name == default)
        for name, entry in networks.items()
    }
    ip = str(settled[default]["ip"])
    return Instance(
        index=index,
        id=settings.id or instance_id(manifest.deployment, group.name, index),
        az=settings.az or _zone(manifest, group, index),
        bootstrap=index == 0 if settings.bootstrap is None else settings.bootstrap,
        address=settings.address or ip,
        ip=ip,
        default_network=default,
        networks=settled,
    )


def instance_id(deployment: str, group: str, index: int) -> str:
    """Return an id that is the same in every run, where a director would make a random one."""
    return str(uuid.uuid5(_NAMESPACE, f"{deployment}/{group}/{index}"))


def count(manifest: Manifest, group: InstanceGroup) -> int:
    """Return how many instances the manifest asks for; 1 where it does not say."""
    value = group.raw.get("instances", 1)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ReleaseError(
        f"{place_of(value) or manifest.file}: instances of instance group '{group.name}' "
        "must be a whole number"
    )


def zones(manifest: Manifest, group: InstanceGroup) -> list[str]:
    """Return the availability zones of a group in the manifest's order."""
    value = group.raw.get("azs")
    if value is None:
        return []
    if isinstance(value, list) and all(isinstance(zone, str) for zone in value):
        return value
    raise ReleaseError(
        f"{manifest.file}: azs of instance group '{group.name}' must be a list of names"
    )


def _zone(manifest: Manifest, group: InstanceGroup, index: int) -> str | None:
    names = zones(manifest, group)
    return names[index % len(names)] if names else None


def _network_entries(
    manifest: Manifest, group: InstanceGroup, settings: Settings
) -> dict[str, dict[str, Any]]:
    """Return name and entry of the networks, those of the settings included."""
    value = group.raw.get("networks")
    where = f"networks of instance group '{group.name}'"
    if not isinstance(value, (list, type(None))):
        raise ReleaseError(f"{manifest.file}: {where} must be a list")
    entries: dict[str, dict[str, Any]] = {}
    for entry in value or []:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            raise ReleaseError(f"{manifest.file}: each of the {where} needs a name")
        entries[name] = entry
    for name in settings.networks:
        entries.setdefault(name, {})
    return entries or {"default": {}}


def _default_network(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the network whose address the instance goes by."""
    for purpose in ("addressable", "gateway"):
        for name, entry in entries.items():
            if purpose in (entry.get("default") or []):
                return name
    return next(iter(entries))


def _network(
    manifest: Manifest,
    group: InstanceGroup,
    name: str,
    entry: Mapping[str, Any],
    settings: Settings,
    *,
    is_default: bool,
) -> dict[str, Any]:
    static = static_ips(entry.get("static_ips"), f"{manifest.file}: network '{name}'")
    ip = static[settings.index] if settings.index < len(static) else None
    if is_default and settings.ip:
        ip = settings.ip
    known: dict[str, Any] = {"type": "manual", "ip": ip}
    unknown = dict.fromkeys(("ip", "netmask", "gateway"), UNKNOWN_ADDRESS)
    given = settings.networks.get(name, {})
    settled = {**(known if ip else {"type": "dynamic", **unknown}), **given}
    if "ip" in given and "type" not in given:
        settled = {**known, **given}
    purposes = entry.get("default") or (_REQUIRED_DEFAULTS if is_default else [])
    labels = [canonical(label) for label in (group.name, name, manifest.deployment)]
    return {
        **settled,
        "default": sorted(purposes),
        "dns_record_name": ".".join([str(settings.index), *labels, DOMAIN]),
    }


def static_ips(value: Any, where: str) -> list[str]:
    """Return the addresses of a `static_ips`: single ones and ranges `10.0.0.2 - 10.0.0.9`."""
    if value is None:
        return []
    entries = value if isinstance(value, list) else [value]
    return [ip for entry in entries for ip in _range(entry, where)]


def _range(entry: Any, where: str) -> list[str]:
    first, _, last = (part.strip() for part in str(entry).partition("-"))
    try:
        start = ipaddress.ip_address(first)
        end = ipaddress.ip_address(last or first)
    except ValueError:
        raise ReleaseError(f"{where}: '{entry}' is not an IP address or a range of them") from None
    if start.version != end.version or not 0 <= int(end) - int(start) < 2**16:
        raise ReleaseError(f"{where}: '{entry}' is not a range of IP addresses")
    return [str(start + offset) for offset in range(int(end) - int(start) + 1)]


def canonical(label: str) -> str:
    """Return a name as it stands in BOSH DNS."""
    return re.sub(r"[^a-z0-9-]", "", label.lower().replace("_", "-"))


def dns_name(instance: Instance, manifest: Manifest, group: InstanceGroup) -> str:
    """Return the BOSH DNS name of an instance."""
    labels = (group.name, instance.default_network, manifest.deployment)
    return ".".join([instance.id, *(canonical(label) for label in labels), DOMAIN])
