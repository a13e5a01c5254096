"""What the tables of figures have in common: they fit into 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

_FEW = 8  # columns, which have room for two spaces between them


def table(
    title: str, columns: Sequence[str], *, words: Sequence[str] = ("",), caption: str | None = None
) -> Table:
    """A table without rows. Columns of `words` may take several lines; the others are figures."""
    shown = Table(
        title=f"\n{title}",
        title_justify="left",
        caption=caption,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1 if len(columns) <= _FEW else 0, 0, 0),
    )
    for name in columns:
        has_words = name in words
        shown.add_column(name, justify="left" if has_words else "right", no_wrap=not has_words)
    return shown
