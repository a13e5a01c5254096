"""How the tools write for a person: in the terminal's columns, 80 in a pipe, and no word broken."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = 80
"""Of the output where it is no terminal."""


def wrapped(words: str, columns: int, *, beneath: str = "") -> list[str]:
    """Return lines of so many columns at most, unless a single word is longer.

    All but the first begin with `beneath`.
    """
    return textwrap.wrap(
        words,
        columns,
        subsequent_indent=beneath,
        break_long_words=False,
        break_on_hyphens=False,
    )


def console() -> Console:
    """Return where tables and coloured text are printed: plain where it is no terminal."""
    # loaded only where it is needed: it takes longer to load than many a command takes
    from rich.console import Console  # noqa: PLC0415

    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=COLUMNS)


class HelpFormatter(argparse.HelpFormatter):
    """Wraps help between words, which argparse's own breaks at hyphens.

    Paragraphs of descriptions and epilogs stay apart, and lines that are indented as they are.
    """

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrapped(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines: list[str] = []
        for is_prose, block in groupby(text.strip("\n").splitlines(), key=_is_prose):
            own = list(block)
            lines += wrapped(" ".join(own), width - len(indent)) if is_prose else own
        return "\n".join(f"{indent}{line}".rstrip() for line in lines)


def _is_prose(line: str) -> bool:
    return bool(line.strip()) and not line[0].isspace()


def paragraphs(text: str, columns: int = COLUMNS) -> Iterable[str]:
    """Yield the lines of a text whose paragraphs are wrapped."""
    return HelpFormatter("")._fill_text(text, columns, "").splitlines()
