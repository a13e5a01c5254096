"""Addons: jobs that a manifest or a runtime config adds to the instance groups it names.

As a director adds them: one addon after the other, each with the jobs of those before in view.
Where it is not known whether an addon applies (a runtime config alone does not tell the stemcell),
its jobs count as added, unless two such addons have the same job: that one is undecided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bosh_release.render.manifest.addon_entries import Addon, addons_of, release_versions
from bosh_release.render.manifest.addon_filters import Answer, Facts, all_of, negated
from bosh_release.render.manifest.group_facts import Known, facts_of
from bosh_release.render.manifest.manifest import InstanceGroup, Manifest, ManifestJob, Undecided
from bosh_release.support.errors import ReleaseError

# The options of `render` that tell what a condition asks for.
_OPTIONS = {
    "instance_groups": "--instance-group",
    "stemcell": "--stemcell-os",
    "networks": "--network",
    "azs": "--az",
}


@dataclass(frozen=True)
class _Possible:
    """A job of an addon of which it is not known whether it applies; `open` are the conditions."""

    job: ManifestJob
    addon: str
    open: tuple[str, ...]


@dataclass
class _Growing:
    """An instance group while addons are added to it."""

    group: InstanceGroup
    facts: Facts
    has_all_jobs: bool  # False: it may have jobs that are not in the manifest
    certain: list[ManifestJob]
    possible: dict[str, list[_Possible]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def has_job(self, name: str, release: str) -> Answer:
        if any(_is(job, name, release) for job in self.certain):
            return True
        possible = any(_is(each.job, name, release) for each in self.possible.get(name, ()))
        return None if possible or not self.has_all_jobs else False

    def add(self, addon: Addon) -> Answer:
        """Add the addon's jobs if it applies; returns whether it does."""
        included = addon.include.answer(self.facts, self.has_job)
        excluded = addon.exclude.answer(self.facts, self.has_job)
        applies = all_of((included, negated(excluded)))
        if applies is False:
            decisive = addon.exclude if excluded else addon.include
            why = ", ".join(decisive.deciding(self.facts, self.has_job))
            self.left_out.append(
                f"addon '{addon.name}' is not for instance group '{self.group.name}' ({why})"
            )
        elif applies:
            self.certain += addon.jobs
        else:
            undecided = [
                condition
                for each, answer in ((addon.include, included), (addon.exclude, excluded))
                for condition in (each.deciding(self.facts, self.has_job) if answer is None else ())
            ]
            for job in addon.jobs:
                possible = _Possible(job, addon.name, tuple(undecided))
                self.possible.setdefault(job.name, []).append(possible)
        return applies

    def result(self) -> InstanceGroup:
        certain = {job.name for job in self.certain}
        found = [found for name, found in self.possible.items() if name not in certain]
        single = [each[0].job for each in found if len(each) == 1]
        several = [each for each in found if len(each) > 1]
        return replace(
            self.group,
            jobs=(*self.certain, *single),
            undecided={each[0].job.name: _undecided(self.group.name, each) for each in several},
            left_out=tuple(self.left_out),
        )


def _undecided(group: str, found: Sequence[_Possible]) -> Undecided:
    job = found[0].job
    conditions = dict.fromkeys(condition for each in found for condition in each.open)
    kinds = dict.fromkeys(condition.partition(".")[2] for condition in conditions)
    options = [_OPTIONS[kind] for kind in kinds if kind in _OPTIONS]
    advice = f"say it with {', '.join(options)}" if options else "remove one with an ops file"
    names = " and ".join(f"'{each.addon}'" for each in found)
    return Undecided(
        tuple(each.job for each in found),
        f"{job.place}: job '{job.name}' is in the addons {names}, and which of them is for "
        f"instance group '{group}' is not known ({', '.join(conditions)}); {advice}",
    )


def _is(job: ManifestJob, name: str, release: str) -> bool:
    return job.name == name and job.release in (None, release)


def with_addons(manifest: Manifest, known: Known) -> Manifest:
    """Return the manifest with the jobs of its addons in the groups; raises ReleaseError."""
    addons = addons_of(manifest)
    if not addons:
        return manifest
    growing = [
        _Growing(
            group,
            facts_of(manifest, group, known),
            has_all_jobs=not manifest.is_runtime_config,
            certain=list(group.jobs),
        )
        for group in manifest.groups
    ]
    versions = release_versions(manifest)
    for addon in addons:
        applied = [each.add(addon) for each in growing]
        if True in applied:
            _check_versions(addon, versions)
    return replace(manifest, groups=tuple(each.result() for each in growing))


def _check_versions(addon: Addon, versions: dict[str, str]) -> None:
    """Raise ReleaseError where a release has another version in `versions`, else add it."""
    for job in addon.jobs:
        version = addon.versions.get(job.release or "")
        known = versions.setdefault(job.release or "", version) if version else version
        if known != version:
            raise ReleaseError(
                f"{job.place}: Runtime manifest specifies release '{job.release}' with version as "
                f"'{version}'. This conflicts with version '{known}' specified in the deployment "
                "manifest."
            )
