"""Death of the process at a chosen point: before or after a call, or around a write to the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.faults.wire import Wire

from slb_registration.instance import journal, markers
from slb_registration.support.files.small_files import write_whole


class Death(BaseException):
    """Nothing in the agent may catch it: a SIGKILL would not have been seen either."""


class Reaper:
    """Counts the points at which the process may die, and ends it at one of them."""

    def __init__(self, at: int | None = None) -> None:
        """`at`: the number of the point, from 0; None only counts."""
        self.points: list[str] = []
        self._at = at

    def pass_by(self, what: str) -> None:
        """One point. Raises Death."""
        self.points.append(what)
        if len(self.points) - 1 == self._at:
            raise Death(what)

    @contextmanager
    def around(self, wire: Wire) -> Iterator[None]:
        """Inside, every call over `wire` and every write is a point."""
        send = wire.send

        def watched(http: Any) -> Any:
            action = str(http.get_headers().get("x-acs-action") or http.get_url().split("&")[0])
            self.pass_by(f"before {action}")
            answer = send(http)
            self.pass_by(f"after {action}")
            return answer

        def write(path: Path, text: str, **options: Any) -> None:
            self.pass_by(f"before writing {path.name}")
            part = path.with_name(f".{path.name}.part")
            part.write_text(text[: len(text) // 2])
            self.pass_by(f"while writing {path.name}")
            part.unlink()
            write_whole(path, text, **options)
            self.pass_by(f"after writing {path.name}")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wire, "send", watched)
            patch.setattr(journal, "write_whole", write)
            patch.setattr(markers, "write_whole", write)
            yield
