"""Where the tables are printed."""

from __future__ import annotations

from rich.console import Console

WIDTH = 100
"""Of the output where it is no terminal."""


def console() -> Console:
    """A console that is wide enough for the tables."""
    found = Console()
    return found if found.is_terminal else Console(width=WIDTH)
