"""Whether this VM serves, is held or leaves: from markers, orders and the drain under way."""

from __future__ import annotations

import pytest
from tests.unit.agent.drain_surroundings import GONE, HIGH, LOW, NEVER_IN, WALL, Agent, follow

from slb_registration.instance import markers
from slb_registration.instance.markers import Held, Stop
from slb_registration.model.desired import Phase
from slb_registration.model.orders import Order
from slb_registration.reconcile.drain_plan import Stage


def test_without_markers_the_vm_serves(agent: Agent):
    one = agent.start()
    assert follow(one, HIGH) is Phase.SERVE
    assert (one.held, one.draining_since, one.plan) == (None, None, None)


def test_a_hold_marker_holds_across_restarts_and_resuming_ends_it(agent: Agent):
    markers.hold(agent.folder).begin(WALL - 100, None, None)
    one = agent.start()
    assert follow(one, HIGH) is Phase.HOLD
    assert one.held == Held(WALL - 100)

    markers.hold(agent.folder).clear()
    one.order(Order.RESUME)
    assert follow(one, HIGH) is Phase.SERVE


def test_a_drain_goes_before_a_hold(agent: Agent):
    markers.hold(agent.folder).begin(WALL, None, None)
    markers.draining(agent.folder).begin(Stop(WALL))
    assert follow(agent.start(), HIGH) is Phase.LOWER


def test_a_drain_goes_through_its_stages(agent: Agent):
    markers.draining(agent.folder).begin(Stop(WALL))
    one = agent.start()
    assert follow(one, HIGH) is Phase.LOWER
    assert agent.counted == []

    agent.connections = 4
    assert follow(one, LOW) is Phase.LOWER
    assert (one.plan.stage, one.connections) == (Stage.WAITING, 4)
    agent.now += 11
    assert follow(one, LOW) is Phase.LOWER
    agent.connections = 0
    assert follow(one, LOW) is Phase.REMOVE
    assert follow(one, LOW) is Phase.REMOVE
    assert not one.drained
    assert follow(one, GONE) is Phase.REMOVE
    assert one.drained
    assert agent.counted[0] == {8080}
    assert agent.stages() == ["waiting", "removing", "done"]


def test_connections_that_remain_are_said(agent: Agent):
    markers.draining(agent.folder).begin(Stop(WALL))
    agent.connections = 7
    one = agent.start()
    follow(one, LOW)
    agent.now += 106
    assert follow(one, LOW) is Phase.REMOVE
    (warning,) = agent.said("connections remain")
    assert (warning["level"], warning["connections"]) == ("warning", 7)
    follow(one, GONE)
    assert len(agent.said("connections remain")) == 1


def test_connections_that_remain_after_a_removal_are_said(agent: Agent):
    markers.draining(agent.folder).begin(Stop(WALL))
    agent.connections = 7
    one = agent.start(method="remove")
    follow(one, GONE)
    agent.now += 106
    follow(one, GONE)
    assert one.drained
    (warning,) = agent.said("connections remain")
    assert warning["connections"] == 7


def test_without_a_shortest_wait_open_connections_are_waited_for(agent: Agent):
    markers.draining(agent.folder).begin(Stop(WALL))
    agent.connections = 3
    one = agent.start(min_wait_seconds=0.0)
    for _ in range(5):
        follow(one, LOW)
        agent.now += 0.2
    assert one.plan.stage is Stage.WAITING
    agent.connections = 0
    assert follow(one, LOW) is Phase.REMOVE


def test_connections_that_cannot_be_counted_are_waited_for_and_said_once(agent: Agent):
    markers.draining(agent.folder).begin(Stop(WALL))
    agent.connections = PermissionError(13, "Permission denied", "/proc/net/tcp")
    one = agent.start()
    for _ in range(5):
        follow(one, LOW)
        agent.now += 20
    assert one.plan.stage is Stage.WAITING
    assert len(agent.said("cannot count connections")) == 1
    agent.connections, failure = 3, agent.connections
    follow(one, LOW)
    agent.connections = failure
    follow(one, LOW)
    assert len(agent.said("cannot count connections")) == 2
    agent.now += 20
    assert follow(one, LOW) is Phase.REMOVE


def test_connections_are_waited_for_until_they_were_counted_after_weight_0(agent: Agent):
    one = agent.start(min_wait_seconds=0.0)
    markers.draining(agent.folder).begin(Stop(WALL))
    agent.connections = None
    for _ in range(3):
        follow(one, LOW)
        agent.now += 0.2
    assert (one.plan.stage, one.connections) == (Stage.WAITING, None)
    assert agent.since == 5000.0  # when it began to wait
    agent.connections = 0
    assert follow(one, LOW) is Phase.REMOVE


def test_a_drain_goes_on_after_a_restart_with_the_time_it_has_left(agent: Agent):
    markers.draining(agent.folder).begin(Stop(WALL - 60))
    one = agent.start()
    follow(one, HIGH)
    assert one.plan.seconds_left(agent.now) == pytest.approx(60)


@pytest.mark.parametrize("since", [WALL - 10**7, WALL + 10**7, 1.0])
def test_a_marker_from_another_time_gives_a_drain_no_more_than_its_time(agent: Agent, since):
    markers.draining(agent.folder).begin(Stop(since))
    one = agent.start()
    follow(one, HIGH)
    assert 0 <= one.plan.seconds_left(agent.now) <= 120


def test_a_wall_clock_that_jumps_does_not_change_a_drain_under_way(agent: Agent):
    markers.draining(agent.folder).begin(Stop(WALL))
    one = agent.start()
    follow(one, HIGH)
    agent.wall_offset += 10**6
    agent.now += 50
    assert follow(one, HIGH) is Phase.LOWER
    assert one.plan.seconds_left(agent.now) == pytest.approx(70)


def test_a_drain_ends_when_its_marker_goes(agent: Agent):
    markers.draining(agent.folder).begin(Stop(WALL))
    one = agent.start()
    follow(one, LOW)
    markers.draining(agent.folder).clear()
    assert follow(one, LOW) is Phase.SERVE
    assert (one.plan, one.connections, one.drained) == (None, None, False)
    assert len(agent.said("drain ended")) == 1


def test_a_second_drain_begins_anew(agent: Agent):
    markers.draining(agent.folder).begin(Stop(WALL))
    one = agent.start()
    for _ in range(3):
        follow(one, GONE)
        agent.now += 11
    assert one.drained
    markers.draining(agent.folder).clear()
    follow(one, HIGH)
    markers.draining(agent.folder).begin(Stop(agent.now + agent.wall_offset))
    assert follow(one, HIGH) is Phase.LOWER
    assert not one.drained
    assert one.plan.seconds_left(agent.now) == pytest.approx(120)


def test_a_new_stop_gives_what_could_not_leave_its_whole_time_again(agent: Agent):
    """A deploy that failed while the API was dead is repeated: there still are connections."""
    markers.draining(agent.folder).begin(Stop(WALL))
    one = agent.start()
    follow(one, HIGH)
    agent.now += 3600
    assert follow(one, HIGH) is Phase.REMOVE
    markers.draining(agent.folder).begin(Stop(agent.now + agent.wall_offset))
    assert follow(one, HIGH) is Phase.LOWER
    assert one.plan.seconds_left(agent.now) == pytest.approx(120)
    assert one.draining_since == WALL + 3600


def test_a_new_stop_does_not_wait_again_for_what_has_left(agent: Agent):
    markers.draining(agent.folder).begin(Stop(WALL))
    one = agent.start()
    for _ in range(3):
        follow(one, GONE)
        agent.now += 11
    assert one.drained
    markers.draining(agent.folder).begin(Stop(agent.now + agent.wall_offset))
    assert follow(one, GONE) is Phase.REMOVE
    assert one.drained


def test_a_new_stop_drains_what_has_been_put_back_meanwhile(agent: Agent):
    markers.draining(agent.folder).begin(Stop(WALL))
    one = agent.start()
    for _ in range(3):
        follow(one, GONE)
        agent.now += 11
    markers.draining(agent.folder).begin(Stop(agent.now + agent.wall_offset))
    assert follow(one, HIGH) is Phase.LOWER
    assert not one.drained


def test_a_marker_that_cannot_be_read_for_a_moment_does_not_change_a_drain(agent: Agent):
    marker = markers.draining(agent.folder)
    marker.begin(Stop(WALL, drain_follows=True))
    one = agent.start()
    follow(one, HIGH)
    text = marker.path.read_text()
    marker.path.write_text("")
    assert follow(one, HIGH) is Phase.LOWER
    marker.path.write_text(text)
    assert follow(one, HIGH) is Phase.LOWER
    assert one.plan.seconds_left(agent.now) == pytest.approx(120)


def test_groups_that_are_not_known_yet_hold_up_a_drain(agent: Agent):
    """Before the load balancers were found by their tags, nobody knows where the VM is."""
    markers.draining(agent.folder).begin(Stop(WALL))
    one = agent.start()
    assert follow(one, complete=False) is Phase.LOWER
    agent.now += 106
    assert follow(one, GONE, complete=False) is Phase.REMOVE
    assert not one.drained
    follow(one, GONE, complete=True)
    assert one.drained


# Orders: a full disk must not stop a drain


def test_an_order_drains_and_holds_although_no_marker_could_be_written(agent: Agent):
    one = agent.start()
    one.order(Order.HOLD)
    assert follow(one, HIGH) is Phase.HOLD
    one.order(Order.DRAIN)
    assert follow(one, HIGH) is Phase.LOWER
    assert one.draining_since == WALL


def test_an_order_that_is_repeated_does_not_start_the_time_anew(agent: Agent):
    one = agent.start()
    one.order(Order.DRAIN)
    follow(one, HIGH)
    agent.now += 50
    one.order(Order.DRAIN)
    follow(one, HIGH)
    assert one.draining_since == WALL
    assert one.plan.seconds_left(agent.now) == pytest.approx(70)


@pytest.mark.parametrize(("ends", "then"), [(Order.START, Phase.HOLD), (Order.RESUME, Phase.SERVE)])
def test_a_start_ends_a_drain_and_resuming_a_hold_too(agent: Agent, ends: Order, then: Phase):
    one = agent.start()
    one.order(Order.HOLD)
    one.order(Order.DRAIN)
    follow(one, HIGH)
    one.order(ends)
    assert follow(one, HIGH) is then


# A VM that never got in


@pytest.mark.parametrize(
    ("statuses", "complete", "barred"),
    [
        ([NEVER_IN], True, False),
        ([NEVER_IN, NEVER_IN], False, True),
        ([], False, True),
        ([], True, False),  # it is in no group
    ],
)
def test_where_a_vm_never_got_in_and_nothing_can_be_read_the_drain_is_over_at_once(
    agent: Agent, statuses, complete, barred
):
    markers.draining(agent.folder).begin(Stop(WALL))
    agent.connections = 5  # they do not come through SLB
    one = agent.start()
    follow(one, *statuses, complete=complete, barred=barred)
    assert not one.drained  # what was known before it began proves nothing
    follow(one, *statuses, complete=complete, barred=barred)
    assert one.drained


@pytest.mark.parametrize(
    ("statuses", "complete", "barred"),
    [
        ([NEVER_IN], False, False),  # the listing that fails may yet come through
        ([NEVER_IN, HIGH], True, False),
        ([HIGH], False, True),
        ([], False, False),
    ],
)
def test_what_may_be_read_is_waited_for(agent: Agent, statuses, complete, barred):
    markers.draining(agent.folder).begin(Stop(WALL))
    one = agent.start()
    follow(one, *statuses, complete=complete, barred=barred)
    assert one.plan.stage is Stage.LOWERING


def test_a_group_that_cannot_be_read_holds_up_none_that_can(agent: Agent):
    markers.draining(agent.folder).begin(Stop(WALL))
    one = agent.start()
    assert follow(one, NEVER_IN, LOW) is Phase.LOWER
    assert one.plan.stage is Stage.WAITING  # as long as ever
    agent.now += 11
    follow(one, NEVER_IN, LOW)
    assert follow(one, NEVER_IN, LOW) is Phase.REMOVE
    follow(one, NEVER_IN, GONE)
    assert one.drained
