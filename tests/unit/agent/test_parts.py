"""The agent as a whole, with its threads: one part after the other breaks or hangs.

Server groups, the metadata service and the service of this VM are in memory.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.driver import MemoryGroup, member
from tests.unit.rendered import rendered
from tests.waiting import eventually

from slb_registration.agent import process as agent_module
from slb_registration.agent.process import Agent
from slb_registration.commands.client import ask, ask_status
from slb_registration.config import loading
from slb_registration.discovery.discoverer import Discoverer
from slb_registration.discovery.job_file_groups import JobFileGroups
from slb_registration.instance.own_servers import Servers
from slb_registration.membership import groups, opening, startup
from slb_registration.model.orders import Order
from slb_registration.probes import monitor
from slb_registration.probes.checker import Result
from slb_registration.probes.monitor import Monitor
from slb_registration.reconcile.drain_plan import Stage
from slb_registration.reconcile.registrar import Registrar
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.net.local_server import UnixServer
from slb_registration.support.supervision import vitals
from slb_registration.support.supervision.supervisor import HopelessError

PATIENCE = 20.0
ME = {"instance-id": "i-self", "region-id": "cn-hangzhou", "vpc-id": "vpc-1"}
CHECK = "local check tcp 8080"
PARTS: dict[str, tuple[Any, str]] = {
    "main loop": (Monitor, "keep"),
    "server group clb/lb-1": (Registrar, "step"),
    CHECK: (None, "probe"),
    "joining": (startup, "opened"),
    "servers": (Servers, "turn"),
    "files of co-located jobs": (JobFileGroups, "turn"),
    "discovery": (Discoverer, "turn"),
    "control socket": (UnixServer, "handle_request"),
    "signals": (None, "wait"),
}
"""Where each part can be made to break: a class and what its turn calls."""


class Check:
    """Of the service on this VM."""

    def __init__(self) -> None:
        self.serving = True

    def __str__(self) -> str:
        return "tcp 8080"

    def probe(self, *_: object) -> Result:
        return Result(self.serving, "looked at")


class Vm:
    """One agent in a thread, on a clock that may be put on."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        self.lines = StringIO()
        self.group = MemoryGroup({"i-other": member("i-other")})
        self.group.name, self.group.read_only = "clb/lb-1", None  # type: ignore[attr-defined]
        self.check = Check()
        self.error: BaseException | None = None
        self.stop = threading.Event()
        self.wait: Callable[[float], object] = self.stop.wait
        metadata = SimpleNamespace(endpoint="http://metadata", get=lambda path: ME[path])
        patch.setattr(startup, "metadata_of", lambda _: metadata)
        keys = SimpleNamespace(good_until=None, error=None)
        cloud = SimpleNamespace(region="cn-hangzhou", credentials_state=lambda: keys)
        patch.setattr(opening, "connect", lambda *_, **__: cloud)
        patch.setattr(opening, "listings", lambda *_: {"clb": SimpleNamespace(tagged=lambda: ())})
        patch.setattr(groups, "open_group", lambda *_: self.group)
        patch.setattr(monitor, "checks_for", lambda *_: (self.check,))
        properties = {
            "access_key": "id", "secret_key": "secret", "load_balancer_id": "lb-1", "port": 8080,
            "discovery": {"enabled": True}, "dynamic_config_globs": [f"{folder}/*.json"],
            "reconcile_interval": 0.2, "drain": {"timeout": 5, "min_wait": 0},
            "health_check": {"interval": 0.1, "healthy_threshold": 1, "unhealthy_threshold": 1},
        }  # fmt: skip
        self.folder = folder
        self.agent = Agent(
            loading.load(rendered(folder, properties)),
            EventLog(self.lines),
            clock=lambda: time.monotonic() + self.ahead,
        )
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> BaseException | None:
        """Wait until it has ended; what it has raised."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self.error

    def close(self) -> None:
        self.stop.set()
        if self._thread.ident is not None:
            self.end()

    def _run(self) -> None:
        try:
            self.agent.run(self.stop, wait=self.wait)
        except BaseException as error:  # noqa: BLE001 - for the test
            self.error = error

    @property
    def in_service(self) -> bool:
        mine = self.group.servers.get("i-self")
        return mine is not None and mine.weight == 100

    def said(self, message: str, part: str) -> list[dict[str, Any]]:
        events = [json.loads(line) for line in self.lines.getvalue().splitlines()]
        return [one for one in events if message in one["message"] and one.get("part") == part]


@pytest.fixture
def vm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vm]:
    monkeypatch.setattr(vitals, "FIRST_DELAY_SECONDS", 0.01)
    monkeypatch.setattr(vitals, "LONGEST_DELAY_SECONDS", 0.01)
    monkeypatch.setattr(agent_module, "LOOK_SECONDS", 0.05)
    with tempfile.TemporaryDirectory(prefix="slb") as folder:  # the path of a socket is short
        vm = Vm(Path(folder), monkeypatch)
        yield vm
        vm.close()


Act = Callable[[], None]


def before(patch: pytest.MonkeyPatch, vm: Vm, part: str, act: Act) -> None:
    """Have this done first in each turn of a part."""
    where, name = PARTS[part]
    place = where if where is not None else {"probe": vm.check, "wait": vm}[name]
    real = getattr(place, name)

    def acting(*arguments: Any, **options: Any) -> Any:
        # One in the main loop is that of `signals` as well.
        if name != "wait" or arguments[0] > 0:
            act()
        return real(*arguments, **options)

    patch.setattr(place, name, acting)


class Breaks:
    """Raises, so many times."""

    def __init__(self, error: type[BaseException], times: float) -> None:
        self.error = error
        self.left = times

    def __call__(self) -> None:
        if self.left > 0:
            self.left -= 1
            raise self.error


@pytest.mark.parametrize(
    ("part", "error"),
    [*((part, ValueError) for part in PARTS), (CHECK, MemoryError), ("joining", SystemExit)],
)
def test_a_part_that_breaks_goes_on(vm: Vm, monkeypatch, part: str, error: type[BaseException]):
    before(monkeypatch, vm, part, Breaks(error, 3))
    vm.start()
    eventually(lambda: vm.in_service, within=PATIENCE)
    eventually(lambda: vm.said("works again", part), within=PATIENCE)
    (told,) = vm.said("broke", part)
    assert told["because"].startswith(f"{error.__name__} at ")
    vm.check.serving = False
    eventually(lambda: vm.group.servers["i-self"].weight == 0, within=PATIENCE)
    assert ask(vm.folder / "agent.sock", "GET", "/healthz") == b"ok\n"
    names = {one["name"] for one in ask_status(vm.folder / "agent.sock")["parts"]}
    # Joining has done its work; what only advises breaks nothing.
    assert names == PARTS.keys() - {"joining"} | {"settings"}
    vm.close()
    assert vm.error is None


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_breaks_again_and_again_ends_the_process_and_no_registration(
    vm: Vm, monkeypatch, part: str
):
    monkeypatch.setattr(vitals, "HOPELESS_SECONDS", 0.2)
    breaks = Breaks(ValueError, 0)
    before(monkeypatch, vm, part, breaks)
    if part != "joining":
        vm.start()
        eventually(lambda: vm.in_service, within=PATIENCE)
    breaks.left = float("inf")
    vm.start() if part == "joining" else vm.agent.look()
    error = vm.end()
    assert isinstance(error, HopelessError)
    assert str(error).startswith(f"{part} breaks again and again (ValueError at ")
    assert vm.in_service or part == "joining"
    assert str(error) in vm.lines.getvalue()


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_hangs_is_named(vm: Vm, monkeypatch, part: str):
    hangs, hanging, go_on = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        if hangs.is_set():
            hanging.set()
            go_on.wait(PATIENCE)

    before(monkeypatch, vm, part, hang)
    if part == "joining":
        hangs.set()
    vm.start()
    if part != "joining":
        eventually(lambda: vm.in_service, within=PATIENCE)
        assert vm.agent.alive() is None
        hangs.set()
        vm.agent.look()
    assert hanging.wait(PATIENCE)
    vm.ahead = 125.0
    eventually(
        lambda: (vm.agent.alive() or "").startswith(f"stuck: {part} (silent for 12"),
        within=PATIENCE,
    )
    if part == CHECK:
        (check,) = ask_status(vm.folder / "agent.sock")["local_checks"]
        assert check["health"] == "unknown"
        assert check["detail"].startswith("the check does not run: silent for 12")
    go_on.set()
    hangs.clear()
    eventually(lambda: vm.agent.alive() is None, within=PATIENCE)
    assert vm.in_service or part == "joining"


def test_a_stop_is_heard_while_the_main_loop_breaks(vm: Vm, monkeypatch):
    before(monkeypatch, vm, "main loop", Breaks(ValueError, float("inf")))
    vm.start()
    eventually(lambda: vm.said("broke", "main loop"), within=PATIENCE)
    vm.close()
    assert vm.error is None


def test_a_drain_without_the_agent_goes_on_after_a_mistake(vm: Vm, monkeypatch):
    vm.group.servers["i-self"] = member("i-self", 100, "bosh/x")
    for part in ("main loop", "joining", "server group clb/lb-1"):
        before(monkeypatch, vm, part, Breaks(ValueError, 3))
    vm.agent.drain(Order.DRAIN, vm.stop, patience_seconds=1)
    assert vm.agent._controller.plan is not None
    assert vm.agent._controller.plan.stage is Stage.DONE
    assert "i-self" not in vm.group.servers
