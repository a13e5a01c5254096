"""The facts known of an instance group when it is decided which addons are for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bosh_release.render.manifest.addon_filters import Facts
from bosh_release.render.manifest.instances import zones
from bosh_release.render.manifest.manifest import InstanceGroup, Manifest


@dataclass(frozen=True)
class Known:
    """The command line's word on the instance group where the manifest has none."""

    instance_group: str | None = None
    stemcell_os: str | None = None
    networks: tuple[str, ...] = ()
    az: str | None = None


def facts_of(manifest: Manifest, group: InstanceGroup, known: Known) -> Facts:
    """Return what the manifest and the command line tell about an instance group."""
    deployments = frozenset((manifest.deployment,))
    networks = frozenset(known.networks) or None
    if manifest.is_runtime_config:
        return Facts(
            deployments,
            instance_groups=_one(known.instance_group),
            stemcell=_one(known.stemcell_os),
            networks=networks,
            azs=_one(known.az),
        )
    lifecycle = str(group.raw.get("lifecycle", "service"))
    return Facts(
        deployments,
        instance_groups=frozenset((group.name,)),
        stemcell=_one(known.stemcell_os) or _stemcell_os(manifest, group),
        networks=_network_names(manifest, group) or networks,
        azs=_settled(manifest, group, "azs", zones(manifest, group)),
        lifecycle=_settled(manifest, group, "lifecycle", [lifecycle]),
    )


def _one(name: str | None) -> frozenset[str] | None:
    return None if name is None else frozenset((name,))


def _settled(
    manifest: Manifest, group: InstanceGroup, key: str, names: Sequence[Any]
) -> frozenset[Any] | None:
    """Return the names unless a variable without a value is among them."""
    return None if manifest.has_unresolved((*group.path, key)) else frozenset(names)


def _network_names(manifest: Manifest, group: InstanceGroup) -> frozenset[Any] | None:
    entries = group.raw.get("networks")
    names = [
        entry.get("name")
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict)
    ]
    return _settled(manifest, group, "networks", [n for n in names if isinstance(n, str)])


def _stemcell_os(manifest: Manifest, group: InstanceGroup) -> frozenset[str] | None:
    """Return the os of the group's stemcell, if the manifest tells it.

    To a director, one that is given by its name has no os yet when addons are added.
    """
    alias, stemcells = group.raw.get("stemcell"), manifest.raw.get("stemcells")
    for number, entry in enumerate(stemcells if isinstance(stemcells, list) else []):
        if isinstance(entry, dict) and alias is not None and entry.get("alias") == alias:
            if manifest.has_unresolved(("stemcells", number)):
                return None
            return frozenset(os for os in (entry.get("os"),) if isinstance(os, str))
    return None
