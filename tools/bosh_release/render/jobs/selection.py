"""Selects the jobs of a manifest that are rendered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bosh_release.render.manifest.manifest import InstanceGroup, Manifest, ManifestJob, Undecided
from bosh_release.source.job_specs import Release
from bosh_release.support.errors import ReleaseError
from bosh_release.support.spelling import nearest


def choose(
    manifest: Manifest, release: Release, group_name: str | None, job_names: Sequence[str]
) -> tuple[InstanceGroup, list[ManifestJob]]:
    """Return the instance group and its jobs of the release.

    Without `group_name` there must be one group only that has such jobs, without `job_names` all
    of them are taken. Raises ReleaseError that says what there is to choose from.
    """
    group = _group(manifest, release, group_name, job_names)
    check_unique(manifest)
    own = [job for job in group.jobs if is_of(job, release)]
    if job_names:
        return group, [_job(group, release, name) for name in job_names]
    for undecided in group.undecided.values():
        if _is_own(undecided, release):
            raise ReleaseError(undecided.why)
    if not own:
        raise ReleaseError(_nothing(manifest, release, [group]))
    return group, own


def is_of(job: ManifestJob, release: Release) -> bool:
    """Tell whether a job is one of the release; one that names no release counts."""
    return job.release in (None, release.name)


def _is_own(undecided: Undecided, release: Release) -> bool:
    return any(is_of(job, release) for job in undecided.jobs)


def _group(
    manifest: Manifest, release: Release, name: str | None, job_names: Sequence[str]
) -> InstanceGroup:
    if name is not None:
        for group in manifest.groups:
            if group.name == name:
                return group
        names = [group.name for group in manifest.groups]
        raise ReleaseError(
            f"{manifest.file}: there is no instance group '{name}'; "
            f"there are {', '.join(names) or 'none'}{nearest(name, names)}"
        )
    candidates = [group for group in manifest.groups if _has(group, release, job_names)]
    if len(candidates) > 1:
        names = [group.name for group in candidates]
        raise ReleaseError(
            f"{manifest.file}: more than one instance group has jobs of release "
            f"'{release.name}'; choose one of {', '.join(names)} with --instance-group"
        )
    if candidates:
        return candidates[0]
    if job_names and len(manifest.groups) == 1:
        return manifest.groups[0]
    raise ReleaseError(_nothing(manifest, release, manifest.groups, job_names))


def _has(group: InstanceGroup, release: Release, job_names: Sequence[str]) -> bool:
    own = {job.name for job in group.jobs if is_of(job, release)}
    own |= {name for name, found in group.undecided.items() if _is_own(found, release)}
    return bool(own) and own.issuperset(job_names)


def _nothing(
    manifest: Manifest,
    release: Release,
    groups: Sequence[InstanceGroup],
    job_names: Sequence[str] = (),
) -> str:
    there = [
        f"{group.name}/{job.name}" + (f" (release {job.release})" if job.release else "")
        for group in groups
        for job in group.jobs
    ]
    wanted = f"job {' and '.join(job_names)}" if job_names else "job"
    return (
        f"{manifest.file}: no instance group has a {wanted} of release '{release.name}'; "
        f"there are {', '.join(there) or 'no jobs'}{_left_out(groups)}"
    )


def _left_out(groups: Sequence[InstanceGroup]) -> str:
    return "".join(f"\n  {sentence}" for group in groups for sentence in group.left_out)


def _job(group: InstanceGroup, release: Release, name: str) -> ManifestJob:
    if name in group.undecided:
        raise ReleaseError(group.undecided[name].why)
    for job in group.jobs:
        if job.name == name:
            if is_of(job, release):
                return job
            raise ReleaseError(
                f"{job.place}: job '{name}' is of release '{job.release}', "
                f"but {release.folder} is release '{release.name}'"
            )
    names = [job.name for job in group.jobs]
    raise ReleaseError(
        f"there is no job '{name}' in instance group '{group.name}'; "
        f"there are {', '.join(names) or 'none'}{nearest(name, names)}{_left_out([group])}"
    )


def check_unique(manifest: Manifest) -> None:
    """Raise ReleaseError, in the director's words, where a group gets a job twice."""
    for group in manifest.groups:
        for name, number in Counter(job.name for job in group.jobs).items():
            if number > 1:
                raise ReleaseError(
                    f"Colocated job '{name}' is already added to the instance group '{group.name}'"
                )
