"""Packs the parts of a release, and then all of them into the tarball."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bosh_release.build.final_builds import find_final_package
from bosh_release.build.staging import entries_of
from bosh_release.build.tar_format import (
    FILE,
    FOLDER,
    Entry,
    gzip_stream,
    stored_gzip_stream,
    tar_stream,
)
from bosh_release.source.release_source import Part
from bosh_release.source.specs import FinalConfig
from bosh_release.support.atomic import write_new
from bosh_release.support.digests import parse_digest
from bosh_release.support.errors import ReleaseError, os_failure, raise_all
from bosh_release.support.threads import map_in_threads


class Archive(NamedTuple):
    """The packed form of one part."""

    part: Part
    path: Path
    digest: str  # `sha256:hex`, as release.MF has it


def pack_all(
    parts: Sequence[Part], release_dir: Path, final: FinalConfig, work_dir: Path
) -> list[Archive]:
    """Pack every part into a file in `work_dir`.

    Raises ReleaseError with all failures; the first for each part.
    """

    def attempt(numbered: tuple[int, Part]) -> Archive | ReleaseError:
        number, part = numbered
        try:
            return _pack(part, release_dir, final, work_dir / f"{number}.tgz")
        except ReleaseError as error:
            return error

    # compressing is nearly all of the work, and zlib lets other threads run meanwhile
    results = map_in_threads(attempt, list(enumerate(parts)))
    raise_all([result for result in results if isinstance(result, ReleaseError)])
    return [result for result in results if isinstance(result, Archive)]


def _pack(part: Part, release_dir: Path, final: FinalConfig, path: Path) -> Archive:
    if not part.name:
        raise ReleaseError("Expected non-empty name")
    if "/" in part.name:
        raise ReleaseError(f"Expected the name of {part.kind} '{part.name}' to be without a slash")
    if part.vendored:
        found = find_final_package(release_dir, final, part.name, part.fingerprint)
        return Archive(part, found.path, found.digest)
    pieces = tar_stream(entries_of(part, release_dir))
    try:
        written = write_new(path, pieces if part.no_compression else gzip_stream(pieces))
    except OSError as error:
        raise os_failure("write", path, error) from error
    return Archive(part, path, f"sha256:{written.sha256}")


def tarball(
    manifest: bytes, archives: Sequence[Archive], release_dir: Path, *, compress: bool
) -> Iterator[bytes]:
    """Yield the bytes of the release tarball."""
    pieces = tar_stream(_outer_entries(manifest, archives, release_dir))
    return stored_gzip_stream(pieces) if compress else pieces


def _outer_entries(
    manifest: bytes, archives: Sequence[Archive], release_dir: Path
) -> Iterator[Entry]:
    yield Entry(b"release.MF", FILE, 0o644, manifest)
    for section, kind in ((b"jobs/", "job"), (b"packages/", "package")):
        files = {
            os.fsencode(f"{archive.part.name}.tgz"): archive
            for archive in archives
            if archive.part.kind == kind
        }
        if files:
            yield Entry(section, FOLDER, 0o755)
        for name in sorted(files):  # tar sorts files, so `a-b.tgz` comes before `a.tgz`
            yield _archive_entry(section + name, files[name])
    for archive in archives:
        if archive.part.kind == "license":
            yield _archive_entry(b"license.tgz", archive)
            yield from _license_copies(archive.part, release_dir)


def _archive_entry(name: bytes, archive: Archive) -> Entry:
    return Entry(name, FILE, 0o600, archive.path, digest=parse_digest(archive.digest))


def _license_copies(part: Part, release_dir: Path) -> Iterator[Entry]:
    """Yield LICENSE* and then NOTICE*: the CLI unpacks the license archive beside the others."""
    for entry in entries_of(part, release_dir):
        if entry.kind != FOLDER:
            yield entry._replace(name=entry.name.removeprefix(b"./"))
