"""What the demo shows: numbered steps, what happens in them, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape


class Screen:
    """Prints for a person; where stdout is not a terminal, plain lines."""

    def __init__(self, steps: int) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
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
            self._console.print(f"    {escape(line)}")

    def end(self, text: str) -> None:
        """Show the summary."""
        self._console.print(f"[bold green]✓[/] {escape(text)}")

    def fail(self, text: str) -> None:
        """Show what went wrong."""
        self._console.print(f"[bold red]✗[/] {escape(text)}")
