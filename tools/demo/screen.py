"""What the demo shows: numbered steps, what happens in them, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.markup import escape

from terminal import console, wrapped

_INDENT = "    "


class Screen:
    """Prints for a person; where stdout is not a terminal, plain lines."""

    def __init__(self, steps: int) -> None:
        self._console = console()
        self._steps = steps
        self._step = 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce the next step, and say how long it took unless it failed."""
        self._step += 1
        began = time.monotonic()
        number = f"{self._step}/{self._steps}"
        self._console.print(f"[bold cyan]{number}[/] [bold]{escape(title)}[/]")
        with self._console.status(escape(title)):
            yield
        self._console.print(f"    [green]✓[/] [dim]{time.monotonic() - began:.1f} s[/]")

    def say(self, text: str) -> None:
        """Show what happened, each line below the step's title."""
        for line in text.splitlines():
            beneath = " " * (len(line) - len(line.lstrip()) + 2)
            for part in wrapped(line, self._console.width - len(_INDENT), beneath=beneath) or [""]:
                self._print(f"{_INDENT}{escape(part)}")

    def quote(self, text: str) -> None:
        """Show what a program has printed as it is, from the first column on: it may be a table."""
        for line in text.splitlines():
            self._print(escape(line))

    def end(self, text: str) -> None:
        """Show the summary."""
        self._say_at_last("[bold green]✓[/]", text)

    def fail(self, text: str) -> None:
        """Show what went wrong."""
        self._say_at_last("[bold red]✗[/]", text)

    def _say_at_last(self, sign: str, text: str) -> None:
        lines = [
            part for line in text.splitlines() for part in wrapped(line, self._console.width - 2)
        ]
        first, *rest = lines or [""]
        self._print(f"{sign} {escape(first)}")
        for line in rest:
            self._print(f"  {escape(line)}")

    def _print(self, line: str) -> None:
        """Print a line that is wrapped already: the console would break a word that is too long."""
        self._console.print(line, soft_wrap=True)
