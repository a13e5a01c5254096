"""What `make bench` compares works at all: it is run too seldom to be left to itself."""

from __future__ import annotations

import pytest
from tests.bench import counting, hour
from tests.bench.agents import CONTESTANTS, at_work
from tests.integration.stage import staged
from tests.integration.vm import Vm

from slb_registration.config.loading import load

pytestmark = pytest.mark.thorough


def test_what_the_agent_is_compared_with_registers_the_vm_too():
    (loop,) = [one for one in CONTESTANTS if not one.is_agent]
    with at_work(loop) as one:
        assert one.wrote(weight=100) >= one.began


def test_an_hour_at_rest_costs_few_calls():
    with staged() as stage:
        stage.vm.render(stage.vm.given)
        assert 12 <= hour.calls(load(stage.vm.config)) <= 120


def test_both_ways_to_count_connections_find_as_many(vm: Vm):
    counting.measure(vm.folder, connections=100, runs=1)
