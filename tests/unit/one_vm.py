"""A VM with an agent that answers, or does not, on a clock that passes only when someone sleeps."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.unit.driver import QUIET
from tests.unit.rendered import rendered

from slb_registration.agent import process
from slb_registration.commands import drain as leaving
from slb_registration.commands import orders
from slb_registration.commands import post_start as waiting
from slb_registration.commands.client import NotRunningError
from slb_registration.config import loading as config_module
from slb_registration.model.configuration import Config
from slb_registration.model.orders import Order
from slb_registration.support.logs.event_log import EventLog

Document = dict[str, Any]


def group(**changes: Any) -> Document:
    return {
        "name": "clb/lb-1",
        "wanted": True,
        "state": "in service",
        "in_service": True,
        "registered": True,
        "weight": 100,
        "out": False,
        "read_only": None,
        "reason": None,
        "last_error": None,
        "last_error_code": None,
        "needs_repair": False,
        "health_known": True,
        "health": [{"listener": "tcp:80", "port": 8080, "status": "normal"}],
        **changes,
    }


def document(*groups: Document, **changes: Any) -> Document:
    return {
        "state": "in service",
        "instance_id": "i-self",
        "drain": None,
        "readiness": None,
        "error": None,
        "complete": True,
        **QUIET,
        "groups": list(groups),
        **changes,
    }


def draining(stage: str, connections: int | None = None, **changes: Any) -> Document:
    state = "drained" if stage == "done" else "draining"
    one = group(state=state, in_service=False, weight=0)
    drain = {"stage": stage, "connections": connections}
    return document(one, state=state, drain=drain, **changes)


class Time:
    """Passes only when someone sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.on_sleep: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + 1_763_900_000.0

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds
        self.on_sleep()


class LocalAgent:
    """Stands in for the agent that a command runs itself where no other answers."""

    made: ClassVar[list[LocalAgent]]
    work: ClassVar[Callable[[threading.Event], None]]
    end: ClassVar[Document]

    def __init__(self, config: Config, log: EventLog) -> None:
        self.config = config
        LocalAgent.made.append(self)

    def drain(self, order: Order, stop: threading.Event, *, patience_seconds: float) -> None:
        self.order = order
        self.patience_seconds = patience_seconds
        LocalAgent.work(stop)

    def document(self) -> Document:
        return LocalAgent.end


class Vm:
    """A VM with an agent that answers, or does not."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.time = Time()
        self.lines = StringIO()
        self.log = EventLog(self.lines)
        self.orders: list[str] = []
        self.answers: list[Document] | None = None
        """The agent's statuses, the last one for ever; None: no agent answers."""
        self.hangs = False
        self.tells_nothing = False
        """Whether the agent takes orders, and does not answer who asks for the status."""
        self.waited_for = 0
        LocalAgent.made = []
        LocalAgent.work = staticmethod(lambda stop: None)
        LocalAgent.end = document(state="drained")
        for module in (leaving, orders, waiting):
            monkeypatch.setattr(module, "time", self.time)
        monkeypatch.setattr(orders, "ask", self._ask)
        monkeypatch.setattr(orders, "ask_status", self._ask_status)
        monkeypatch.setattr(waiting, "ask_status", self._ask_status)
        monkeypatch.setattr(process, "Agent", LocalAgent)

    def _ask(self, path: Path, method: str, route: str, *, timeout_seconds: float = 5.0) -> bytes:
        assert (path, method) == (self.folder / "agent.sock", "POST")
        if self.answers is None or self.hangs:
            self.time.now += timeout_seconds if self.hangs else 0
            raise NotRunningError("no agent answers")
        self.orders.append(route)
        return b"ok\n"

    def _ask_status(
        self, path: Path, *, timeout_seconds: float = 5.0, waiting: bool = False
    ) -> Document:
        assert path == self.folder / "agent.sock"
        self.waited_for += waiting
        if self.tells_nothing:
            self.time.now += timeout_seconds
        if self.tells_nothing or not self.answers:
            raise NotRunningError("no agent answers on the socket")
        return self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)

    def config(self, **properties: Any) -> Config:
        given = {
            "access_key": "id",
            "secret_key": "secret",
            "load_balancer_id": "lb-1",
            **properties,
        }
        return config_module.load(rendered(self.folder, given))

    def said(self, level: str) -> list[Document]:
        events = [json.loads(line) for line in self.lines.getvalue().splitlines()]
        return [event for event in events if event["level"] == level]
