"""What the commands of tools/release.py have in common."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]


def add_command(
    commands: Commands, name: str, summary: str, description: str
) -> argparse.ArgumentParser:
    """Add a command whose description is shown as it is written."""
    return commands.add_parser(
        name,
        help=summary,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_release_dir(command: argparse.ArgumentParser) -> None:
    """Add --release-dir."""
    command.add_argument(
        "--release-dir",
        metavar="DIR",
        default="release",
        type=Path,
        help="the release folder: the one with jobs/ and config/ (default: %(default)s)",
    )
