"""The surroundings of a `DrainController`: the agent, and groups in every state of a drain."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

from tests.unit.driver import group_status

from slb_registration.agent.drain_controller import DrainController
from slb_registration.model.configuration import Drain, GroupSpec
from slb_registration.model.desired import Phase
from slb_registration.model.status import GroupStatus
from slb_registration.support.logs.event_log import EventLog

WALL = 1_763_913_600.0


class Agent:
    """The surroundings in the agent: two clocks, groups, connections, a log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 5000.0
        self.wall_offset = WALL - self.now
        self.connections: int | OSError | None = 0
        self.counted: list[object] = []
        self.since = 0.0  # when a count must have begun
        self.lines = StringIO()
        self.check_port: int | None = None
        self.elsewhere = {"203.0.113.9"}  # addresses that it does not have

    def _count(self, ports, since: float) -> int | None:
        self.counted.append(ports)
        self.since = since
        if isinstance(self.connections, OSError):
            raise self.connections
        return self.connections

    def start(self, **drain: object) -> DrainController:
        """A process that starts now."""
        config = {
            "timeout_seconds": 120.0,
            "min_wait_seconds": 10.0,
            "method": "weight_zero",
            "connections_port": None,
            "ignore_cidrs": (),
            "on_error": "continue",
            **drain,
        }
        return DrainController(
            Drain(**config),  # type: ignore[arg-type]
            self.folder,
            EventLog(self.lines),
            checked_port=lambda _: self.check_port,
            has_address=lambda address: address not in self.elsewhere,
            connections=self._count,
            clock=lambda: self.now,
            wall=lambda: self.now + self.wall_offset,
        )

    def said(self, message: str = "") -> list[dict]:
        events = [json.loads(line) for line in self.lines.getvalue().splitlines()]
        return [event for event in events if message in event["message"]]

    def stages(self) -> list[str]:
        """Those that a drain was said to have come to."""
        return [event["stage"] for event in self.said("drain") if "stage" in event]


def status(
    *, lowered: bool = False, removed: bool = False, port: int | None = 8080, ports=None
) -> GroupStatus:
    virtual = None if port is None else "rsp-1"
    spec = GroupSpec("clb", "lb-1" if port is None else None, virtual, port, 100, None)
    return group_status(
        spec, registered=not removed, lowered=lowered, removed=removed, backend_ports=ports
    )


HIGH, LOW, GONE = status(), status(lowered=True), status(lowered=True, removed=True)
NEVER_IN = replace(HIGH, registered=False, weight=None, barred="Forbidden.RAM")


def follow(
    one: DrainController, *statuses: GroupStatus, complete: bool = True, barred: bool = False
) -> Phase:
    return one.follow(statuses, complete=complete, barred=barred)
