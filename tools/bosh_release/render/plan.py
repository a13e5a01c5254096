"""The plan of a rendering: all that is known before the first template is filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bosh_release.render.changed_values import changes_of
from bosh_release.render.interpolate.unresolved import Place, expect_all
from bosh_release.render.jobs.jobs_in_groups import (
    GroupMember,
    given_properties,
    has_own_properties,
    places_of_properties,
)
from bosh_release.render.jobs.links import Resolved, Resolver, left_out, unknown_links
from bosh_release.render.jobs.properties import check_keys, undeclared
from bosh_release.render.jobs.selection import choose, is_of
from bosh_release.render.manifest.instances import Instance, Settings, count, describe
from bosh_release.render.manifest.manifest import InstanceGroup, Manifest, ManifestJob
from bosh_release.render.manifest_reading import check_structure, read
from bosh_release.render.request import Request
from bosh_release.render.ruby.director_yaml import read_spec_as_director
from bosh_release.render.ruby.erb import CREATE_ENV, DIRECTOR
from bosh_release.source.job_specs import Release, read_job_spec, read_release, unknown_job
from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.untyped import read_yaml

__all__ = ["Plan", "Request", "make_plan"]


@dataclass(frozen=True)
class Plan:
    """The jobs to render on one instance, and all that their templates see."""

    manifest: Manifest
    release: Release
    group: InstanceGroup
    members: tuple[GroupMember, ...]
    instance: Instance
    links: Mapping[str, Sequence[Resolved]]  # by job
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def make_plan(request: Request) -> Plan:
    """Read and check everything that the request names; raises ReleaseError."""
    is_for_director = request.context == DIRECTOR
    release = read_release(request.release, read_spec_as_director if is_for_director else read_yaml)
    manifest, received = read(request)
    members = _members(request, manifest, release)
    group = members[0].group
    try:
        _check_index(manifest, group, request.settings)
        instance = describe(manifest, group, request.settings)
        links = _links(request, manifest, release, members, instance)
    except ReleaseError:
        # a variable without a value is the cause of most other failures, so it is told first
        _check_variables(manifest, members, ())
        raise
    _check_variables(manifest, members, (link for found in links.values() for link in found))
    of_links = (text for found in links.values() for link in found for text in link.warnings)
    changed = changes_of(received, members, request.context)
    noted = (note for each in received for note in each.notes)
    warnings = (*noted, *changed, *_check_declared(manifest, members, request), *of_links)
    notes = _notes(manifest, release, members, links)
    return Plan(manifest, release, group, members, instance, links, warnings, notes)


def _members(request: Request, manifest: Manifest, release: Release) -> tuple[GroupMember, ...]:
    try:
        group, jobs = choose(manifest, release, request.instance_group, request.jobs)
        return tuple(_member(release, group, job) for job in jobs)
    except ReleaseError:
        check_structure(manifest.unresolved, manifest.raw)
        raise


def _member(release: Release, group: InstanceGroup, job: ManifestJob) -> GroupMember:
    return GroupMember(group, job, read_job_spec(release, job.name, job.place))


def _check_index(manifest: Manifest, group: InstanceGroup, settings: Settings) -> None:
    number = count(manifest, group)
    if "instances" in group.raw and settings.index >= max(number, 1):
        raise ReleaseError(
            f"{manifest.file}: instance group '{group.name}' has {number} instance(s), "
            f"so there is none with index {settings.index}"
        )


def _links(
    request: Request,
    manifest: Manifest,
    release: Release,
    members: Sequence[GroupMember],
    instance: Instance,
) -> dict[str, Sequence[Resolved]]:
    if request.context == CREATE_ENV:
        return {}
    consumed = {link.name for member in members for link in member.spec.consumes}
    for name in request.links:
        if name not in consumed:
            raise ReleaseError(
                f"--link {name}: no job that is rendered takes a link of this name; "
                f"they take {', '.join(sorted(consumed)) or 'none'}"
            )
    everywhere = [(group, job) for group in manifest.groups for job in group.jobs]
    ours = [(group, job) for group, job in everywhere if is_of(job, release)]
    known = [_member(release, *one) for one in ours if release.has_job(one[1].name)]
    others = [
        GroupMember(group, job, unknown_job(job.name))
        for group, job in everywhere
        if not is_of(job, release)
    ]
    resolver = Resolver(manifest, known, others, request.links, instance)
    return {member.job.name: resolver.links_of(member) for member in members}


def _notes(
    manifest: Manifest,
    release: Release,
    members: Sequence[GroupMember],
    links: Mapping[str, Sequence[Resolved]],
) -> tuple[str, ...]:
    return tuple(
        note
        for member in members
        if (found := links.get(member.job.name)) is not None
        for note in left_out(manifest, release, member, {link.name for link in found})
    )


def _check_variables(
    manifest: Manifest, members: Sequence[GroupMember], links: Iterable[Resolved]
) -> None:
    """Raise for variables in what is used; the rest of a manifest may need others."""
    group = members[0].group.path
    of_group = ("name", "instances", "azs", "networks", "persistent_disk")
    used: list[Place] = [("name",), *((*group, key) for key in of_group)]
    for member in members:
        used += [member.job.path, *places_of_properties(member)]
    for link in links:
        used += link.used
    missing = [
        found for found in manifest.unresolved if any(_overlap(found.path, path) for path in used)
    ]
    expect_all(missing, manifest.raw)


def _overlap(one: Place, other: Place) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _check_declared(
    manifest: Manifest, members: Sequence[GroupMember], request: Request
) -> tuple[str, ...]:
    """Return what the specs do not declare, as warnings; raises it unless that is allowed."""
    found: list[str] = []
    for member in members:
        given = given_properties(manifest, member)
        check_keys(given)
        if has_own_properties(member):  # shared ones are for other jobs too
            found += undeclared(member.job.name, member.spec.defaults, given)
        if request.context == DIRECTOR:
            found += unknown_links(manifest, member)
    if found and not request.allow_undeclared:
        raise ReleaseError(
            "\n".join(found)
            + "\nCorrect or remove it; --allow-undeclared renders without it, as a director does."
        )
    return tuple(found)
