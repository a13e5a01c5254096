"""Checks a release tarball of any maker: digests, references, paths, modes and fingerprints.

Nothing is unpacked to disk, and however large an archive says it is, memory stays small.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bosh_release.archive_content import inner_path, leads_out
from bosh_release.digests import pieces_of
from bosh_release.errors import ReleaseError, doing, os_failure, raise_all
from bosh_release.inflating import unpacked
from bosh_release.part_checks import PartReport, check_part
from bosh_release.release_mf import Reference, ReleaseManifest, read_release_mf
from bosh_release.tar_reader import Member, read_tar
from bosh_release.versions import parse_version

_MANIFEST = "release.MF"
_LARGEST_MANIFEST = 2 << 20  # bytes; thousands of jobs and packages
_SECTIONS = ("release.MF", "jobs", "packages", "compiled_packages", "license.tgz")


@dataclass(frozen=True)
class Verified:
    """A tarball in which nothing is wrong."""

    manifest: ReleaseManifest
    parts: tuple[PartReport, ...]
    notes: tuple[str, ...]


@dataclass
class _Findings:
    manifest: ReleaseManifest
    parts: dict[str, PartReport] = field(default_factory=dict)
    order: dict[str, None] = field(default_factory=dict)  # a set that keeps its order
    licenses: dict[str, str] = field(default_factory=dict)  # copies beside license.tgz: SHA256
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.by_file = {each.file: each for each in self.manifest.references}


def verify_tarball(path: Path) -> Verified:
    """Check the tarball at `path`; raises ReleaseError with all that is wrong."""
    with doing(f"Verifying '{path}'"):
        try:
            findings = _Findings(_find_manifest(path))
            for member in _members(path):
                _take(member, findings)
        except OSError as error:
            raise os_failure("read", path, error) from error
        findings.problems += _check_manifest(findings)
        raise_all([ReleaseError(problem) for problem in findings.problems])
    parts = (findings.parts[each.file] for each in findings.manifest.references)
    return Verified(findings.manifest, tuple(parts), tuple(_notes(findings)))


def _members(path: Path) -> Iterator[Member]:
    return read_tar(unpacked(pieces_of(path)))


def _find_manifest(path: Path) -> ReleaseManifest:
    for member in _members(path):
        if inner_path(member.name) == _MANIFEST and member.kind == "file":
            if member.size > _LARGEST_MANIFEST:
                raise ReleaseError(f"{_MANIFEST} is unreasonably large: {member.size} bytes")
            with doing(f"Reading {_MANIFEST}"):
                return read_release_mf(b"".join(member.content))
    raise ReleaseError(f"it has no {_MANIFEST}, so it is not a BOSH release")


def _take(member: Member, findings: _Findings) -> None:
    name = inner_path(member.name)
    if name is None:
        findings.problems.append(f"'{member.name}' leads out of the archive")
        return
    if member.kind == "folder":
        return
    problem = _unsafe(name, member)
    if problem is None and name in findings.order:
        problem = f"'{name}' is there twice"
    if problem is not None:
        findings.problems.append(problem)
        return
    findings.order[name] = None
    reference = findings.by_file.get(name)
    if reference is not None:
        findings.parts[name] = check_part(reference, member.content)
    elif name.endswith(".tgz"):
        findings.problems.append(f"{name} is not mentioned in {_MANIFEST}")
    elif _is_license(name):
        findings.licenses[name] = _license_digest(member)


def _unsafe(name: str, member: Member) -> str | None:
    if member.kind == "link" and _is_license(name):
        return f"the link '{name}' leads out" if leads_out(name, member.target) else None
    if member.kind != "file":
        return f"'{name}' is a {member.kind}, where a file should be"
    if member.mode & 0o7002:
        return f"'{name}' has the mode {member.mode:04o}"
    return None


def _is_license(name: str) -> bool:
    return "/" not in name and name.startswith(("LICENSE", "NOTICE"))


def _license_digest(member: Member) -> str:
    total = hashlib.sha256(member.target.encode(errors="surrogateescape"))
    for piece in member.content:
        total.update(piece)
    return total.hexdigest()


def _check_manifest(findings: _Findings) -> Iterator[str]:
    """Yield what is wrong with the manifest and the archives that it mentions."""
    references = findings.manifest.references
    try:
        parse_version(findings.manifest.version)
    except ReleaseError as error:
        yield f"{_MANIFEST}: {error}"
    for file, count in Counter(each.file for each in references).items():
        if count > 1:
            yield f"{_MANIFEST} mentions {file} {count} times"
    packages = {each.name for each in references if each.kind.endswith("package")}
    for reference in references:
        yield from _check_reference(reference, packages, findings)
    yield from _check_licenses(findings)


def _check_reference(
    reference: Reference, packages: set[str], findings: _Findings
) -> Iterator[str]:
    for name in reference.needs:
        if name not in packages:
            yield f"{reference.kind} '{reference.name}' needs package '{name}', which is not there"
    report = findings.parts.get(reference.file)
    if report is None:
        yield f"{reference.file} is missing"
    else:
        yield from (f"{reference.file}: {problem}" for problem in report.problems)


def _check_licenses(findings: _Findings) -> Iterator[str]:
    archive = findings.parts.get("license.tgz")
    packed = archive.content.files if archive is not None else {}
    for name, digest in findings.licenses.items():
        if name in packed and packed[name].sha256 != digest:
            yield f"{name} differs from the one in license.tgz"


def _notes(findings: _Findings) -> Iterator[str]:
    sections = [name.partition("/")[0] for name in findings.order]
    ranks = [_SECTIONS.index(s) if s in _SECTIONS else len(_SECTIONS) for s in sections]
    if ranks != sorted(ranks):
        yield "the entries are in another order than the BOSH CLI's"
    for name in findings.order:
        known = name == _MANIFEST or name in findings.parts or _is_license(name)
        if not known:
            yield f"{name} does not belong to a release; BOSH passes over it"
    for report in findings.parts.values():
        if report.reference.kind == "job" and "monit" not in report.content.files:
            yield f"job '{report.reference.name}' has no monit file, which BOSH needs to deploy it"
