"""A job where a manifest puts it, and the properties it is given there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bosh_release.render.interpolate.unresolved import Place
from bosh_release.render.jobs.properties import merge
from bosh_release.render.manifest.manifest import InstanceGroup, Manifest, ManifestJob
from bosh_release.source.job_specs import JobSpec


@dataclass(frozen=True)
class GroupMember:
    """A job in an instance group, with its spec."""

    group: InstanceGroup
    job: ManifestJob
    spec: JobSpec


def has_own_properties(member: GroupMember) -> bool:
    """Tell whether the job has properties of its own; then it does not see the shared ones."""
    return member.job.raw.get("properties") is not None


def given_properties(manifest: Manifest, member: GroupMember) -> dict[str, Any]:
    """Return the properties that the manifest gives to a job, as they stand there."""
    if has_own_properties(member):
        return manifest.section(member.job, "properties")
    if member.job.addon is not None:
        return shared_properties(manifest, member.job.addon[0])
    return merge(
        shared_properties(manifest, manifest.raw), shared_properties(manifest, member.group.raw)
    )


def places_of_properties(member: GroupMember) -> list[Place]:
    """Return where the job's properties stand, if that is not in its own entry."""
    if has_own_properties(member):
        return []
    if member.job.addon is not None:
        return [(*member.job.addon[1], "properties")]
    return [(*member.group.path, "properties"), ("properties",)]


def shared_properties(manifest: Manifest, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of the whole deployment, of an instance group or of an addon."""
    value = raw.get("properties")
    return {} if value is None else manifest.expect_map(value, "properties")
