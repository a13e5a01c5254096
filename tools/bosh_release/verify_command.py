"""The command `verify`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bosh_release.command_options import add_command
from bosh_release.errors import MultiError, ReleaseError
from bosh_release.part_checks import PartReport
from bosh_release.reporting import Output, Report
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
    verify.set_defaults(func=_run)


def _run(arguments: argparse.Namespace, output: Output) -> Report:
    verified = verify_tarball(arguments.tarball)
    for note in verified.notes:
        output.note(note)
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
