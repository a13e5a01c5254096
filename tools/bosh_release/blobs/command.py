"""The command `blobs`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from bosh_release.blobs.bringing import bring_blobs
from bosh_release.blobs.progress import shown_on
from bosh_release.command_line.options import add_command, add_release_dir
from bosh_release.command_line.reporting import Output, Report

if TYPE_CHECKING:
    from bosh_release.command_line.options import Commands

_DESCRIPTION = """\
Bring the files that config/blobs.yml lists into blobs/ of the release folder. They are Python
wheels: pip gets them by name, from the package index that it is set up for. A file gets its place
only if it has the size and the SHA256 of the list. What is right already is left alone, so an
interrupted run can simply be repeated; files that are not listed are not touched.
"""


_EPILOG = """\
with --json the result is {"blobs": [{"path", "size", "digest", "downloaded": true or false}]}

"""


def add_parser(commands: Commands) -> None:
    """Add `blobs` to the command line."""
    what = "bring the files that the packages need"
    blobs = add_command(commands, "blobs", what, _DESCRIPTION, _EPILOG)
    add_release_dir(blobs)
    blobs.set_defaults(func=_run)


def _run(arguments: argparse.Namespace, output: Output) -> Report:
    with shown_on(sys.stdout if output.is_shown else None) as progress:
        outcomes = bring_blobs(arguments.release_dir, progress)
    brought = sum(outcome.brought for outcome in outcomes)
    blobs = [
        {
            "path": outcome.blob.path,
            "size": outcome.blob.size,
            "digest": outcome.blob.digest,
            "downloaded": outcome.brought,
        }
        for outcome in outcomes
    ]
    text = f"{len(outcomes)} blobs are in place, {brought} of them downloaded now."
    return Report(text, {"blobs": blobs})
