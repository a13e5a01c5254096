"""The YAML files of a release folder: final.yml, blobs.yml, and the specs of jobs and packages.

Only what building needs is decoded, as in the BOSH CLI: the rest of a job's spec counts as bytes.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, NamedTuple

from bosh_release.support.errors import ContextError, ReleaseError, doing, os_failure
from bosh_release.yaml.typed import (
    ANYTHING,
    FLAG,
    INTEGER,
    TEXT,
    list_of,
    map_of,
    read_typed,
    record_of,
)

_BLOBSTORE = record_of(
    {"provider": TEXT, "options": map_of(ANYTHING)}, "releasedir.fsConfigSchema_Blobstore"
)
_FINAL = record_of(
    {"name": TEXT, "final_name": TEXT, "blobstore": _BLOBSTORE, "no_compression": FLAG},
    "releasedir.fsConfigPublicSchema",
)
_LOCAL_OPTIONS = record_of(
    {
        "blobstore": record_of(
            {"provider": TEXT, "options": record_of({"blobstore_path": TEXT}, "map")}, "blobstore"
        )
    },
    "releasedir.fsConfigPublicSchema",
)
_BLOBS = map_of(
    record_of(
        {"size": INTEGER, "object_id": TEXT, "sha": TEXT}, "releasedir.fsBlobsDirSchema_Blob"
    ),
    "releasedir.fsBlobsDirSchema",
)
_PROPERTY = record_of({"description": TEXT, "default": ANYTHING}, "manifest.PropertyDefinition")
_JOB = record_of(
    {
        "name": TEXT,
        "templates": map_of(TEXT),
        "packages": list_of(TEXT),
        "properties": map_of(_PROPERTY),
    },
    "manifest.Manifest",
)
_PACKAGE = record_of(
    {
        "name": TEXT,
        "dependencies": list_of(TEXT),
        "files": list_of(TEXT),
        "excluded_files": list_of(TEXT),
        "no_compression": FLAG,
    },
    "manifest.Manifest",
)
_LOCK = record_of(
    {"name": TEXT, "fingerprint": TEXT, "dependencies": list_of(TEXT)}, "manifest.ManifestLock"
)


class FinalConfig(NamedTuple):
    """config/final.yml."""

    name: str
    no_compression: bool
    blobstore_provider: str
    local_blobstore: str  # only for the provider `local`; may be relative to the release folder


class Blob(NamedTuple):
    """One entry of config/blobs.yml; `digest` is bare SHA1 hex or `sha256:hex`."""

    path: str
    size: int
    object_id: str
    digest: str


class JobContents(NamedTuple):
    """The contents of a job, as building needs them of jobs/NAME/spec."""

    name: str
    templates: tuple[str, ...]
    packages: tuple[str, ...]
    source: bytes = b""  # the text of jobs/NAME/spec


class PackageSpec(NamedTuple):
    """packages/NAME/spec."""

    name: str
    dependencies: tuple[str, ...]
    files: tuple[str, ...]
    excluded_files: tuple[str, ...]
    no_compression: bool


class PackageLock(NamedTuple):
    """packages/NAME/spec.lock: a package that was built in another release."""

    name: str
    fingerprint: str
    dependencies: tuple[str, ...]


def absolute(path: Path | str) -> Path:
    """Return an absolute path without `.` and `..`; links in it stay."""
    return Path(os.path.normpath(Path(path).absolute()))


def read_file(path: Path) -> bytes:
    """Read a whole file; ReleaseError in the CLI's words, also for a pipe, which would wait."""
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise ReleaseError(f"Opening file {path}: it is a pipe, socket or device")
        return path.read_bytes()
    except IsADirectoryError as error:  # Go opens a folder, and fails when it reads it
        raise ContextError(
            f"Reading file content {path}", os_failure("read", path, error)
        ) from error
    except OSError as error:
        raise ContextError(f"Opening file {path}", os_failure("open", path, error)) from error


def read_final(release_dir: Path) -> FinalConfig:
    """Read config/final.yml; a missing file is one without a name."""
    path = release_dir / "config" / "final.yml"
    with doing("Check that you're in the top-level of the release directory"):
        raw: dict[str, Any] = _FINAL.empty()
        local = ""
        if path.exists():
            with doing(f"Reading config '{path}'"):
                source = read_file(path)
            with doing(f"Unmarshalling config '{path}'"):
                raw = read_typed(source, _FINAL)
            if raw["blobstore"]["provider"] == "local":
                local = read_typed(source, _LOCAL_OPTIONS)["blobstore"]["options"]["blobstore_path"]
        if raw["name"] and raw["final_name"]:
            raise ReleaseError(f"Expected 'name' or 'final_name' but not both in config '{path}'")
        name = raw["name"] or raw["final_name"]
        if not name:
            raise ReleaseError(f"Expected non-empty 'name' in config '{path}'")
    return FinalConfig(name, raw["no_compression"], raw["blobstore"]["provider"], local)


def read_blobs(release_dir: Path) -> tuple[Blob, ...]:
    """Read config/blobs.yml, sorted by path; a path that leaves blobs/ is refused."""
    with doing("Reading blobs index"):
        source = read_file(release_dir / "config" / "blobs.yml")
    with doing("Unmarshalling blobs index"):
        raw = read_typed(source, _BLOBS)
    for path in sorted(raw):
        if not _is_local(path):
            raise ReleaseError(f"Invalid blob path '{path}': must be a safe local path")
    return tuple(
        Blob(path, entry["size"], entry["object_id"], entry["sha"])
        for path, entry in sorted(raw.items())
    )


def read_job_contents(path: Path) -> JobContents:
    """Read jobs/NAME/spec."""
    with doing(f"Reading job spec '{path}'"):
        source = read_file(path)
    with doing(f"Unmarshalling job spec '{path}'"):
        return decode_job_contents(source)._replace(source=source)


def decode_job_contents(source: bytes) -> JobContents:
    """Decode the text of a job's spec, which is also its job.MF."""
    raw = read_typed(source, _JOB)
    return JobContents(raw["name"], tuple(raw["templates"]), tuple(raw["packages"]))


def read_package_spec(path: Path) -> PackageSpec:
    """Read packages/NAME/spec."""
    with doing(f"Reading package spec '{path}'"):
        source = read_file(path)
    with doing("Unmarshalling package spec"):
        raw = read_typed(source, _PACKAGE)
    return PackageSpec(
        raw["name"],
        tuple(raw["dependencies"]),
        tuple(raw["files"]),
        tuple(raw["excluded_files"]),
        raw["no_compression"],
    )


def read_package_lock(path: Path) -> PackageLock:
    """Read packages/NAME/spec.lock."""
    with doing(f"Reading package spec lock '{path}'"):
        source = read_file(path)
    with doing("Unmarshalling package spec lock"):
        raw = read_typed(source, _LOCK)
    return PackageLock(raw["name"], raw["fingerprint"], tuple(raw["dependencies"]))


def _is_local(path: str) -> bool:
    clean = os.path.normpath(path)
    return bool(path) and not path.startswith("/") and clean != ".." and clean[:3] != "../"
