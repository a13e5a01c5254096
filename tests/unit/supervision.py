"""A supervisor for what a test starts, and what it says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import TextIO

from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.supervision.part import Part, Turn
from slb_registration.support.supervision.supervisor import Supervisor
from slb_registration.support.supervision.vitals import Vitals


def quiet() -> Supervisor:
    """One whose parts the test ends itself."""
    return Supervisor(EventLog(StringIO()))


@contextmanager
def supervisor(lines: TextIO | None = None) -> Iterator[Supervisor]:
    """One whose parts end with the test."""
    made = Supervisor(EventLog(lines or StringIO()))
    try:
        yield made
    finally:
        made.stop()


class ByHand(Supervisor):
    """One whose parts run only when the test takes their turns."""

    def __init__(self) -> None:
        super().__init__(EventLog(StringIO()))
        self.now = 0.0
        self.parts: dict[str, Part] = {}

    def start(self, name: str, turn: Turn, *, turn_seconds: float, **_: object) -> Part:
        vitals = Vitals(name, turn_seconds, lambda: self.now)
        part = self.parts[name] = Part(vitals, turn, threading.Event())
        part.thread = threading.current_thread()
        return part
