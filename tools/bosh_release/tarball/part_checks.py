"""Compares the archive of one job, package or license with what release.MF says about it."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from bosh_release.source.specs import decode_job_contents
from bosh_release.support.digests import ALGORITHMS, Digest, parse_digest
from bosh_release.support.errors import ReleaseError
from bosh_release.tarball.archive_content import Content, read_content
from bosh_release.tarball.inflating import Budget
from bosh_release.tarball.release_mf import Reference

_ALGORITHM_OF_FINGERPRINT = {64: "sha256", 40: "sha1"}  # by its length
_HEX = re.compile(r"[0-9a-f]+")
_PACKED_MODES = (0o644, 0o755)


@dataclass(frozen=True)
class Exceptions:
    """Packages whose files need not give their fingerprint, by name; and whether old ones count."""

    packages: frozenset[str] = frozenset()
    old: bool = False


@dataclass
class ReadPart:
    """An archive that was read to its end."""

    digests: dict[str, str]
    content: Content = field(default_factory=Content)
    problems: list[str] = field(default_factory=list)


@dataclass
class PartReport:
    """The findings about one archive."""

    reference: Reference
    content: Content = field(default_factory=Content)
    fingerprint_unchecked: str = ""  # why; empty if it was recomputed and is right
    problems: list[str] = field(default_factory=list)


def read_part(
    file: str, pieces: Iterator[bytes], budget: Budget, reference: Reference | None
) -> ReadPart:
    """Read the archive `file` to its end, with what it takes to compare it.

    Without the `reference`, as release.MF follows, that is every digest there may be.
    """
    totals = {name: hashlib.new(name, usedforsecurity=False) for name in _algorithms_of(reference)}
    passed_on = _hashed(pieces, list(totals.values()))
    part = ReadPart({})
    with_sha1 = reference is None or _fingerprint_algorithm(reference) == "sha1"
    try:
        part.content = read_content(
            passed_on,
            budget,
            with_sha1=with_sha1,
            is_compiled=file.startswith("compiled_packages/"),
        )
    except ReleaseError as error:
        part.problems.append(str(error))
    for _ in passed_on:  # what was left when the archive could not be read
        pass
    part.digests = {name: total.hexdigest() for name, total in totals.items()}
    return part


def _algorithms_of(reference: Reference | None) -> tuple[str, ...]:
    if reference is None:
        return ALGORITHMS
    try:
        return (parse_digest(reference.digest).algorithm,)
    except ReleaseError:  # which is told when it is compared
        return ()


def _hashed(pieces: Iterator[bytes], totals: list[hashlib._Hash]) -> Iterator[bytes]:
    for piece in pieces:
        for total in totals:
            total.update(piece)
        yield piece


def check_part(reference: Reference, part: ReadPart, exceptions: Exceptions) -> PartReport:
    """Compare what was read with what release.MF says."""
    report = PartReport(reference, part.content, problems=list(part.problems))
    try:
        wanted = parse_digest(reference.digest)
    except ReleaseError as error:
        report.problems = [f"release.MF: {error}"]
        return report
    found = Digest(wanted.algorithm, part.digests[wanted.algorithm])
    if found != wanted:
        report.problems.append(f"it has the digest {found}, but release.MF says {wanted}")
    if not report.problems:
        _check_content(report, exceptions)
    return report


def _check_content(report: PartReport, exceptions: Exceptions) -> None:
    report.problems += report.content.problems
    if report.reference.kind == "job":
        _check_job(report)
    if report.reference.kind == "compiled package":
        report.fingerprint_unchecked = "it is made from the sources, which are not there"
        return
    _check_fingerprint(report, exceptions)
    if not report.fingerprint_unchecked:
        # only a pre_packaging script makes other modes, and then there is no fingerprint to check
        report.problems += [
            f"'{file.name}' has the mode {file.mode:04o}, not 0644 or 0755"
            for file in report.content.files.values()
            if not file.is_link and file.mode not in _PACKED_MODES
        ]


def _check_job(report: PartReport) -> None:
    reference, content = report.reference, report.content
    if "job.MF" not in content.files:
        report.problems.append("it has no job.MF")
        return
    try:
        spec = decode_job_contents(content.job_mf)
    except ReleaseError as error:
        report.problems.append(f"job.MF: {error}")
        return
    if spec.name != reference.name:
        report.problems.append(f"job.MF has the name '{spec.name}'")
    if reference.needs and reference.needs != spec.packages:
        report.problems.append("job.MF names other packages than release.MF")
    for template in spec.templates:
        name = posixpath.normpath(f"templates/{template}")
        if name not in content.files:
            report.problems.append(f"job.MF names the template '{template}', which is not there")


def _check_fingerprint(report: PartReport, exceptions: Exceptions) -> None:
    reference, content = report.reference, report.content
    algorithm = _fingerprint_algorithm(reference)
    found = _recomputed(reference, content, algorithm or "sha256")
    if found == reference.fingerprint:
        return
    what = f"its files give the fingerprint {found}, but release.MF says {reference.fingerprint}"
    if reference.kind == "package" and reference.name in exceptions.packages:
        report.fingerprint_unchecked = "its files do not give it, which --allow-changed allows"
    elif algorithm != "sha256" and exceptions.old:
        report.fingerprint_unchecked = "it is of an old kind, which --allow-old allows"
    elif algorithm != "sha256":
        report.problems.append(
            f"{what}. It is of an old kind: in releases from before the BOSH CLI 2.0 it was made"
            " otherwise; --allow-old takes it as it is."
        )
    elif reference.kind == "package":
        report.problems.append(
            f"{what}. The BOSH CLI makes such packages of those with a pre_packaging script, which"
            " changes files after the fingerprint was made, and where a pattern finds links below"
            f" a linked folder: if that is so, --allow-changed {reference.name} takes it as it is."
        )
    else:
        report.problems.append(what)


def _fingerprint_algorithm(reference: Reference) -> str | None:
    if not _HEX.fullmatch(reference.fingerprint):
        return None
    return _ALGORITHM_OF_FINGERPRINT.get(len(reference.fingerprint))


def _recomputed(reference: Reference, content: Content, algorithm: str) -> str:
    if reference.kind == "job":
        return content.fingerprint((), algorithm=algorithm)
    if reference.kind == "license":
        return content.fingerprint((), content.files, algorithm)
    return content.fingerprint(reference.needs, ("packaging", "pre_packaging"), algorithm)
