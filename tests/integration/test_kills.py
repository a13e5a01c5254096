"""SIGKILL at ten points of a life, before or after a call of the API: the end is the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from random import Random

import pytest
from tests.integration.cloud import BALANCER, Cloud
from tests.integration.service import Service
from tests.integration.vm import Process, Vm
from tests.waiting import eventually

from mock_slb.gateway.faults import Delay, Rule

pytestmark = pytest.mark.thorough

SEED = 20
API = "[A-Z]*"
CALLS = 14
"""So many calls has the shortest life; where there are more, they are the same again."""

POINTS = sorted(
    Random(SEED).sample([(n, after) for n in range(CALLS) for after in (False, True)], 10)
)


class Monit:
    """Starts the agent, and starts it again where it has gone."""

    def __init__(self, vm: Vm) -> None:
        self._vm = vm
        self.agents: list[Process] = []

    def keep(self) -> Process:
        if not self.agents or not self.agents[-1].running:
            self.agents.append(self._vm.start())
        return self.agents[-1]

    def until(self, what: Callable[[], bool]) -> None:
        """Wait for this, whoever dies meanwhile."""
        eventually(lambda: (self.keep(), what())[1])


@pytest.mark.parametrize(("call", "after"), POINTS, ids=str)
def test_killed_at_this_call_it_ends_as_if_it_had_not_been(
    vm: Vm, cloud: Cloud, service: Service, call: int, after: bool
) -> None:
    vm.configure(load_balancer_id=BALANCER)
    monit = Monit(vm)
    before = cloud.others()
    killed = []

    def kill(_: float) -> None:
        """In the thread that answers the call, so at this point and no other."""
        agent = monit.agents[-1]
        os.kill(agent.pid, signal.SIGKILL)
        agent.wait()
        killed.append(call)

    cloud.gateway.wait = kill
    cloud.inject(Rule(Delay(1), API, skip=call, times=1, after_change=after))

    monit.until(lambda: cloud.weight == 100)
    service.healthy = False
    monit.until(lambda: cloud.weight == 0)
    service.healthy = True
    monit.until(lambda: cloud.weight == 100)
    monit.until(lambda: bool(killed))
    monit.until(lambda: (vm.status() or {}).get("state") == "in service")
    done = vm.command("drain")
    monit.until(lambda: (vm.status() or {}).get("state") == "drained")

    assert len(monit.agents) == 2
    assert (done.code, done.out, cloud.me) == (0, "", None)
    assert cloud.others() == before
