"""The content of the archive of one job, package or license, and whether it may be there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha1, sha256

from bosh_release.source.source_files import chunk, combined_fingerprint, mode_word
from bosh_release.support.digests import Digest
from bosh_release.support.errors import ReleaseError
from bosh_release.tarball.archive_names import Names, inner_path, leads_out, through_links
from bosh_release.tarball.inflating import Budget, unpacked
from bosh_release.tarball.tar_reader import Member, read_tar

_KEPT_FILE = "job.MF"
_KEPT_SIZE = 1 << 20
_MOST_PROBLEMS = 100  # told of one archive
LENDING_MODES = 0o7000  # set-uid and the like
UNSAFE_MODES = LENDING_MODES | 0o0002  # and for all to write


@dataclass(frozen=True)
class PackedFile:
    """A file or link in an archive."""

    name: str
    is_link: bool
    mode: int
    sha256: str  # of the content, or of a link's target
    sha1: str = ""  # the same, where it was asked for

    def digest(self, algorithm: str) -> Digest:
        """Return one of the digests."""
        return Digest(algorithm, self.sha1 if algorithm == "sha1" else self.sha256)


@dataclass
class Content:
    """All files of an archive, and what is wrong with them."""

    files: dict[str, PackedFile] = field(default_factory=dict)
    job_mf: bytes = b""
    problems: list[str] = field(default_factory=list)

    def add_problem(self, problem: str) -> None:
        """Note what is wrong; raises ReleaseError if there is no end of it."""
        if len(self.problems) == _MOST_PROBLEMS:
            raise ReleaseError(f"more than {_MOST_PROBLEMS} entries are wrong: {problem}, …")
        self.problems.append(problem)

    def fingerprint(
        self,
        dependencies: Iterable[str],
        without_mode: Iterable[str] = (),
        algorithm: str = "sha256",
    ) -> str:
        """Recompute the fingerprint; the modes of files named in `without_mode` do not count."""
        bare = frozenset(without_mode)
        encoded = sorted(
            (file.name.encode(errors="surrogateescape"), file) for file in self.files.values()
        )
        chunks = [
            chunk(name, file.digest(algorithm), "" if file.name in bare else _mode_word(file))
            for name, file in encoded
        ]
        return combined_fingerprint(chunks, list(dependencies), algorithm)


def _mode_word(file: PackedFile) -> str:
    return mode_word(is_link=file.is_link, is_executable=bool(file.mode & 0o111))


def read_content(
    pieces: Iterable[bytes],
    budget: Budget,
    *,
    with_sha1: bool = False,
    is_compiled: bool = False,
) -> Content:
    """Read an archive to its end, from a stream; `with_sha1` for fingerprints of old releases.

    In a compiled package links may lead to where packages are installed, and files may have any
    mode that does not lend rights.

    Raises ReleaseError where it cannot be read; what is readable but wrong is in `problems`.
    """
    content = Content()
    names = Names()
    links: dict[str, str] = {}
    for member in read_tar(unpacked(pieces, budget), budget):
        name = inner_path(member.name)
        if name is None:
            content.add_problem(f"'{member.name}' leads out of the archive")
            continue
        problem = names.problem_with(name, member) or _unsafe(name, member, names, is_compiled)
        if problem is not None:
            content.add_problem(problem)
        elif member.kind == "link":
            links[name] = member.target
            content.files[name] = _packed_link(name, member, with_sha1=with_sha1)
        elif member.kind == "hard link":
            first = content.files[str(inner_path(member.target))]
            content.files[name] = replace(first, name=name)
        elif member.kind == "file":
            content.files[name] = _packed_file(name, member, content, with_sha1=with_sha1)
    if not is_compiled:
        content.problems += through_links(links)
    return content


def _packed_link(name: str, member: Member, *, with_sha1: bool) -> PackedFile:
    target = member.target.encode(errors="surrogateescape")
    old = sha1(target, usedforsecurity=False).hexdigest() if with_sha1 else ""
    return PackedFile(name, True, member.mode, sha256(target).hexdigest(), old)


def _packed_file(name: str, member: Member, content: Content, *, with_sha1: bool) -> PackedFile:
    total, old = sha256(), sha1(usedforsecurity=False)
    for piece in _kept(name, member, content):
        total.update(piece)
        if with_sha1:
            old.update(piece)
    return PackedFile(
        name, False, member.mode, total.hexdigest(), old.hexdigest() if with_sha1 else ""
    )


def _kept(name: str, member: Member, content: Content) -> Iterator[bytes]:
    """Pass the content on, and keep that of job.MF."""
    keep = name == _KEPT_FILE and member.size <= _KEPT_SIZE
    for piece in member.content:
        if keep:
            content.job_mf += piece
        yield piece


def _unsafe(name: str, member: Member, names: Names, is_compiled: bool) -> str | None:
    if member.kind in ("device", "pipe"):
        return f"'{name}' is a {member.kind}"
    if member.kind == "link" and not is_compiled and leads_out(name, member.target):
        return f"the link '{name}' leads out of the archive, to '{member.target}'"
    if member.kind == "hard link" and names.kind_of(inner_path(member.target)) != "file":
        return f"the link '{name}' is to '{member.target}', no file in the archive before it"
    if member.kind == "file" and member.mode & (LENDING_MODES if is_compiled else UNSAFE_MODES):
        return f"'{name}' has the mode {member.mode:04o}"
    return None
