"""Options that the commands of tools/release.py have in common, and errors of their use."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from bosh_release.command_line.reporting import HELP
from bosh_release.support.errors import ReleaseError
from terminal import HelpFormatter

if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]


class UsageError(ReleaseError):
    """A command line that cannot be understood."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError and leaves it to others to end the program."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and raise UsageError."""
        self.print_usage(sys.stderr)
        raise UsageError(f"{self.prog}: error: {message}")


def add_command(
    commands: Commands, name: str, summary: str, description: str, epilog: str = ""
) -> argparse.ArgumentParser:
    """Add a command with the options --json and --quiet, which all of them have."""
    command = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=epilog + HELP,
        formatter_class=HelpFormatter,
    )
    output = command.add_mutually_exclusive_group()
    output.add_argument(
        "--json", action="store_true", help="print what was done as JSON, for programs"
    )
    output.add_argument(
        "--quiet", action="store_true", help="print nothing but notes and why it failed"
    )
    return command


def add_release_dir(command: argparse.ArgumentParser) -> None:
    """Add --release-dir."""
    command.add_argument(
        "--release-dir",
        metavar="DIR",
        default="release",
        type=Path,
        help="the release folder: the one with jobs/ and config/ (default: %(default)s)",
    )
