"""The addons that stand in a manifest and in the runtime configs beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bosh_release.render.interpolate.unresolved import Place
from bosh_release.render.manifest.addon_filters import Filter, parse_filter
from bosh_release.render.manifest.manifest import (
    Manifest,
    ManifestJob,
    expect_list,
    jobs_of,
    name_of,
    number_as_text,
)
from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.values import kind_of, place_of

# What a director takes over: nothing else, so no custom_provider_definitions.
_KEYS_OF_JOBS = ("name", "release", "provides", "consumes", "properties")
_LATEST = re.compile(r"(^|[._])latest$")  # what a director refuses in a runtime config


@dataclass(frozen=True)
class Addon:
    """One addon; `versions` are those of the releases that its runtime config lists, by name."""

    name: str
    jobs: tuple[ManifestJob, ...]
    include: Filter
    exclude: Filter
    versions: Mapping[str, str]


def addons_of(manifest: Manifest) -> list[Addon]:
    """Return the addons in the director's order; raises ReleaseError for what it refuses."""
    others = (
        _Source(manifest, each.file, each.raw, each.path, is_runtime=True)
        for each in manifest.runtime_configs
    )
    return [addon for source in (_own(manifest), *others) for addon in source.addons()]


def release_versions(manifest: Manifest) -> dict[str, str]:
    """Return the versions of the deployment's own releases, by name; no "latest" ones."""
    return {} if manifest.is_runtime_config else _own(manifest).versions()


def _own(manifest: Manifest) -> _Source:
    return _Source(manifest, manifest.file, manifest.raw, (), manifest.is_runtime_config)


@dataclass(frozen=True)
class _Source:
    """The place of addons: a manifest or a runtime config; `path` is what its paths begin with."""

    manifest: Manifest
    file: Path
    raw: Mapping[str, Any]
    path: Place
    is_runtime: bool

    def addons(self) -> list[Addon]:
        if "addons" not in self.raw:
            return []
        path = (*self.path, "addons")
        entries = expect_list(self.raw["addons"], "addons", self.file)
        addons = [self._addon(entry, (*path, number)) for number, entry in enumerate(entries)]
        if "releases" in self.raw:
            self._check_releases([job for addon in addons for job in addon.jobs])
        return addons

    def _check_releases(self, jobs: Sequence[ManifestJob]) -> None:
        entries = expect_list(self.raw["releases"], "releases", self.file)
        releases = [each for each in entries if isinstance(each, dict)]
        for release in releases if self.is_runtime else ():
            if _LATEST.search(str(release.get("version"))):
                raise ReleaseError(
                    f"{place_of(release.get('version')) or self.file}: Runtime manifest contains "
                    f"the release '{release.get('name')}' with version as "
                    f"'{release['version']}'. Please specify the actual version string."
                )
        level = "runtime" if self.is_runtime else "deployment"
        listed = [number_as_text(each.get("name")) for each in releases]
        for job in jobs:
            if job.release not in (None, *listed):
                raise ReleaseError(
                    f"{job.place}: Manifest specifies job '{job.name}' which is defined in "
                    f"'{job.release}', but '{job.release}' is not listed in the {level} "
                    "releases section."
                )

    def _addon(self, entry: Any, path: Place) -> Addon:
        name = name_of(entry, "an addon", self.file)
        jobs = jobs_of(entry, name, path, self.file)
        include = self._filter(entry, "include", path)
        exclude = self._filter(entry, "exclude", path)
        self._check_maps(entry, ("properties",), f"addon '{name}'", path)
        for job in jobs:
            keys = ("properties", "provides", "consumes")
            self._check_maps(job.raw, keys, f"job '{job.name}'", job.path)
        versions = self.versions() if self.is_runtime else {}
        placed = tuple(_of_addon(job, entry, path) for job in jobs)
        return Addon(name, placed, include, exclude, versions)

    def versions(self) -> dict[str, str]:
        """Return the versions that are told of releases, by the release's name."""
        entries = self.raw.get("releases")
        return {
            str(number_as_text(entry.get("name"))): str(entry["version"])
            for number, entry in enumerate(entries if isinstance(entries, list) else [])
            if isinstance(entry, dict)
            and "version" in entry
            and not self.manifest.has_unresolved((*self.path, "releases", number))
            and not _LATEST.search(str(entry["version"]))
        }

    def _check_maps(
        self, raw: Mapping[str, Any], keys: Sequence[str], owner: str, path: Place
    ) -> None:
        for key in keys:
            if key in raw and not self.manifest.is_unresolved((*path, key)):
                self.manifest.expect_map(raw[key], f"{key} of {owner}", place_of(raw["name"]))

    def _filter(self, entry: Mapping[str, Any], name: str, path: Place) -> Filter:
        if name not in entry:
            return Filter(name)
        raw = entry[name]
        place = place_of(entry["name"])
        if not isinstance(raw, dict):
            raise ReleaseError(
                f"{place_of(raw) or place}: {name} of addon '{entry['name']}' must be a map, "
                f"this is {kind_of(raw)}"
            )
        return parse_filter(
            raw,
            name,
            place,
            is_runtime=self.is_runtime,
            is_unresolved=lambda kind: self.manifest.has_unresolved((*path, name, kind)),
        )


def _of_addon(job: ManifestJob, entry: Mapping[str, Any], path: Place) -> ManifestJob:
    raw = {key: value for key, value in job.raw.items() if key in _KEYS_OF_JOBS}
    return replace(job, raw=raw, addon=(entry, path))
