"""A pre-stop and the drain after it, as `DrainController` goes from the one to the other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.agent.drain_surroundings import GONE, HIGH, LOW, WALL, Agent, follow

from slb_registration.instance import markers
from slb_registration.instance.markers import Stop
from slb_registration.model.desired import Phase
from slb_registration.model.orders import Order
from slb_registration.model.status import GroupStatus
from slb_registration.reconcile.drain_plan import Stage


@pytest.mark.parametrize(
    ("method", "seen", "ends"),
    [
        ("weight_zero", [LOW], ["waiting", "removing", "done"]),
        ("remove", [GONE], ["waiting", "done"]),
    ],
)
def test_a_pre_stop_waits_for_no_connection_and_the_drain_does(
    agent: Agent, method: str, seen: list[GroupStatus], ends: list[str]
):
    """A service closes its keep-alive connections in its own drain: after every pre-stop."""
    marker = markers.draining(agent.folder)
    marker.begin(Stop(WALL, drain_follows=True))
    agent.connections = 4
    one = agent.start(method=method)
    phase = follow(one, HIGH)
    assert not one.over
    follow(one, *seen)
    agent.now += 9.9
    follow(one, *seen)
    assert not one.over  # the shortest wait is the pre-stop's
    agent.now += 0.2
    assert follow(one, *seen) is phase
    assert (one.over, one.drained) == (True, False)

    agent.now += 600  # other jobs' pre-stops
    assert follow(one, *seen) is phase
    assert (one.over, one.drained) == (True, False)

    pre_stop = marker.read()
    assert pre_stop is not None
    marker.begin(replace(pre_stop, used=10.1).drain_begins(WALL + 610.1))
    agent.counted.clear()
    assert follow(one, *seen) is phase
    assert one.plan.stage is Stage.WAITING
    assert one.plan.seconds_left(agent.now) == pytest.approx(120 - 10.1)
    follow(one, *seen)
    assert one.plan.stage is Stage.WAITING
    assert agent.counted
    agent.connections = 0
    follow(one, *seen)  # min_wait is not waited for again
    follow(one, GONE)
    follow(one, GONE)
    assert one.drained
    assert agent.stages() == ["waiting", "awaiting drain", *ends]


@pytest.mark.parametrize("returns", [True, False])
def test_a_vm_that_comes_back_keeps_its_place(agent: Agent, returns: bool):
    marker = markers.draining(agent.folder)
    marker.begin(Stop(WALL, drain_follows=True, keep=True))
    one = agent.start()
    seen = replace(LOW, rests=True)
    for _ in range(3):
        assert follow(one, seen) is Phase.LOWER
        assert one.keeps
        agent.now += 6
    marker.begin(Stop(WALL, drain_follows=True, keep=True).drain_begins(WALL, returns=returns))
    follow(one, seen)
    phase = follow(one, seen)
    assert (phase, one.drained) == ((Phase.LOWER, True) if returns else (Phase.REMOVE, False))
    assert one.keeps is returns
    marker.clear()
    assert follow(one, LOW) is Phase.SERVE
    assert not one.keeps


def test_a_group_that_came_between_pre_stop_and_drain_is_lowered_before_it_is_removed(agent: Agent):
    marker = markers.draining(agent.folder)
    marker.begin(Stop(WALL, drain_follows=True))
    one = agent.start()
    for _ in range(3):
        follow(one, LOW)
        agent.now += 6
    assert one.over
    marker.begin(Stop(WALL))
    assert follow(one, LOW, HIGH) is Phase.LOWER
    assert one.plan.stage is Stage.LOWERING


def test_a_pre_stop_that_cannot_lower_ends_with_a_removal(agent: Agent):
    markers.draining(agent.folder).begin(Stop(WALL, drain_follows=True))
    one = agent.start()
    follow(one, HIGH)
    agent.now += 106
    assert follow(one, HIGH) is Phase.REMOVE
    follow(one, GONE)
    assert one.drained


def test_an_agent_that_is_restarted_between_pre_stop_and_drain_goes_on_waiting_for_it(agent: Agent):
    markers.draining(agent.folder).begin(Stop(WALL, drain_follows=True, used=12.0))
    agent.now += 1000
    one = agent.start()
    for _ in range(3):
        assert follow(one, LOW) is Phase.LOWER
        agent.now += 6
    assert follow(one, LOW) is Phase.LOWER
    assert (one.over, one.drained) == (True, False)
    assert one.plan.seconds_left(agent.now) == pytest.approx(108)


def test_a_drain_whose_marker_cannot_be_written_goes_on_all_the_same(agent: Agent):
    markers.draining(agent.folder).begin(Stop(WALL, drain_follows=True))
    one = agent.start()
    one.order(Order.PRE_STOP)
    for _ in range(3):
        follow(one, LOW)
        agent.now += 6
    assert one.over
    one.order(Order.DRAIN)
    follow(one, LOW)
    follow(one, LOW)
    assert one.plan.stage is Stage.REMOVING
    one.order(Order.PRE_STOP)  # of another stop
    markers.draining(agent.folder).begin(Stop(agent.now + agent.wall_offset, drain_follows=True))
    for _ in range(3):
        follow(one, LOW)
        agent.now += 6
    assert (one.over, one.drained) == (True, False)
