"""The command `verify`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bosh_release.command_options import add_command
from bosh_release.errors import MultiError, ReleaseError, printable
from bosh_release.part_checks import PartReport
from bosh_release.verify import Verified, verify_tarball

if TYPE_CHECKING:
    from bosh_release.command_options import Commands

_DESCRIPTION = """\
Check a release tarball, whoever made it: that it is whole, that everything release.MF mentions is
there with the right digest, that nothing leads out of the archives, that file modes are as they
should be, and that the files give the fingerprints. A fingerprint that cannot be recomputed is
reported as "not checked": that of a compiled package, and that of a package whose files a
pre_packaging script has changed. Nothing is unpacked.
"""


def add_parser(commands: Commands) -> None:
    """Add `verify` to the command line."""
    verify = add_command(commands, "verify", "check a release tarball", _DESCRIPTION)
    verify.add_argument("tarball", metavar="FILE", type=Path)
    verify.add_argument(
        "--strict", action="store_true", help="fail too if a fingerprint could not be checked"
    )
    verify.set_defaults(func=_run)


def _run(arguments: argparse.Namespace) -> int:
    verified = verify_tarball(arguments.tarball)
    print(printable(describe(verified)))
    for note in verified.notes:
        print(printable(f"Note: {note}"), file=sys.stderr)
    if arguments.strict:
        unchecked = [part for part in verified.parts if part.fingerprint_unchecked]
        if unchecked:
            raise MultiError([ReleaseError(_unchecked(part)) for part in unchecked])
    return 0


def describe(verified: Verified) -> str:
    """Return what is printed about a tarball in which nothing is wrong."""
    manifest = verified.manifest
    changes = ", with uncommitted changes" if manifest.uncommitted_changes else ""
    width = max((len(part.reference.name) for part in verified.parts), default=0)
    return "\n".join(
        (
            f"{manifest.name} {manifest.version} from commit {manifest.commit_hash}{changes}",
            *(_line(part, width) for part in verified.parts),
            "Nothing is wrong with it.",
        )
    )


def _line(part: PartReport, width: int) -> str:
    reference = part.reference
    fingerprint = "not checked" if part.fingerprint_unchecked else "right"
    return (
        f"  {reference.kind:7}  {reference.name:{width}}  {len(part.content.files):4} files"
        f"  digest right  fingerprint {fingerprint}"
    )


def _unchecked(part: PartReport) -> str:
    return (
        f"the fingerprint of {part.reference.kind} '{part.reference.name}' was not checked:"
        f" {part.fingerprint_unchecked}"
    )
