"""Checks a release tarball of any maker: digests, references, paths, modes and fingerprints.

Nothing is unpacked to disk, and however large an archive says it is, memory stays small.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bosh_release.source.versions import parse_version
from bosh_release.support.digests import pieces_of
from bosh_release.support.errors import ReleaseError, doing, in_one_line, os_failure, raise_all
from bosh_release.tarball.archive_content import UNSAFE_MODES
from bosh_release.tarball.archive_names import Names, inner_path, leads_out
from bosh_release.tarball.inflating import Budget, unpacked
from bosh_release.tarball.part_checks import Exceptions, PartReport, ReadPart, check_part, read_part
from bosh_release.tarball.release_mf import Reference, ReleaseManifest, read_release_mf
from bosh_release.tarball.tar_reader import Member, read_tar

_MANIFEST = "release.MF"
_LARGEST_MANIFEST = 2 << 20  # bytes; thousands of jobs and packages
_SECTIONS = ("release.MF", "jobs", "packages", "compiled_packages", "license.tgz")
_MOST_PROBLEMS = 100  # told


@dataclass(frozen=True)
class Verified:
    """A tarball in which nothing is wrong."""

    manifest: ReleaseManifest
    parts: tuple[PartReport, ...]
    notes: tuple[str, ...]


@dataclass
class _Findings:
    """The things that a tarball holds, as far as it was read."""

    manifest: ReleaseManifest | None = None
    archives: dict[str, ReadPart] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)  # of all but folders
    licenses: dict[str, str] = field(default_factory=dict)  # copies beside license.tgz: SHA256
    problems: list[str] = field(default_factory=list)
    names: Names = field(default_factory=Names)
    budget: Budget = field(default_factory=Budget)


def verify_tarball(path: Path, exceptions: Exceptions = Exceptions()) -> Verified:  # noqa: B008
    """Check the tarball at `path`, which may be a pipe: it is read once, from begin to end.

    Raises ReleaseError with all that is wrong.
    """
    with doing(f"Verifying '{path}'"):
        findings = _read(path)
        manifest = findings.manifest
        if manifest is None:
            raise ReleaseError(f"it has no {_MANIFEST}, so it is not a BOSH release")
        parts = {
            each.file: check_part(each, findings.archives[each.file], exceptions)
            for each in manifest.references
            if each.file in findings.archives
        }
        problems = [*findings.problems, *_check_manifest(manifest, parts, findings)]
        if len(problems) > _MOST_PROBLEMS:
            problems[_MOST_PROBLEMS:] = [f"and {len(problems) - _MOST_PROBLEMS:,} more"]
        raise_all([ReleaseError(in_one_line(problem)) for problem in problems])
    ordered = tuple(parts[each.file] for each in manifest.references)
    return Verified(manifest, ordered, tuple(map(in_one_line, _notes(findings, ordered))))


def _read(path: Path) -> _Findings:
    findings = _Findings()
    budget = findings.budget
    try:
        pieces = unpacked(budget.counted(pieces_of(path)), budget)
        for member in read_tar(pieces, budget):
            _take(member, findings)
    except OSError as error:
        raise os_failure("read", path, error) from error
    return findings


def _take(member: Member, findings: _Findings) -> None:
    name = inner_path(member.name)
    if name is None:
        findings.problems.append(f"'{member.name}' leads out of the archive")
        return
    problem = findings.names.problem_with(name, member) or _unsafe(name, member)
    if problem is not None:
        findings.problems.append(problem)
        return
    if member.kind == "folder":
        return
    findings.order.append(name)
    if name == _MANIFEST:
        findings.manifest = _manifest(member)
    elif name.endswith(".tgz"):
        by_file = {each.file: each for each in _references(findings)}
        if findings.manifest is None or name in by_file:
            findings.archives[name] = read_part(
                name, member.content, findings.budget, by_file.get(name)
            )
    elif _is_license(name):
        findings.licenses[name] = _license_digest(member)


def _references(findings: _Findings) -> tuple[Reference, ...]:
    return findings.manifest.references if findings.manifest else ()


def _manifest(member: Member) -> ReleaseManifest:
    if member.size > _LARGEST_MANIFEST:
        raise ReleaseError(f"{_MANIFEST} is unreasonably large: {member.size} bytes")
    with doing(f"Reading {_MANIFEST}"):
        return read_release_mf(b"".join(member.content))


def _unsafe(name: str, member: Member) -> str | None:
    if member.kind == "folder":
        return None
    if member.kind == "link" and _is_license(name):
        return f"the link '{name}' leads out" if leads_out(name, member.target) else None
    if member.kind != "file":
        return f"'{name}' is a {member.kind}, where a file should be"
    if member.mode & UNSAFE_MODES:
        return f"'{name}' has the mode {member.mode:04o}"
    return None


def _is_license(name: str) -> bool:
    return "/" not in name and name.startswith(("LICENSE", "NOTICE"))


def _license_digest(member: Member) -> str:
    total = hashlib.sha256(member.target.encode(errors="surrogateescape"))
    for piece in member.content:
        total.update(piece)
    return total.hexdigest()


def _check_manifest(
    manifest: ReleaseManifest, parts: Mapping[str, PartReport], findings: _Findings
) -> Iterator[str]:
    """Yield what is wrong with the manifest and the archives that it mentions."""
    try:
        parse_version(manifest.version)
    except ReleaseError as error:
        yield f"{_MANIFEST}: {error}"
    files = Counter(each.file for each in manifest.references)
    for file, count in files.items():
        if count > 1:
            yield f"{_MANIFEST} mentions {file} {count} times"
    for name in findings.order:
        if name.endswith(".tgz") and name not in files:
            yield f"{name} is not mentioned in {_MANIFEST}"
    packages = {each.name for each in manifest.references if each.kind.endswith("package")}
    for reference in manifest.references:
        for name in reference.needs:
            if name not in packages:
                yield (
                    f"{reference.kind} '{reference.name}' needs package '{name}',"
                    " which is not there"
                )
        report = parts.get(reference.file)
        if report is None:
            yield f"{reference.file} is missing"
        else:
            yield from (f"{reference.file}: {problem}" for problem in report.problems)
    yield from _check_licenses(parts.get("license.tgz"), findings.licenses)


def _check_licenses(archive: PartReport | None, copies: Mapping[str, str]) -> Iterator[str]:
    packed = archive.content.files if archive is not None else {}
    for name, digest in copies.items():
        if name in packed and packed[name].sha256 != digest:
            yield f"{name} differs from the one in license.tgz"


def _notes(findings: _Findings, parts: Sequence[PartReport]) -> Iterator[str]:
    sections = [name.partition("/")[0] for name in findings.order]
    ranks = [_SECTIONS.index(s) if s in _SECTIONS else len(_SECTIONS) for s in sections]
    if ranks != sorted(ranks):
        yield "the entries are in another order than the BOSH CLI's"
    for name in findings.order:
        known = name == _MANIFEST or name in findings.archives or _is_license(name)
        if not known:
            yield f"{name} does not belong to a release; BOSH passes over it"
    for report in parts:
        if report.reference.kind == "job" and "monit" not in report.content.files:
            yield f"job '{report.reference.name}' has no monit file, which BOSH needs to deploy it"
