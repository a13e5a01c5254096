"""Compares the archive of one job, package or license with what release.MF says about it."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from bosh_release.archive_content import Content, read_content
from bosh_release.digests import Digest, parse_digest
from bosh_release.errors import ReleaseError
from bosh_release.release_mf import Reference
from bosh_release.specs import decode_job_spec

_SHA256_HEX = re.compile(r"[0-9a-f]{64}")
_PACKED_MODES = (0o644, 0o755)


@dataclass
class PartReport:
    """What was found out about one archive."""

    reference: Reference
    content: Content = field(default_factory=Content)
    fingerprint_unchecked: str = ""  # why; empty if it was recomputed and is right
    problems: list[str] = field(default_factory=list)


def check_part(reference: Reference, pieces: Iterator[bytes]) -> PartReport:
    """Read an archive to its end and compare it."""
    report = PartReport(reference)
    try:
        wanted = parse_digest(reference.digest)
    except ReleaseError as error:
        report.problems.append(f"release.MF: {error}")
        return report
    total = hashlib.new(wanted.algorithm, usedforsecurity=False)
    passed_on = _hashed(pieces, total)
    try:
        report.content = read_content(passed_on)
    except ReleaseError as error:
        report.problems.append(str(error))
    for _ in passed_on:  # what was left when the archive could not be read
        pass
    found = Digest(wanted.algorithm, total.hexdigest())
    if found != wanted:
        report.problems.append(f"it has the digest {found}, but release.MF says {wanted}")
    if not report.problems:
        _check_content(report)
    return report


def _hashed(pieces: Iterator[bytes], total: hashlib._Hash) -> Iterator[bytes]:
    for piece in pieces:
        total.update(piece)
        yield piece


def _check_content(report: PartReport) -> None:
    report.problems += report.content.problems
    if report.reference.kind == "job":
        _check_job(report)
    _check_fingerprint(report)
    if report.reference.kind != "compiled package" and not report.fingerprint_unchecked:
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
        spec = decode_job_spec(content.job_mf)
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


def _check_fingerprint(report: PartReport) -> None:
    reference, content = report.reference, report.content
    if reference.kind == "compiled package":
        report.fingerprint_unchecked = "it is made from the sources, which are not there"
    elif not _SHA256_HEX.fullmatch(reference.fingerprint):
        report.fingerprint_unchecked = "it is of an old kind"
    elif _recomputed(reference, content) == reference.fingerprint:
        return
    elif reference.kind == "package":
        report.fingerprint_unchecked = (
            "the files do not give it, which is so for packages with a pre_packaging script"
        )
    else:
        report.problems.append(
            f"its files give the fingerprint {_recomputed(reference, content)},"
            f" but release.MF says {reference.fingerprint}"
        )


def _recomputed(reference: Reference, content: Content) -> str:
    if reference.kind == "job":
        return content.fingerprint(())
    if reference.kind == "license":
        return content.fingerprint((), content.files)
    return content.fingerprint(reference.needs, ("packaging", "pre_packaging"))
