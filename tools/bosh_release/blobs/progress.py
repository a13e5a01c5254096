"""Shows how far bringing blobs has come: a bar for a person, lines for a log."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from bosh_release.blobs.bringing import Outcome, Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress


@contextmanager
def shown_on(out: TextIO | None) -> Iterator[Progress]:
    """Yield a Progress that writes to `out`, or to nowhere."""
    if out is None:
        yield _Nothing()
        return
    if not out.isatty():
        yield _Lines(out)
        return
    # loaded only where it is seen: it takes longer to load than all the rest
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn  # noqa: PLC0415
    from rich.progress import Progress as RichProgress  # noqa: PLC0415

    columns = (TextColumn("blobs"), BarColumn(), MofNCompleteColumn())
    with RichProgress(*columns, console=Console(file=out)) as bar:
        yield _Bar(bar)


def describe(outcome: Outcome) -> str:
    """Return one line about a blob."""
    what = "downloaded" if outcome.brought else "already there"
    return f"{outcome.blob.path}  {outcome.blob.size:,} bytes  {what}"


class _Nothing:
    """Shows nothing."""

    def start(self, total: int) -> None:
        pass

    def done(self, outcome: Outcome) -> None:
        pass


class _Lines:
    """Prints a line for each blob."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._count = 0
        self._total = 0

    def start(self, total: int) -> None:
        self._total = total

    def done(self, outcome: Outcome) -> None:
        with self._lock:
            self._count += 1
            print(f"[{self._count}/{self._total}] {describe(outcome)}", file=self._out, flush=True)


class _Bar:
    """Moves a bar and leaves a line for each blob above it."""

    def __init__(self, bar: RichProgress) -> None:
        self._bar = bar
        self._task = bar.add_task("blobs")

    def start(self, total: int) -> None:
        self._bar.update(self._task, total=total)

    def done(self, outcome: Outcome) -> None:
        self._bar.console.print(describe(outcome), highlight=False, markup=False)
        self._bar.advance(self._task)
