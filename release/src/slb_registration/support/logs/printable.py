"""Text that came from elsewhere, as it may be shown to a person."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with everything escaped that ends a line, changes a terminal's state or the order
    in which characters are read."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
