"""How a VM comes into rotation and leaves it: ours, and what else people do.

Each has BOSH's steps: pre-start, start, post-start; pre-stop, the drains of all jobs side by side,
monit stop, post-stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.bench.traffic.cloud import Cloud
from tests.bench.traffic.vm import Vm, side_by_side

WAIT_SECONDS = 20.0
"""What gorouter waits in cf-deployment (router.drain_wait), and scripts sleep likewise."""
CONNECTIONS_END_SECONDS = 10.0
"""What gorouter gives the requests under way after that: longer than any here takes."""


@dataclass(frozen=True)
class Method:
    """One of them."""

    name: str
    start: Callable[[Cloud, Vm], None]
    stop: Callable[[Cloud, Vm, Mapping[str, str]], None]
    """The mapping is what BOSH tells pre-stop in its environment."""
    is_naive: bool = True
    has_agent: bool = False


def _start_ours(cloud: Cloud, vm: Vm) -> None:
    vm.must("validate", "--pre-start")
    vm.start_agent()
    vm.start_service()
    vm.must("wait")


def _stop_ours(cloud: Cloud, vm: Vm, next_states: Mapping[str, str]) -> None:
    vm.command("drain", "--pre-stop", **next_states)
    side_by_side(lambda: vm.command("drain", "--after-pre-stop"), lambda: vm.order_service("drain"))
    _stop_undrained(cloud, vm, next_states)


def _stop_unaided(cloud: Cloud, vm: Vm, next_states: Mapping[str, str]) -> None:
    """Ours, beside a service that closes no connection by itself."""
    vm.command("drain", "--pre-stop", **next_states)
    vm.command("drain", "--after-pre-stop")
    _stop_undrained(cloud, vm, next_states)


def _stop_undrained(cloud: Cloud, vm: Vm, next_states: Mapping[str, str]) -> None:
    """What `--skip-drain` leaves of it."""
    side_by_side(vm.stop_agent, vm.stop_service)
    vm.command("drain", "--quick")


def _register_and_start(cloud: Cloud, vm: Vm) -> None:
    """The CPI registers a VM when it makes it, before anything runs there."""
    if not any(one.server_id == vm.instance for one in cloud.group.servers()):
        cloud.register(vm.instance)
    vm.start_service()


def _start_and_register(cloud: Cloud, vm: Vm) -> None:
    vm.start_service()
    cloud.register(vm.instance)


def _stop_as_gorouter(cloud: Cloud, vm: Vm, next_states: Mapping[str, str]) -> None:
    vm.order_service("health 503")
    time.sleep(WAIT_SECONDS)
    vm.order_service("close")
    time.sleep(CONNECTIONS_END_SECONDS)
    vm.stop_service()


def _deregister(cloud: Cloud, vm: Vm) -> None:
    cloud.deregister(vm.instance)
    vm.tell("deregistered")


def _deregister_and_sleep(cloud: Cloud, vm: Vm, next_states: Mapping[str, str]) -> None:
    def drain() -> None:
        _deregister(cloud, vm)
        time.sleep(WAIT_SECONDS)

    side_by_side(drain, lambda: vm.order_service("drain"))
    vm.stop_service()


def _deregister_and_stop(cloud: Cloud, vm: Vm, next_states: Mapping[str, str]) -> None:
    side_by_side(lambda: _deregister(cloud, vm), lambda: vm.order_service("drain"))
    vm.stop_service()


def _only_stop(cloud: Cloud, vm: Vm, next_states: Mapping[str, str]) -> None:
    vm.order_service("drain")
    vm.stop_service()


METHODS = {
    one.name: one
    for one in (
        Method("ours", _start_ours, _stop_ours, is_naive=False, has_agent=True),
        Method("ours-unaided", _start_ours, _stop_unaided, is_naive=False, has_agent=True),
        Method("503-wait", _register_and_start, _stop_as_gorouter, is_naive=False),
        Method("remove-sleep", _start_and_register, _deregister_and_sleep, is_naive=False),
        Method("remove", _start_and_register, _deregister_and_stop),
        Method("lb-check", _register_and_start, _only_stop),
        Method("undrained", _start_ours, _stop_undrained, has_agent=True),
    )
}
"""The naive ones must lose: where they do not, nothing was measured."""
