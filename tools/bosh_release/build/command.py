"""The command `build`."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from bosh_release.build.building import Built, build_release
from bosh_release.command_line.options import add_command, add_release_dir
from bosh_release.command_line.reporting import Output, Report
from terminal import COLUMNS, wrapped

if TYPE_CHECKING:
    from bosh_release.command_line.options import Commands

_DESCRIPTION = """\
Make the release tarball that `bosh upload-release` takes: what `bosh create-release` makes, with
the same fingerprints, but byte for byte the same wherever it is built. Prints where it is, its
size and SHA256, and the fingerprints. Blobs must be in place (see the command `blobs`).

Without --version it gets the next dev version (0+dev.1, 0+dev.2, …), which is written down in
dev_releases/ of the release folder, where the BOSH CLI writes down its own. That is a count of this
folder alone: another clone gives 0+dev.1 again, which a director then refuses for another commit.

--commit-version gives every checkout of a commit the same version and the same bytes, and later
commits versions that sort later (by the time of the commit). Uncommitted changes get one that is
never given twice, 0+dev.TIME.gHASH.dirty.TIME.RANDOM, and so does a folder without git,
0+dev.TIME.nocommit.TIME.RANDOM. After a final release 1.0.0 it is 1.0.0+dev.TIME.gHASH.
"""


_EPILOG = """\
with --json the result is {"path", "name", "version", "commit_hash", "uncommitted_changes", "size",
"sha256", "parts": [{"kind", "name", "fingerprint"}]}

"""


def add_parser(commands: Commands) -> None:
    """Add `build` to the command line."""
    build = add_command(commands, "build", "make the release tarball", _DESCRIPTION, _EPILOG)
    number = build.add_mutually_exclusive_group()
    number.add_argument("--version", metavar="V", help="the version, e.g. 1.2.3 or 1.3.0-rc.1")
    number.add_argument(
        "--timestamp-version", action="store_true", help="a dev version from the clock: 0+dev.TIME"
    )
    number.add_argument(
        "--commit-version",
        action="store_true",
        help="a dev version from the commit: 0+dev.TIME.gHASH, the same in every checkout of it",
    )
    build.add_argument(
        "--output",
        metavar="FILE",
        help="the tarball; ((name)) and ((version)) in it are filled in"
        " (default: dev_releases/NAME/NAME-VERSION.tgz in the release folder)",
    )
    build.add_argument(
        "--force", action="store_true", help="build although git has uncommitted changes"
    )
    build.add_argument(
        "--allow-unverified-blobs",
        action="store_true",
        help="pack blobs that are not what config/blobs.yml says, as the BOSH CLI does with those"
        " that have no object_id",
    )
    add_release_dir(build)
    build.set_defaults(func=_run)


def _run(arguments: argparse.Namespace, output: Output) -> Report:
    built = build_release(
        arguments.release_dir,
        version=arguments.version,
        timestamp_version=arguments.timestamp_version,
        commit_version=arguments.commit_version,
        output=arguments.output,
        force=arguments.force,
        unverified_blobs=arguments.allow_unverified_blobs,
        warn=output.note,
    )
    return Report(describe(built), result(built))


def result(built: Built) -> dict[str, Any]:
    """Return what --json tells about a finished tarball."""
    return {
        "path": str(built.path),
        "name": built.name,
        "version": built.version,
        "commit_hash": built.git.commit_hash,
        "uncommitted_changes": built.git.uncommitted_changes,
        "size": built.size,
        "sha256": built.sha256,
        "parts": [
            {"kind": kind, "name": name, "fingerprint": fingerprint}
            for kind, name, fingerprint in built.fingerprints
        ],
    }


def describe(built: Built) -> str:
    """Return what is printed about a finished tarball."""
    changes = ", with uncommitted changes" if built.git.uncommitted_changes else ""
    return "\n".join(
        (
            *_wrapped(
                f"Built {built.name} {built.version} from commit {built.git.commit_hash}{changes}"
            ),
            f"  path    {os.path.relpath(built.path)}",
            f"  size    {built.size} bytes",
            f"  sha256  {built.sha256}",
            "Fingerprints",
            *(
                line
                for kind, name, value in built.fingerprints
                for line in _wrapped(f"  {kind:7}  {name}  {value}")
            ),
        )
    )


def _wrapped(line: str) -> list[str]:
    return wrapped(line, COLUMNS, beneath="    ")
