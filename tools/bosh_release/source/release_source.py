"""Reads a release folder: which jobs, packages and license there are, and which files go in each.

Nothing is written. Everything that is wrong is told at once, in the BOSH CLI's words.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from bosh_release.source.package_files import PackageFolders, exists
from bosh_release.source.source_files import (
    ReadFile,
    SourceFile,
    fingerprint,
    read_files,
    source_file,
)
from bosh_release.source.specs import Blob, read_job_contents, read_package_lock, read_package_spec
from bosh_release.support.errors import ReleaseError, changed, doing, os_failure, raise_all


class Part(NamedTuple):
    """A job, a package or the license: what its archive is made from."""

    kind: str  # job, package or license
    name: str
    fingerprint: str
    files: tuple[ReadFile, ...] = ()
    needs: tuple[str, ...] = ()  # a job's packages, a package's dependencies
    pre_packaging: tuple[SourceFile, ...] = ()
    no_compression: bool = False
    vendored: bool = False  # from spec.lock: there is only the fingerprint


class ReleaseSource(NamedTuple):
    """All parts of a release folder, jobs and packages sorted by name."""

    jobs: tuple[Part, ...]
    packages: tuple[Part, ...]
    license: Part | None

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every part, in the order of the tarball."""
        return (*self.jobs, *self.packages, *((self.license,) if self.license else ()))


def read_release_source(release_dir: Path, blobs: Sequence[Blob]) -> ReleaseSource:
    """Read the folder `release_dir` (an absolute path).

    Raises ReleaseError with all that is wrong.
    """
    errors: list[ReleaseError] = []
    packages: tuple[Part, ...] = ()
    jobs: tuple[Part, ...] = ()
    license_: Part | None = None
    with _collecting(errors), doing("Constructing packages from directory"):
        packages = _read_packages(release_dir, blobs)
    with _collecting(errors), doing("Constructing jobs from manifest"):
        jobs = _read_jobs(release_dir, {package.name for package in packages})
    with _collecting(errors), doing("Constructing license from manifest"):
        license_ = _read_license(release_dir)
    raise_all(errors)
    return ReleaseSource(jobs, packages, license_)


@contextmanager
def _collecting(errors: list[ReleaseError]) -> Iterator[None]:
    """Note a ReleaseError of the block and go on after it."""
    try:
        yield
    except ReleaseError as error:
        errors.append(error)


def _read_packages(release_dir: Path, blobs: Sequence[Blob]) -> tuple[Part, ...]:
    folders = PackageFolders(release_dir, [blob.path for blob in blobs])
    packages, errors = _read_folders(
        release_dir, "packages", "package", lambda path: _read_package(path, folders)
    )
    names = {package.name for package in packages}
    errors += [missing for package in packages for missing in _missing(package, names)]
    raise_all(errors)
    return _by_name(packages)


def _read_jobs(release_dir: Path, packages: set[str]) -> tuple[Part, ...]:
    jobs, errors = _read_folders(release_dir, "jobs", "job", _read_job)
    errors += [missing for job in jobs for missing in _missing(job, packages)]
    raise_all(errors)
    return _by_name(jobs)


def _read_folders(
    release_dir: Path, section: str, kind: str, read: Callable[[Path], Part]
) -> tuple[list[Part], list[ReleaseError]]:
    """Read every folder in jobs/ or packages/; files beside them do not matter."""
    parts: list[Part] = []
    errors: list[ReleaseError] = []
    for path in _entries(release_dir / section):
        with _collecting(errors), doing(f"Reading {kind} from '{path}'"):
            if _is_folder(path):
                parts.append(read(path))
    return parts, errors


def _entries(folder: Path, prefix: str = "") -> list[Path]:
    """List the paths in a folder; one that is not there has none."""
    try:
        paths = sorted(folder.iterdir(), key=os.fsencode)
    except OSError:
        return []
    return [path for path in paths if path.name.startswith(prefix)]


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        raise os_failure("stat", path, error) from error


def _missing(part: Part, packages: set[str]) -> list[ReleaseError]:
    """Return the first need that is not met, as the CLI tells only that one."""
    absent = [name for name in part.needs if name not in packages]
    return [
        ReleaseError(
            f"Expected to find package '{name}'"
            f" since it's a dependency of {part.kind} '{part.name}'"
        )
        for name in absent[:1]
    ]


def _by_name(parts: list[Part]) -> tuple[Part, ...]:
    ordered = sorted(parts, key=lambda part: os.fsencode(part.name))
    for one, other in pairwise(ordered):
        if one.name == other.name:
            raise ReleaseError(
                f"Two folders in {one.kind}s/ have a spec with the name '{one.name}': rename one"
            )
    return tuple(ordered)


def _read_job(path: Path) -> Part:
    with doing("Collecting job files"):
        spec = read_job_contents(path / "spec")
        if path.name != spec.name:
            raise ReleaseError(
                f"Job directory '{path.name}' does not match job name '{spec.name}' in spec"
            )
    # the whole spec counts, unlike a package's
    job_mf = SourceFile(path / "spec", "job.MF", follow_links=True)
    optional = [path / "monit", path / "properties_schema.json"]
    templates = [Path(os.path.normpath(f"{path}/templates/{name}")) for name in spec.templates]
    packed = [*filter(exists, optional), *templates]
    files = (job_mf, *(source_file(each, path, follow_links=True) for each in packed))
    read = read_files(files)
    if hashlib.sha256(spec.source).hexdigest() not in (each.sha256 for each in read):
        raise changed(path / "spec")
    return Part("job", spec.name, fingerprint(read), read, spec.packages)


def _read_package(path: Path, folders: PackageFolders) -> Part:
    if exists(path / "spec.lock"):
        with doing("Collecting package spec lock"):
            lock = read_package_lock(path / "spec.lock")
        return Part("package", lock.name, lock.fingerprint, needs=lock.dependencies, vendored=True)
    with doing("Collecting package files"):
        spec = read_package_spec(path / "spec")
        files, pre_packaging = folders.files_of(path, spec)
    read = read_files(files)
    return Part(
        "package",
        spec.name,
        fingerprint(read, spec.dependencies),
        read,
        spec.dependencies,
        pre_packaging,
        spec.no_compression,
    )


def _read_license(release_dir: Path) -> Part | None:
    files = tuple(
        source_file(path, release_dir, by_basename=True, mode_counts=False)
        for prefix in ("LICENSE", "NOTICE")
        for path in _entries(release_dir, prefix)
    )
    if not files:
        return None
    with doing(f"Reading license from '{release_dir}'"):
        read = read_files(files)
        return Part("license", "license", fingerprint(read), read)
