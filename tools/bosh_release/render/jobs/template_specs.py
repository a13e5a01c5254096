"""The `spec` that templates get: under a director, and under `bosh create-env`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bosh_release.render.jobs.jobs_in_groups import GroupMember, given_properties, shared_properties
from bosh_release.render.jobs.links import Resolved
from bosh_release.render.jobs.properties import bind, check_keys
from bosh_release.render.manifest.instances import DOMAIN, Instance, zones
from bosh_release.render.manifest.manifest import Manifest
from bosh_release.source.job_specs import Release
from bosh_release.yaml.round_trip import as_written_and_read


def director_spec(
    manifest: Manifest,
    release: Release,
    member: GroupMember,
    instance: Instance,
    links: Iterable[Resolved],
) -> dict[str, Any]:
    """Return what a director's templates see; raises ReleaseError for ill-shaped properties."""
    group = member.group
    jobs = [{"name": job.name} for job in group.jobs]
    return {
        "deployment": manifest.deployment,
        "job": {"name": group.name, "templates": jobs, "template": jobs[0]["name"]},
        "index": instance.index,
        "bootstrap": instance.bootstrap,
        "name": group.name,
        "id": instance.id,
        "az": instance.az,
        "networks": instance.networks,
        "properties_need_filtering": True,
        "dns_domain_name": DOMAIN,
        "persistent_disk": group.raw.get("persistent_disk", 0),
        "address": instance.address,
        "ip": instance.ip,
        "properties": bind(
            member.spec.defaults, given_properties(manifest, member), member.job.place
        ),
        "links": {link.name: link.content for link in links},
        "release": {"name": release.name, "version": _release_version(manifest, release)},
        "dns": _zone_numbers(manifest),
    }


def create_env_spec(manifest: Manifest, member: GroupMember, instance: Instance) -> dict[str, Any]:
    """Return what the CLI's own renderer hands to templates."""
    shared, of_group = (
        shared_properties(manifest, raw) for raw in (manifest.raw, member.group.raw)
    )
    check_keys([shared, of_group])
    spec = {
        "index": 0,
        "id": instance.id,
        "az": "unknown",
        "bootstrap": True,
        "job": {"name": member.job.name},
        "deployment": manifest.deployment,
        "address": instance.address,
        "networks": {"default": {"ip": "", "netmask": "", "gateway": ""}},
        "global_properties": shared,
        "cluster_properties": of_group,
        "job_properties": member.job.raw.get("properties"),
        "default_properties": as_written_and_read(dict(member.spec.defaults)),
    }
    # All of this comes from Go, whose JSON has the keys of maps in order.
    return {key: _in_key_order(value) for key, value in spec.items()}


def _in_key_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _in_key_order(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_in_key_order(item) for item in value]
    return value


def _release_version(manifest: Manifest, release: Release) -> Any:
    for raw in (manifest.raw, *(each.raw for each in manifest.runtime_configs)):
        entries = raw.get("releases")
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and entry.get("name") == release.name:
                return entry.get("version")
    return None


def _zone_numbers(manifest: Manifest) -> dict[str, str]:
    """Number the zones, for DNS queries; a director numbers them in its database."""
    names: Sequence[str] = [zone for group in manifest.groups for zone in zones(manifest, group)]
    return {name: str(number) for number, name in enumerate(dict.fromkeys(names), start=1)}
