"""The command line of tools/release.py: which command, exit codes, one message for a failure."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bosh_release import __version__
from bosh_release.command_line.options import Parser, UsageError
from bosh_release.command_line.reporting import FAILED, HELP, INTERRUPTED, MISUSED, Output, Report
from bosh_release.source.git_state import git_state
from bosh_release.support.errors import ReleaseError, reason_of
from bosh_release.support.interrupts import Interrupted
from terminal import HelpFormatter

_COMMANDS = ("blobs", "render", "build", "verify", "sbom")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (command_line.reporting.HELP says which there are)."""
    _open_what_is_closed()
    words = sys.argv[1:] if argv is None else list(argv)
    output = Output.asked_for(words)
    try:
        return _carry_out(words, output)
    except BrokenPipeError:  # whoever read our output has seen enough
        return _close_output()
    except OSError as error:  # what there is to tell cannot be written
        print(f"stdout: {reason_of(error)}", file=sys.stderr)
        return _close_output()


def _carry_out(words: Sequence[str], output: Output) -> int:
    try:
        arguments = _parser(words).parse_args(words)
        output.follow(arguments)
        report: Report = arguments.func(arguments, output)
    except UsageError as error:
        return output.fail(str(error), MISUSED)
    except ReleaseError as error:
        return output.fail(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:  # a full disk, a folder that may not be read
        place = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        return output.fail(f"{place}{reason_of(error)}")
    except KeyboardInterrupt:
        return output.fail("Interrupted.", INTERRUPTED)
    except Interrupted as interrupted:
        return output.fail("Interrupted.", interrupted.exit_code)
    return output.finish(report)


def _open_what_is_closed() -> None:
    """Give a stream that the caller has closed somewhere to go, and its number to no other file."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            lasting = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, lasting)


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = Parser(
        prog="release.py",
        description="Builds, checks and renders this BOSH release.",
        epilog=f"COMMAND --help tells more about each.\n\n{HELP}",
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="of these tools")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    # each command is loaded only where it is used or listed: starting up is most of the time
    named = [command for command in _COMMANDS if command in words[:1]]
    for command in named or _COMMANDS:
        importlib.import_module(f"bosh_release.{command}.command").add_parser(commands)
    return parser


class _Version(argparse.Action):
    """Prints the version, and the commit if there is one; git is asked only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        git = git_state(Path(__file__).parent, force=True)
        changed = ", with uncommitted changes" if git.uncommitted_changes else ""
        print(f"{parser.prog} {__version__} (commit {git.commit_hash}{changed})")
        parser.exit()


def _close_output() -> int:
    # otherwise Python tries to write what is left, and complains, when it ends
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED
