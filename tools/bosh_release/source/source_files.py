"""A file of a release folder on its way into an archive: its digest, mode and fingerprint.

A fingerprint names what an archive is made from. The director compiles a package again only when
its fingerprint changes, so these must be the BOSH CLI's to the bit.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from bosh_release.support.digests import Digest
from bosh_release.support.errors import ContextError, ReleaseError, doing, os_failure

_PIECE = 1 << 20


class SourceFile(NamedTuple):
    """A file to pack, and how it takes part in the fingerprint."""

    path: Path
    relative: str
    follow_links: bool = False
    by_basename: bool = False  # license files are known by their last name
    mode_counts: bool = True


def source_file(path: Path, root: Path, **options: bool) -> SourceFile:
    """Return the file `path`, named as seen from the folder `root`.

    A path outside the root keeps its whole name, without the leading slash: that is what the CLI
    makes of a pattern that climbs out of src/ with `..`.
    """
    return SourceFile(path, str(path).removeprefix(str(root)).removeprefix("/"), **options)


def executable_by_anyone(mode: int) -> bool:
    """Tell whether a file counts as executable in the fingerprint."""
    return bool(mode & 0o111)


def executable_by_owner(mode: int) -> bool:
    """Tell whether the packed file gets 0755 and not 0644."""
    return bool(mode & stat.S_IXUSR)


class ReadFile(NamedTuple):
    """A file as it was when its digest was made; it must be packed like that."""

    file: SourceFile
    is_link: bool  # and is packed as one
    mode: int  # of the file, or of the link through which it is read
    sha256: str  # of the content, or of the link's target
    target: bytes = b""

    @property
    def path(self) -> Path:
        """The place of the file."""
        return self.file.path

    @property
    def relative(self) -> str:
        """The name in the archive."""
        return self.file.relative


def read_files(files: Iterable[SourceFile]) -> tuple[ReadFile, ...]:
    """Make the digests of files, in order of their names.

    Raises ReleaseError for what cannot be read.
    """
    read: list[ReadFile] = []
    with doing("Fingerprinting source files"):
        for file in sorted(files, key=lambda file: os.fsencode(file.relative)):
            with doing(f"Fingerprinting file '{file.path}'"):
                read.append(_read(file))
    return tuple(read)


def fingerprint(
    files: Iterable[ReadFile],
    dependencies: Sequence[str] = (),
    is_executable: Callable[[int], bool] = executable_by_anyone,
) -> str:
    """Return the hex fingerprint of a job, package or license."""
    return combined_fingerprint([_chunk_of(each, is_executable) for each in files], dependencies)


def combined_fingerprint(
    chunks: Iterable[bytes], dependencies: Sequence[str], algorithm: str = "sha256"
) -> str:
    """Return the fingerprint of files, given their chunks in order of their names.

    Releases from before 2019 have SHA1, in the chunks too.
    """
    names = ",".join(sorted(dependencies, key=os.fsencode))
    whole = b"v2" + b"".join(chunks) + os.fsencode(names)
    return hashlib.new(algorithm, whole, usedforsecurity=False).hexdigest()


def chunk(name: bytes, digest: Digest, mode: str) -> bytes:
    """Return what one file adds to a fingerprint."""
    return name + f"{digest}{mode}".encode()


def mode_word(*, is_link: bool, is_executable: bool) -> str:
    """Return how the mode of a file is written in a fingerprint."""
    return "symlink" if is_link else "100755" if is_executable else "100644"


def _read(file: SourceFile) -> ReadFile:
    mode = lstat(file.path).st_mode
    if stat.S_ISLNK(mode) and not file.follow_links:
        target = link_target(file.path)
        return ReadFile(file, True, mode, hashlib.sha256(target).hexdigest(), target)
    return ReadFile(file, False, mode, digest_of(file.path))


def _chunk_of(read: ReadFile, is_executable: Callable[[int], bool]) -> bytes:
    name = os.fsencode(read.path.name if read.file.by_basename else read.relative)
    word = mode_word(is_link=read.is_link, is_executable=is_executable(read.mode))
    mode = word if read.file.mode_counts else ""
    return chunk(name, Digest("sha256", read.sha256), mode)


def lstat(path: Path) -> os.stat_result:
    """Return the status of a file, or of the link that it is."""
    try:
        return path.lstat()
    except OSError as error:
        raise os_failure("lstat", path, error) from error


def link_target(path: Path) -> bytes:
    """Return where a link points, as it is written: pathlib would leave out `./`."""
    try:
        return os.readlink(os.fsencode(path))  # noqa: PTH115
    except OSError as error:
        raise os_failure("readlink", path, error) from error


def digest_of(path: Path) -> str:
    """Return the SHA256 of a regular file's content, links followed."""
    total = hashlib.sha256()
    with doing(f"Calculating digest for {path}"):
        try:
            _must_be_regular(path)
            with path.open("rb", buffering=0) as file:
                while piece := file.read(_PIECE):
                    total.update(piece)
        except OSError as error:
            what = f"calculating digest of '{path}'"
            raise ContextError(what, os_failure("open", path, error)) from error
    return total.hexdigest()


def _must_be_regular(path: Path) -> None:
    """Refuse folders, and also pipes and devices, on which the CLI would wait for ever."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        with doing("Copying file for digest calculation"):
            raise ReleaseError(f"read {path}: is a directory")
    if not stat.S_ISREG(mode):
        raise ReleaseError(f"read {path}: it is a pipe, socket or device, which cannot be packed")
