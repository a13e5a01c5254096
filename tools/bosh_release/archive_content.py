"""What is inside the archive of one job, package or license, and whether it may be there."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bosh_release.inflating import unpacked
from bosh_release.source_files import chunk, combined_fingerprint, mode_word
from bosh_release.tar_reader import Member, read_tar

_KEPT_FILE = "job.MF"
_KEPT_SIZE = 1 << 20


@dataclass(frozen=True)
class PackedFile:
    """A file or link in an archive."""

    name: str
    is_link: bool
    mode: int
    sha256: str  # of the content, or of a link's target


@dataclass
class Content:
    """All files of an archive, and what is wrong with them."""

    files: dict[str, PackedFile] = field(default_factory=dict)
    job_mf: bytes = b""
    problems: list[str] = field(default_factory=list)

    def fingerprint(self, dependencies: Iterable[str], without_mode: Iterable[str] = ()) -> str:
        """Recompute the fingerprint; the modes of files named in `without_mode` do not count."""
        bare = frozenset(without_mode)
        encoded = sorted(
            (file.name.encode(errors="surrogateescape"), file) for file in self.files.values()
        )
        chunks = [
            chunk(name, file.sha256, "" if file.name in bare else _mode_word(file))
            for name, file in encoded
        ]
        return combined_fingerprint(chunks, list(dependencies))


def _mode_word(file: PackedFile) -> str:
    return mode_word(is_link=file.is_link, is_executable=bool(file.mode & 0o111))


def read_content(pieces: Iterable[bytes]) -> Content:
    """Read an archive to its end, from a stream.

    Raises ReleaseError where it cannot be read; what is readable but wrong is in `problems`.
    """
    content = Content()
    for member in read_tar(unpacked(pieces)):
        name = inner_path(member.name)
        if name is None:
            content.problems.append(f"'{member.name}' leads out of the archive")
        elif member.kind != "folder" and name in content.files:
            content.problems.append(f"'{name}' is there twice")
        else:
            _take(name, member, content)
    content.problems += _below_links(content.files)
    return content


def inner_path(name: str) -> str | None:
    """Return the path of an entry without `./`, or None if it leads out of the archive."""
    clean = posixpath.normpath(name or ".")
    if name.startswith("/") or clean == ".." or clean.startswith("../") or "\0" in name:
        return None
    return "" if clean == "." else clean


def _take(name: str, member: Member, content: Content) -> None:
    problem = _unsafe(name, member, content.files)
    if problem is not None:
        content.problems.append(problem)
    elif member.kind == "file":
        total = hashlib.sha256()
        for piece in _kept(name, member, content):
            total.update(piece)
        content.files[name] = PackedFile(name, False, member.mode, total.hexdigest())
    elif member.kind == "link":
        digest = hashlib.sha256(member.target.encode(errors="surrogateescape")).hexdigest()
        content.files[name] = PackedFile(name, True, member.mode, digest)
    elif member.kind == "hard link":
        first = content.files[str(inner_path(member.target))]
        content.files[name] = PackedFile(name, first.is_link, first.mode, first.sha256)


def _kept(name: str, member: Member, content: Content) -> Iterator[bytes]:
    """Pass the content on, and keep that of job.MF."""
    keep = name == _KEPT_FILE and member.size <= _KEPT_SIZE
    for piece in member.content:
        if keep:
            content.job_mf += piece
        yield piece


def _unsafe(name: str, member: Member, files: dict[str, PackedFile]) -> str | None:
    if member.kind in ("device", "pipe"):
        return f"'{name}' is a {member.kind}"
    if member.kind == "link" and leads_out(name, member.target):
        return f"the link '{name}' leads out of the archive, to '{member.target}'"
    if member.kind == "hard link" and inner_path(member.target) not in files:
        return f"the link '{name}' is to '{member.target}', which is not in the archive before it"
    if member.kind == "file" and member.mode & 0o7002:  # set-uid and the like, or for all to write
        return f"'{name}' has the mode {member.mode:04o}"
    return None


def leads_out(name: str, target: str) -> bool:
    """Whether a link called `name` points out of the archive."""
    aim = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    return target.startswith("/") or aim == ".." or aim.startswith("../")


def _below_links(files: dict[str, PackedFile]) -> list[str]:
    """Unpacking a file below a link would write where the link points."""
    links = {name for name, file in files.items() if file.is_link}
    return [
        f"'{name}' lies below the link '{above}'"
        for name in files
        for above in _folders_above(name)
        if above in links
    ]


def _folders_above(name: str) -> Iterator[str]:
    while name := posixpath.dirname(name):
        yield name
