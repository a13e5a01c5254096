"""What happens to the VMs while they are asked."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from tests.bench.traffic.cloud import Cloud
from tests.bench.traffic.methods import Method
from tests.bench.traffic.vm import Bench, Vm, side_by_side

WATCH_SECONDS = 5.0
"""BOSH's least update_watch_time, in many manifests: after it the next VM has its turn."""
TROUBLE_SECONDS = 20.0
MONIT_SECONDS = 10.0
"""A process that has died is started again by monit's next look."""
OUTAGE_SECONDS = 60.0
_KEPT = dict.fromkeys(
    ("BOSH_VM_NEXT_STATE", "BOSH_INSTANCE_NEXT_STATE", "BOSH_DEPLOYMENT_NEXT_STATE"), "keep"
)
_REPLACED = {**_KEPT, "BOSH_VM_NEXT_STATE": "delete"}


@dataclass
class Fleet:
    """The VMs of one instance group, and how they come and go."""

    bench: Bench
    method: Method
    size: int
    max_in_flight: int
    vms: dict[int, Vm] = field(default_factory=dict)
    """By their index."""
    starts: dict[str, float] = field(default_factory=dict)
    """When each was begun to be started, by instance, in seconds since the epoch."""
    _instances: itertools.count[int] = field(default_factory=itertools.count)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def cloud(self) -> Cloud:
        """Where they are."""
        return self.bench.cloud

    @property
    def instances(self) -> set[str]:
        """Of all of them."""
        return {vm.instance for vm in self.vms.values()}

    def deploy(self) -> None:
        """Make them all, at once."""
        for index in range(self.size):
            self.vms[index] = self.make(index)
        side_by_side(*(partial(self.start, index) for index in self.vms))

    def make(self, index: int, number: int | None = None) -> Vm:
        """A VM with an instance id that never was, at a new address or at this one."""
        where = next(self._numbers) if number is None else number
        return Vm(self.bench, f"i-bench{next(self._instances)}", f"spec-{index}", where)

    def start(self, index: int) -> None:
        """BOSH's steps of a start."""
        vm = self.vms[index]
        self.starts[vm.instance] = time.time()
        self.method.start(self.cloud, vm)

    def stop(self, index: int, next_states: Mapping[str, str] = _KEPT) -> None:
        """BOSH's steps of a stop."""
        vm = self.vms[index]
        vm.tell("stop begins")
        self.method.stop(self.cloud, vm, next_states)
        vm.tell("stop ends")

    def update(self, one: Callable[[int], None]) -> None:
        """Update VM after VM, or as many at once as max_in_flight says."""

        def watched(index: int) -> None:
            one(index)
            time.sleep(WATCH_SECONDS)

        steps = [partial(watched, index) for index in self.vms]
        side_by_side(*steps, at_once=self.max_in_flight)

    def close(self) -> None:
        """End all of them."""
        for vm in self.vms.values():
            vm.delete()


@dataclass(frozen=True)
class Play:
    """One of them."""

    name: str
    act: Callable[[Fleet], None]
    needs_agent: bool = False


def _restart(fleet: Fleet) -> None:
    def one(index: int) -> None:
        fleet.stop(index)
        fleet.start(index)

    fleet.update(one)


def _replace(fleet: Fleet) -> None:
    """Each by a new one with its address."""

    def one(index: int) -> None:
        fleet.stop(index, _REPLACED)
        old = fleet.vms[index]
        old.delete()
        fleet.vms[index] = fleet.make(index, old.number)
        fleet.start(index)

    fleet.update(one)


def _swap(fleet: Fleet) -> None:
    """Each by a new one with a new address, made before the old one is stopped."""

    def one(index: int) -> None:
        old, new = fleet.vms[index], fleet.make(index)
        fleet.stop(index, _REPLACED)
        fleet.vms[index] = new
        fleet.start(index)
        old.delete()

    fleet.update(one)


def _fail(fleet: Fleet) -> None:
    vm = fleet.vms[0]
    vm.order_service("health 503")
    vm.order_service("answers 503")
    time.sleep(TROUBLE_SECONDS)
    vm.order_service("answers 200")
    vm.order_service("health 200")
    time.sleep(TROUBLE_SECONDS)


def _hang(fleet: Fleet) -> None:
    vm = fleet.vms[0]
    vm.signal_service(signal.SIGSTOP)
    time.sleep(TROUBLE_SECONDS)
    vm.signal_service(signal.SIGCONT)
    time.sleep(TROUBLE_SECONDS)


def _kill_service(fleet: Fleet) -> None:
    vm = fleet.vms[0]
    vm.signal_service(signal.SIGKILL)
    time.sleep(MONIT_SECONDS)
    vm.start_service()
    time.sleep(TROUBLE_SECONDS)


def _kill_agent(fleet: Fleet) -> None:
    vm = fleet.vms[0]
    vm.kill_agent()
    time.sleep(MONIT_SECONDS)
    vm.start_agent()
    time.sleep(TROUBLE_SECONDS)


def _api_down(fleet: Fleet) -> None:
    """A rolling restart; the API refuses connections from the second batch on."""
    outage = threading.Timer(TROUBLE_SECONDS, lambda: fleet.cloud.server.close_for(OUTAGE_SECONDS))
    outage.start()
    try:
        _restart(fleet)
    finally:
        outage.cancel()


def _hold(fleet: Fleet) -> None:
    vm = fleet.vms[0]
    vm.command("hold")
    time.sleep(TROUBLE_SECONDS)
    vm.command("resume")
    time.sleep(MONIT_SECONDS)


def _all_unhealthy(fleet: Fleet) -> None:
    """By their health alone: the answers are as good as ever."""
    for vm in fleet.vms.values():
        vm.order_service("health 503")
    time.sleep(TROUBLE_SECONDS)
    for vm in fleet.vms.values():
        vm.order_service("health 200")
    time.sleep(TROUBLE_SECONDS)


PLAYS = {
    one.name: one
    for one in (
        Play("restart", _restart),
        Play("replace", _replace),
        Play("swap", _swap),
        Play("api-down", _api_down, needs_agent=True),
        Play("hold", _hold, needs_agent=True),
        Play("fail", _fail),
        Play("hang", _hang),
        Play("kill-service", _kill_service),
        Play("kill-agent", _kill_agent, needs_agent=True),
        Play("all-unhealthy", _all_unhealthy),
    )
}
