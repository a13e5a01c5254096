"""Makes the tarball that `bosh create-release` makes: same fingerprints, same bytes inside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from bosh_release.build import dev_releases
from bosh_release.build.blobs_dir import absent_blobs, check_blobs, wrong_blobs
from bosh_release.build.commit_number import numbered_by_commit
from bosh_release.build.locking import one_at_a_time
from bosh_release.build.packing import Archive, pack_all, tarball
from bosh_release.source.git_state import GitState, git_state, is_ignored
from bosh_release.source.release_source import ReleaseSource, read_release_source
from bosh_release.source.specs import Blob, FinalConfig, absolute, read_blobs, read_final
from bosh_release.source.versions import parse_version
from bosh_release.support import interrupts
from bosh_release.support.atomic import Written, write_new
from bosh_release.support.errors import MultiError, ReleaseError, doing, os_failure
from bosh_release.support.scratch import parents_made, scratch_folder, scratch_path
from bosh_release.yaml.writing import write_yaml


class Built(NamedTuple):
    """A finished tarball."""

    path: Path
    name: str
    version: str
    git: GitState
    size: int  # bytes
    sha256: str
    source: ReleaseSource

    @property
    def fingerprints(self) -> list[tuple[str, str, str]]:
        """Kind, name and fingerprint of every part, in the tarball's order."""
        return [(part.kind, part.name, part.fingerprint) for part in self.source.parts]


def build_release(
    release_dir: Path | str = "release",
    *,
    version: str | None = None,
    timestamp_version: bool = False,
    commit_version: bool = False,
    output: Path | str | None = None,
    force: bool = False,
    unverified_blobs: bool = False,
    warn: Callable[[str], None] = lambda _text: None,
    now: Callable[[], float] = time.time,
) -> Built:
    """Build the release in `release_dir`; without `version` it gets the next dev version.

    `timestamp_version` and `commit_version` give it one from the clock or the commit instead.
    `output` may contain ((name)) and ((version)); without it the tarball goes to dev_releases/.
    Raises ReleaseError with everything that is wrong; then no tarball is left behind.
    """
    folder = absolute(release_dir)
    if not folder.is_dir():
        raise ReleaseError(f"There is no release folder '{folder}': name it with --release-dir")
    final = read_final(folder)
    counts = version is None and not timestamp_version and not commit_version
    with one_at_a_time(folder / "config" / "final.yml") if counts else nullcontext():
        number = ""  # by the commit: known once it is known which files are packed
        if not commit_version:
            clock = int(now()) if timestamp_version else None
            number = _version(folder, final.name, version, clock)
        git = git_state(folder, force=force)
        blobs = read_blobs(folder)
        check_blobs(folder, blobs, final)
        with scratch_folder("release-build-") as work:
            with _hinting(folder, blobs), doing(f"Building a release from directory '{folder}'"):
                source = read_release_source(folder, blobs)
                notes = [*_blob_notes(folder, blobs, source, unverified=unverified_blobs)]
                if commit_version:
                    number, git = numbered_by_commit(
                        folder, final.name, git, source, now=now(), warn=warn
                    )
                archives = pack_all(source.parts, folder, final, work)
            manifest = write_yaml(_manifest(final, number, git, archives))
            target = _target(output, folder, final.name, number)
            pieces = tarball(manifest, archives, folder, compress=not final.no_compression)
            written = _write(target, pieces)
            if counts:
                notes += _record(folder, final.name, number, manifest)
    for note in (*notes, *_script_notes(source)):
        warn(note)
    return Built(target, final.name, number, git, written.size, written.sha256, source)


def _write(target: Path, pieces: Iterable[bytes]) -> Written:
    """Write the tarball; once it has its name, the build is not interrupted any more."""
    try:
        with parents_made(target), scratch_path(target.parent, ".release-") as part:
            written = write_new(part, pieces)
            interrupts.work_is_done()
            part.rename(target)
    except OSError as error:
        raise os_failure("write", target, error) from error
    return written


@contextmanager
def _hinting(folder: Path, blobs: Sequence[Blob]) -> Iterator[None]:
    """Say what to do if files are missing that are blobs."""
    try:
        yield
    except ReleaseError as error:
        absent = absent_blobs(folder, blobs)
        if "Missing files for pattern" not in str(error) or not absent:
            raise
        raise ReleaseError(
            f"{error}\nNot in blobs/, though config/blobs.yml lists it: {', '.join(absent)}."
            " Run `tools/release.py blobs` first."
        ) from error


def _blob_notes(
    folder: Path, blobs: Sequence[Blob], source: ReleaseSource, *, unverified: bool
) -> Iterator[str]:
    """Yield what there is to say about blobs; raises ReleaseError for wrong ones."""
    what = "is not what config/blobs.yml says: run `tools/release.py blobs`"
    packed = {read.path: read.sha256 for part in source.packages for read in part.files}
    wrong = wrong_blobs(folder, blobs, packed)
    if wrong and not unverified:
        raise MultiError(
            [
                ReleaseError(
                    f"blobs/{path} {what}, or build with --allow-unverified-blobs,"
                    " which packs it as the BOSH CLI does"
                )
                for path in wrong
            ]
        )
    for path in (*absent_blobs(folder, blobs), *wrong):
        yield f"blobs/{path} {what}"
    for blob in blobs:
        if not blob.digest:
            yield f"blobs/{blob.path} has no sha in config/blobs.yml, so nothing is known about it"


def _script_notes(source: ReleaseSource) -> Iterator[str]:
    for package in source.packages:
        if not package.vendored and all(f.relative != "packaging" for f in package.files):
            yield (
                f"package '{package.name}' is packed without its packaging script, as the BOSH CLI"
                " does where src/ is a link to a place of another depth: make the link the other"
                " way round"
            )


def _version(folder: Path, name: str, version: str | None, timestamp: int | None) -> str:
    if version is not None:
        return str(parse_version(version))
    return str(dev_releases.next_dev_version(folder, name, timestamp))


def _target(output: Path | str | None, folder: Path, name: str, version: str) -> Path:
    if output is not None:
        filled = str(output).replace("((name))", name).replace("((version))", version)
        path = absolute(filled)
        if path.exists() and not path.is_file():  # it would be replaced, /dev/null too
            raise ReleaseError(f"--output '{filled}' is not a file: name one, it may be new")
        return path
    path = folder / "dev_releases" / name / f"{name}-{version}.tgz"
    if not is_ignored(folder, path):
        raise ReleaseError(
            f"git would see the tarball as a new file: {path}\n"
            "Name another place with --output, or add dev_releases/ to .gitignore."
        )
    return path


def _record(folder: Path, name: str, version: str, manifest: bytes) -> Iterator[str]:
    """Let the next build have the next number, unless git would notice the file for that."""
    if is_ignored(folder, folder / "dev_releases" / name / "index.yml"):
        dev_releases.record(folder, name, version, manifest)
    else:
        yield (
            f"git does not ignore dev_releases/, so that {version} was used is not written down:"
            " the next build gets the same version"
        )


def _manifest(
    final: FinalConfig, version: str, git: GitState, archives: Sequence[Archive]
) -> dict[str, Any]:
    """Return release.MF; a section without entries is left out."""
    jobs = [
        {**_reference(archive), "packages": list(archive.part.needs)}
        for archive in archives
        if archive.part.kind == "job"
    ]
    packages = [
        {**_reference(archive), "dependencies": list(archive.part.needs)}
        for archive in archives
        if archive.part.kind == "package"
    ]
    licenses = [_reference(archive) for archive in archives if archive.part.kind == "license"]
    for license_ in licenses:
        del license_["name"]
    return {
        "name": final.name,
        "version": version,
        "commit_hash": git.commit_hash,
        "uncommitted_changes": git.uncommitted_changes,
        **({"jobs": jobs} if jobs else {}),
        **({"packages": packages} if packages else {}),
        **({"license": licenses[0]} if licenses else {}),
        "no_compression": final.no_compression,
    }


def _reference(archive: Archive) -> dict[str, Any]:
    return {
        "name": archive.part.name,
        "version": archive.part.fingerprint,
        "fingerprint": archive.part.fingerprint,
        "sha1": archive.digest,
    }
