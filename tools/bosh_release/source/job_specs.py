"""The specs of a release's jobs, as far as rendering needs them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bosh_release.support.errors import ReleaseError
from bosh_release.support.spelling import nearest
from bosh_release.yaml.untyped import read_yaml
from bosh_release.yaml.values import place_of


@dataclass(frozen=True)
class Provided:
    """A link that a job offers, with the properties it shows to those who take it."""

    name: str
    type: str
    properties: tuple[str, ...] = ()


@dataclass(frozen=True)
class Consumed:
    """A link that a job takes."""

    name: str
    type: str
    optional: bool = False


@dataclass(frozen=True)
class JobSpec:
    """jobs/NAME/spec; `templates` are (path under templates/, path on the VM)."""

    name: str
    folder: Path
    templates: tuple[tuple[str, str], ...]
    defaults: Mapping[str, Any]  # of every declared property, None where it has none
    provides: tuple[Provided, ...] = ()
    consumes: tuple[Consumed, ...] = ()


@dataclass(frozen=True)
class Release:
    """A release folder, the name it goes by in manifests, and what reads its jobs' specs."""

    name: str
    folder: Path
    read_spec: Callable[[Path], Any] = read_yaml

    def job_names(self) -> list[str]:
        """Return the names of the jobs there are."""
        jobs = self.folder / "jobs"
        return sorted(spec.parent.name for spec in jobs.glob("*/spec"))

    def has_job(self, name: str) -> bool:
        """Tell whether there is a job of this name."""
        return name in self.job_names()


def read_release(folder: Path, read_spec: Callable[[Path], Any] = read_yaml) -> Release:
    """Return the release in a folder; without a name in config/final.yml it is the folder's."""
    if not (folder / "jobs").is_dir():
        raise ReleaseError(f"{folder}: not a release folder, it has no jobs/")
    final = folder / "config" / "final.yml"
    content = read_yaml(final) if final.exists() else None
    settings = content if isinstance(content, dict) else {}
    name = settings.get("name") or settings.get("final_name") or folder.resolve().name
    return Release(str(name), folder, functools.cache(read_spec))


def read_job_spec(release: Release, job: str, place: str = "") -> JobSpec:
    """Return a job's spec; raises ReleaseError where `place` names an unknown job."""
    if not release.has_job(job):
        names = release.job_names()
        raise ReleaseError(
            f"{place and place + ': '}Job '{job}' not found in release '{release.name}'; "
            f"{release.folder}/jobs has {', '.join(names) or 'none'}{nearest(job, names)}"
        )
    folder = release.folder / "jobs" / job
    path = folder / "spec"
    content = release.read_spec(path)
    if not isinstance(content, dict):
        raise ReleaseError(f"{path}: a job's spec is a map")
    templates = _map(content, "templates", path)
    return JobSpec(
        job,
        folder,
        _templates(templates, folder, path),
        _defaults(_map(content, "properties", path), path),
        tuple(_provided(entry, path) for entry in _list(content, "provides", path)),
        tuple(_consumed(entry, path) for entry in _list(content, "consumes", path)),
    )


def unknown_job(name: str) -> JobSpec:
    """Return what is known of the spec of a job of another release: nothing."""
    return JobSpec(name, Path(), (), {})


def _map(content: dict[Any, Any], key: str, path: Path) -> dict[str, Any]:
    value = content.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise ReleaseError(f"{path}: {key} is not a map with strings as keys")
    return value


def _list(content: dict[Any, Any], key: str, path: Path) -> list[Any]:
    value = content.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ReleaseError(f"{path}: {key} is not a list")
    return value


def _templates(
    templates: Mapping[str, Any], folder: Path, path: Path
) -> tuple[tuple[str, str], ...]:
    targets: dict[str, str] = {"monit": "monit"}
    for source, target in templates.items():
        where = place_of(source) or str(path)
        if not isinstance(target, str) or not _is_local(source) or not _is_local(target):
            raise ReleaseError(
                f"{where}: template '{source}': both sides must be paths inside the job's folder"
            )
        if not (folder / "templates" / source).is_file():
            raise ReleaseError(f"{where}: template '{source}' is not in {folder}/templates")
        normal = str(PurePosixPath(target))
        if normal in targets:
            raise ReleaseError(
                f"{where}: '{targets[normal]}' and '{source}' are both rendered to {normal}"
            )
        targets[normal] = source
    if not (folder / "monit").is_file():
        raise ReleaseError(f"{folder}: the job has no monit file, BOSH refuses such a job")
    return tuple((source, target) for target, source in targets.items() if target != "monit")


def _is_local(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and ".." not in parts and parts[0] != "/"


def _defaults(properties: Mapping[str, Any], path: Path) -> dict[str, Any]:
    for name, definition in properties.items():
        if not isinstance(definition, (dict, type(None))):
            raise ReleaseError(
                f"{place_of(name) or path}: property '{name}' is defined by a map "
                "(description, default, example)"
            )
    return {name: (definition or {}).get("default") for name, definition in properties.items()}


def _provided(entry: Any, path: Path) -> Provided:
    name, kind = _link_name(entry, "provides", path)
    properties = entry.get("properties") or []
    if not isinstance(properties, list) or not all(isinstance(item, str) for item in properties):
        raise ReleaseError(f"{path}: the properties of the provided link '{name}' are not a list")
    return Provided(name, kind, tuple(properties))


def _consumed(entry: Any, path: Path) -> Consumed:
    name, kind = _link_name(entry, "consumes", path)
    return Consumed(name, kind, entry.get("optional") is True)


def _link_name(entry: Any, key: str, path: Path) -> tuple[str, str]:
    if isinstance(entry, dict):
        name, kind = entry.get("name"), entry.get("type")
        if isinstance(name, str) and name and isinstance(kind, str) and kind:
            return name, kind
    raise ReleaseError(f"{path}: an entry of {key} needs a name and a type")
