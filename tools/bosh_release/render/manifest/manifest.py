"""A deployment manifest, a fragment of one, or a runtime config, as far as rendering needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bosh_release.render.interpolate.interpolation import Interpolated
from bosh_release.render.interpolate.unresolved import Place, Unresolved
from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.values import kind_of, place_of


@dataclass(frozen=True)
class ManifestJob:
    """One entry of the jobs of an instance group or addon; `raw` is what stands there.

    `addon` is the addon's entry and its path.
    """

    name: str
    release: str | None
    raw: Mapping[str, Any]
    path: Place
    addon: tuple[Mapping[str, Any], Place] | None = None

    @property
    def place(self) -> str:
        """File and line of the job's name."""
        return place_of(self.raw.get("name"))


@dataclass(frozen=True)
class Undecided:
    """Jobs of one name in several addons of which it is not known which one applies, and why."""

    jobs: tuple[ManifestJob, ...]
    why: str


@dataclass(frozen=True)
class InstanceGroup:
    """One instance group; `raw` is what stands there.

    `undecided` is by name of the job; `left_out` says which addons do not apply, and why.
    """

    name: str
    jobs: tuple[ManifestJob, ...]
    raw: Mapping[str, Any]
    path: Place
    undecided: Mapping[str, Undecided] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class RuntimeConfig:
    """A runtime config after variables; its paths begin with `path`."""

    file: Path
    raw: Mapping[str, Any]
    path: Place


@dataclass(frozen=True)
class Manifest:
    """A manifest after ops files and variables; `file` names it in messages.

    `runtime_configs` are those beside it. It may be a runtime config itself.
    """

    file: Path
    deployment: str
    groups: tuple[InstanceGroup, ...]
    raw: Mapping[str, Any]
    unresolved: tuple[Unresolved, ...]
    runtime_configs: tuple[RuntimeConfig, ...] = ()

    @property
    def is_runtime_config(self) -> bool:
        """Tell whether it has addons and no instance groups to add them to."""
        return "instance_groups" not in self.raw

    def is_unresolved(self, path: Place) -> bool:
        """Tell whether what stands at a path is a variable without a value."""
        return any(found.path == path for found in self.unresolved)

    def has_unresolved(self, path: Place) -> bool:
        """Tell whether a variable without a value stands at a path or below it."""
        return any(found.path[: len(path)] == path for found in self.unresolved)

    def section(self, job: ManifestJob, key: str) -> dict[str, Any]:
        """Return a map of a job's entry; an empty one where it is missing or not yet resolved."""
        value = job.raw.get(key)
        if value is None or self.is_unresolved((*job.path, key)):
            return {}
        return self.expect_map(value, f"{key} of job '{job.name}'", job.place)

    def expect_map(self, value: Any, what: str, place: str = "") -> dict[str, Any]:
        """Return the value if it is a map, else raise ReleaseError."""
        if isinstance(value, dict):
            return value
        where = place_of(value) or place or str(self.file)
        raise ReleaseError(f"{where}: {what} must be a map, this is {kind_of(value)}")


def read_manifest(
    interpolated: Interpolated, file: Path, deployment: str | None, group_name: str | None
) -> Manifest:
    """Return what a manifest says, save its addons (addons.with_addons).

    `deployment` gives the name where the manifest has none. The addons of a runtime config get one
    instance group to be added to, `group_name` or the first addon's name.
    """
    document = interpolated.document
    if not isinstance(document, dict):
        raise ReleaseError(f"{file}: a manifest is a map, this is {kind_of(document)}")
    name = _deployment_name(document.get("name"), deployment, file)
    if "instance_groups" in document:
        groups = _groups(document["instance_groups"], file)
    elif "addons" in document:
        groups = (_group_of_runtime_config(document["addons"], group_name, file),)
    else:
        raise ReleaseError(f"{file}: there are neither instance_groups nor addons")
    return Manifest(file, name, groups, document, interpolated.unresolved)


def with_runtime_config(manifest: Manifest, interpolated: Interpolated, file: Path) -> Manifest:
    """Return the manifest with one more runtime config beside it; raises ReleaseError."""
    document = interpolated.document
    if not isinstance(document, dict):
        raise ReleaseError(f"{file}: a runtime config is a map, this is {kind_of(document)}")
    path = place_of_runtime_config(manifest)
    unresolved = (replace(each, path=(*path, *each.path)) for each in interpolated.unresolved)
    return replace(
        manifest,
        unresolved=(*manifest.unresolved, *unresolved),
        runtime_configs=(*manifest.runtime_configs, RuntimeConfig(file, document, path)),
    )


def place_of_runtime_config(manifest: Manifest) -> Place:
    """Return what the paths of the next runtime config begin with."""
    return ("runtime_configs", len(manifest.runtime_configs))


def _deployment_name(own: Any, given: str | None, file: Path) -> str:
    if own is None:
        if not given:
            raise ReleaseError(f"{file}: the manifest has no name; give one with --deployment")
        return given
    if not isinstance(own, str) or not own:
        raise ReleaseError(f"{place_of(own) or file}: name must be a string that is not empty")
    if given not in (None, own):
        raise ReleaseError(
            f"{place_of(own) or file}: Expected manifest to specify deployment name '{given}' "
            f"but was '{own}'"
        )
    return own


def _groups(entries: Any, file: Path) -> tuple[InstanceGroup, ...]:
    return tuple(
        _group(entry, ("instance_groups", number), file)
        for number, entry in enumerate(expect_list(entries, "instance_groups", file))
    )


def _group(entry: Any, path: Place, file: Path) -> InstanceGroup:
    name = name_of(entry, "an instance group", file)
    return InstanceGroup(name, jobs_of(entry, name, path, file), entry, path)


def _group_of_runtime_config(entries: Any, name: str | None, file: Path) -> InstanceGroup:
    names = [name_of(entry, "an addon", file) for entry in expect_list(entries, "addons", file)]
    return InstanceGroup(name or (names[0] if names else "addons"), (), {}, ("addons",))


def jobs_of(
    entry: Mapping[str, Any], owner: str, path: Place, file: Path
) -> tuple[ManifestJob, ...]:
    """Return the jobs of an instance group or addon; raises ReleaseError."""
    jobs = entry.get("jobs")
    entries = [] if jobs is None else expect_list(jobs, f"jobs of '{owner}'", file)
    return tuple(_job(item, (*path, "jobs", number), file) for number, item in enumerate(entries))


def _job(entry: Any, path: Place, file: Path) -> ManifestJob:
    name = name_of(entry, "a job", file)
    release = number_as_text(entry.get("release"))
    if not isinstance(release, (str, type(None))):
        raise ReleaseError(
            f"{place_of(entry['name'])}: the release of job '{name}' must be a string, "
            f"this is {kind_of(release)}"
        )
    return ManifestJob(name, release, entry, path)


def name_of(entry: Any, what: str, file: Path) -> str:
    """Return the name of an entry; raises ReleaseError where it has none."""
    if not isinstance(entry, dict):
        raise ReleaseError(f"{file}: {what} must be a map, this is {kind_of(entry)}")
    name = number_as_text(entry.get("name"))
    if not isinstance(name, str) or not name:
        raise ReleaseError(f"{file}: {what} has no name")
    return name


def number_as_text(value: Any) -> Any:
    """Return a number as text, which is how a director takes it where a name is expected."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value) if is_number else value


def expect_list(value: Any, what: str, file: Path) -> list[Any]:
    """Return the value if it is a list, else raise ReleaseError."""
    if isinstance(value, list):
        return value
    raise ReleaseError(
        f"{place_of(value) or file}: {what} must be a list, this is {kind_of(value)}"
    )
