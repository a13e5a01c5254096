"""The command `verify`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bosh_release.command_line.options import add_command
from bosh_release.command_line.reporting import Output, Report
from bosh_release.support.errors import MultiError, ReleaseError, in_one_line
from bosh_release.tarball.part_checks import Exceptions, PartReport
from bosh_release.tarball.release_checks import Verified, verify_tarball

if TYPE_CHECKING:
    from bosh_release.command_line.options import Commands

_DESCRIPTION = """\
Check a release tarball, whoever made it: that it is whole, that everything release.MF mentions is
there with the right digest, that nothing leads out of the archives, that file modes are as they
should be, and that the files give the fingerprints. The fingerprint of a compiled package is made
from its sources and reported as "not checked". Nothing is unpacked. What GNU tar, with which BOSH
unpacks, and others read differently is refused, so that nothing can be hidden in a tarball.

FILE may be a pipe, such as /dev/stdin.

The BOSH CLI itself makes packages whose files do not give the fingerprint: a pre_packaging script
changes them after it is taken, and a pattern may find links below a linked folder, which count and
are not packed. Name such packages with --allow-changed once you have seen why.
"""


_EPILOG = """\
with --json the result is {"name", "version", "commit_hash", "uncommitted_changes", "parts":
[{"kind", "name", "files": how many, "digest", "fingerprint", "unchecked": why the fingerprint was
not recomputed, or null}]}

"""


def add_parser(commands: Commands) -> None:
    """Add `verify` to the command line."""
    verify = add_command(commands, "verify", "check a release tarball", _DESCRIPTION, _EPILOG)
    verify.add_argument("tarball", metavar="FILE", type=Path)
    verify.add_argument(
        "--strict", action="store_true", help="fail too if a fingerprint could not be checked"
    )
    verify.add_argument(
        "--allow-changed",
        metavar="NAME",
        action="append",
        default=[],
        help="take a package whose files do not give its fingerprint; can be repeated",
    )
    verify.add_argument(
        "--allow-old",
        action="store_true",
        help="take SHA1 fingerprints that the files do not give, as old BOSH CLIs made them",
    )
    verify.set_defaults(func=_run)


def _run(arguments: argparse.Namespace, output: Output) -> Report:
    exceptions = Exceptions(frozenset(arguments.allow_changed), arguments.allow_old)
    verified = verify_tarball(arguments.tarball, exceptions)
    for note in verified.notes:
        output.note(note)
    packages = {part.reference.name for part in verified.parts if part.reference.kind == "package"}
    for name in sorted(exceptions.packages - packages):
        output.note(f"--allow-changed {name}: the release has no such package")
    unchecked = [part for part in verified.parts if part.fingerprint_unchecked]
    errors = [ReleaseError(_unchecked(part)) for part in unchecked]
    problem = MultiError(errors) if errors and arguments.strict else None
    return Report(describe(verified), result(verified), problem)


def result(verified: Verified) -> dict[str, Any]:
    """Return what --json tells about a tarball in which nothing is wrong."""
    manifest = verified.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "commit_hash": manifest.commit_hash,
        "uncommitted_changes": manifest.uncommitted_changes,
        "parts": [
            {
                "kind": part.reference.kind,
                "name": part.reference.name,
                "files": len(part.content.files),
                "digest": part.reference.digest,
                "fingerprint": part.reference.fingerprint,
                "unchecked": part.fingerprint_unchecked or None,
            }
            for part in verified.parts
        ],
    }


def describe(verified: Verified) -> str:
    """Return what is printed about a tarball in which nothing is wrong."""
    manifest = verified.manifest
    changes = ", with uncommitted changes" if manifest.uncommitted_changes else ""
    width = max((len(part.reference.name) for part in verified.parts), default=0)
    lines = (
        f"{manifest.name} {manifest.version} from commit {manifest.commit_hash}{changes}",
        *(_line(part, width) for part in verified.parts),
        "Nothing is wrong with it.",
    )
    return "\n".join(map(in_one_line, lines))


def _line(part: PartReport, width: int) -> str:
    reference = part.reference
    fingerprint = "not checked" if part.fingerprint_unchecked else "right"
    return (
        f"  {reference.kind:7}  {reference.name:{width}}  {len(part.content.files):4} files"
        f"  digest right  fingerprint {fingerprint}"
    )


def _unchecked(part: PartReport) -> str:
    return in_one_line(
        f"the fingerprint of {part.reference.kind} '{part.reference.name}' was not checked:"
        f" {part.fingerprint_unchecked}"
    )
