"""One agent as a process against the mocked cloud, at its defaults and tuned, beside a bare script.

Each contestant has a cloud, a service and a VM of its own. Starts are measured in turn; at rest and
when their service fails all are watched at once, so that each sees the same machine.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from tests.bench import hour, processes, tables
from tests.integration.cloud import BALANCER, ME, WRITES
from tests.integration.service import HEALTH_PATH
from tests.integration.stage import Stage, staged
from tests.integration.vm import Process, program
from tests.waiting import eventually

from mock_slb.gateway.calls import Call
from slb_registration.config.loading import load

STARTS = 5
SETTLING_SECONDS = 10.0
PATIENCE_SECONDS = 90.0
Figures = dict[str, float | None]

CAPTION = (
    "agent: at its defaults (a check every 5 s, 3 failures); agent, 1 s: a check every second, "
    "2 failures; SDK loop: a script with the bare SDK, at the agent's defaults. The agents find "
    "their load balancer by its tags and register with weight 0 until their check says healthy; "
    "the loop is told all that and registers with its full weight. API calls: the agents' in an "
    "hour at rest on a simulated clock (one server group, and the listings that look for tags), "
    "the loop's counted and scaled. CPU: scaled."
)
AIMS = {
    "registered_seconds": "1",
    "resident_mib": "40",
    "cpu_percent_of_a_core_at_rest": "0.1",
}


@dataclass(frozen=True)
class Contestant:
    """Something that keeps a VM registered. `threshold`: failed checks in a row that it acts on."""

    name: str
    begin: Callable[[Stage], Process]
    threshold: int
    is_agent: bool = True


def _agent(stage: Stage, **check: object) -> Process:
    http = {"type": "http", "path": HEALTH_PATH, "port": stage.service.port, **check}
    stage.vm.render({**stage.vm.given, "health_check": http})
    return stage.vm.start()


def _loop(stage: Stage) -> Process:
    url = f"http://127.0.0.1:{stage.service.port}{HEALTH_PATH}"
    script = Path(__file__).with_name("loop.py")
    line = [sys.executable, str(script), str(stage.vm.config), url, ME, BALANCER]
    err = stage.vm.logs / "loop.stderr.log"
    return Process(program(line, stage.vm.environment), stage.vm.log_file, err)


CONTESTANTS = (
    Contestant("agent", _agent, threshold=3),
    Contestant("agent, 1 s", lambda stage: _agent(stage, interval=1, unhealthy_threshold=2), 2),
    Contestant("SDK loop", _loop, threshold=3, is_agent=False),
)


def measure(rest_seconds: float) -> dict[str, Figures]:
    """All figures of all contestants."""
    figures = _starts()
    with contextlib.ExitStack() as stack:
        running = {one.name: stack.enter_context(at_work(one)) for one in CONTESTANTS}
        time.sleep(SETTLING_SECONDS)
        before = [_spent(one) for one in running.values()]
        time.sleep(rest_seconds)
        for one, (cpu, calls) in zip(running.values(), before, strict=True):
            figures[one.contestant.name] |= _at_rest(one, cpu, calls, rest_seconds)
        for one in running.values():
            one.stage.service.healthy = False
        for one in running.values():
            figures[one.contestant.name] |= _reaction(one)
    return figures


@dataclass(frozen=True)
class Running:
    """A contestant at work, in service."""

    contestant: Contestant
    stage: Stage
    process: Process
    began: float

    @property
    def calls(self) -> list[Call]:
        """Those of the API, the metadata service's left out."""
        return self.stage.cloud.since(0)

    def wrote(self, weight: int | None = None) -> float:
        """When a change first succeeded, one to this weight if one is named."""
        return next(
            call.time
            for call in self.calls
            if call.action in WRITES and call.code is None and weight in (None, _weight(call))
        )


def _weight(call: Call) -> int:
    return int(json.loads(call.params["BackendServers"])[0].get("Weight", 100))


@contextlib.contextmanager
def at_work(contestant: Contestant) -> Iterator[Running]:
    """One that has registered its VM; it is ended with the block."""
    with staged() as stage:
        began = time.time()
        process = contestant.begin(stage)
        try:
            eventually(lambda: stage.cloud.weight == 100, within=PATIENCE_SECONDS)
            yield Running(contestant, stage, process, began)
        finally:
            process.kill()


def _starts() -> dict[str, Figures]:
    runs: dict[str, list[tuple[float, ...]]] = {one.name: [] for one in CONTESTANTS}
    for _ in range(STARTS):
        for contestant in CONTESTANTS:
            with at_work(contestant) as one:
                moments = (one.calls[0].time, one.wrote(), one.wrote(weight=100))
                runs[contestant.name].append(tuple(moment - one.began for moment in moments))
    names = ("first_call_seconds", "registered_seconds", "in_service_seconds")
    return {
        name: dict(zip(names, map(statistics.median, zip(*times, strict=True)), strict=True))
        for name, times in runs.items()
    }


def _spent(one: Running) -> tuple[float, int]:
    return processes.cpu_seconds(one.process.pid), len(one.calls)


def _at_rest(one: Running, cpu: float, calls: int, seconds: float) -> Figures:
    cpu_now, calls_now = _spent(one)
    share = (cpu_now - cpu) / seconds
    simulated = hour.calls(load(one.stage.vm.config)) if one.contestant.is_agent else None
    measured = (calls_now - calls) * 3600 / seconds
    return {
        "resident_mib": processes.resident_mib(one.process.pid),
        "cpu_percent_of_a_core_at_rest": share * 100,
        "cpu_seconds_per_hour": share * 3600,
        "api_calls_per_hour": measured if simulated is None else simulated,
    }


def _reaction(one: Running) -> Figures:
    """From the first failed check, and from the last that the threshold asks for, to weight 0."""
    eventually(lambda: one.stage.cloud.weight == 0, within=PATIENCE_SECONDS)
    lowered = next(
        call.time for call in reversed(one.calls) if call.action in WRITES and _weight(call) == 0
    )
    failures = one.stage.service.failures
    return {
        "first_failed_check_to_weight_0_seconds": lowered - failures[0],
        "last_failed_check_to_weight_0_seconds": lowered - failures[one.contestant.threshold - 1],
    }


def table(figures: Mapping[str, Mapping[str, float | None]], rest_seconds: float) -> Table:
    """A column for each contestant."""
    title = f"one agent on loopback (starts: medians of {STARTS}; at rest: {rest_seconds:g} s)"
    shown = tables.table(title, ("", *figures, "aim"), caption=CAPTION)
    names = next(iter(figures.values()))
    for name in names:
        cells = (f"{one[name]:.3f}" for one in figures.values())
        shown.add_row(name.replace("_", " "), *cells, f"< {AIMS[name]}" if name in AIMS else "")
    return shown
