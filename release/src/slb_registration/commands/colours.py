"""Colour for a person at a terminal."""

from __future__ import annotations

import os
from enum import Enum
from typing import TextIO


class Colour(Enum):
    """A meaning, and the number of its foreground colour (ECMA-48, SGR)."""

    GOOD = 32
    WATCH = 33
    BAD = 31

    def paint(self, text: str) -> str:
        """The text in this colour, and what follows as before."""
        return f"\x1b[{self.value}m{text}\x1b[0m"


def wanted(stream: TextIO) -> bool:
    """Return whether this is a terminal that shows colour, to somebody who wants it
    (no-color.org)."""
    dumb = os.environ.get("TERM", "dumb") == "dumb"
    return stream.isatty() and not dumb and not os.environ.get("NO_COLOR")
