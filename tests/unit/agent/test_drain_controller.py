"""Whether this VM serves, is held or leaves: from markers, orders and the drain under way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from tests.unit.driver import group_status

from slb_registration.agent.drain_controller import DrainController
from slb_registration.instance import markers
from slb_registration.instance.connection_tables import End
from slb_registration.instance.local_ends import is_here
from slb_registration.instance.markers import Held, Stop
from slb_registration.model.configuration import Drain, GroupSpec, PortRanges
from slb_registration.model.desired import Phase
from slb_registration.model.orders import Order
from slb_registration.model.status import GroupStatus
from slb_registration.reconcile.drain_plan import Stage
from slb_registration.support.logs.event_log import EventLog

WALL = 1_763_913_600.0


class Agent:
    """What surrounds `DrainController` in the agent: two clocks, groups, connections, a log."""

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


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path)


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
Follow = Callable[..., Phase]


def follow(
    one: DrainController, *statuses: GroupStatus, complete: bool = True, barred: bool = False
) -> Phase:
    return one.follow(statuses, complete=complete, barred=barred)


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
    stages = [event["stage"] for event in agent.said("drain") if "stage" in event]
    assert stages == ["waiting", "removing", "done"]


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


# pre-stop, and the drain after it


def stages(agent: Agent) -> list[str]:
    return [event["stage"] for event in agent.said("drain") if "stage" in event]


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
    assert stages(agent) == ["waiting", "awaiting drain", *ends]


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


# Which ports are counted


def test_the_configured_port_is_counted_alone(agent: Agent):
    markers.draining(agent.folder).begin(Stop(WALL))
    ports = PortRanges((range(9000, 9001), range(9100, 9200)))
    one = agent.start(connections_port=ports)
    follow(one, LOW, status(lowered=True, port=None, ports=(80,)))
    assert agent.counted[-1] == ports


def test_ports_of_the_groups_are_counted_and_remembered_when_slb_forgets_them(agent: Agent):
    one = agent.start(method="remove")
    follow(one, HIGH, replace(status(port=None, ports=(80, 443)), name="other"))
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, GONE, replace(status(removed=True, port=None, ports=()), name="other"))
    assert agent.counted[-1] == {8080, 80, 443}


def test_the_ports_of_a_group_that_was_left_are_forgotten(agent: Agent):
    """Files and tags may bring and take groups for as long as the agent runs."""
    one = agent.start()
    left = replace(status(port=None, ports=(80, 443)), name="left")
    follow(one, HIGH, left)
    follow(one, HIGH)
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, LOW)
    assert agent.counted[-1] == {8080}


def test_the_ports_that_a_group_has_now_are_counted_whatever_it_had(agent: Agent):
    agent.check_port = 7000
    one = agent.start()
    follow(one, status(port=None))  # SLB has not told yet
    follow(one, status(port=None, ports=(80,)))
    follow(one, status(port=None, ports=(81,)))
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, status(lowered=True, port=None, ports=()))
    assert agent.counted[-1] == {81}


def test_a_group_whose_port_slb_does_not_tell_is_counted_by_the_checks_port(agent: Agent):
    agent.check_port = 7000
    one = agent.start()
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, status(lowered=True, port=None))
    assert agent.counted[-1] == {7000}


def test_a_group_that_forwards_all_ports_is_counted_by_the_checks_port(agent: Agent):
    agent.check_port = 7000
    one = agent.start()
    markers.draining(agent.folder).begin(Stop(WALL))
    for _ in range(2):
        follow(one, status(lowered=True, port=0, ports=()))
    assert agent.counted[-1] == {7000}
    (warning,) = agent.said("forwards all ports")
    assert (warning["level"], warning["groups"]) == ("warning", "clb/lb-1")


def test_where_the_ports_are_named_nothing_is_said_of_them(agent: Agent):
    one = agent.start(connections_port=PortRanges((range(1024, 2049),)))
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, status(lowered=True, port=0, ports=()))
    assert agent.said("forwards all ports") == []


def placed(address: str, server_type: str = "eni", **changes: object) -> GroupStatus:
    """A group with port 8080 in which this VM stands with this address."""
    one = status()
    spec = replace(one.spec, server_type=server_type, server_ip=address or None)
    return replace(one, spec=spec, name=f"at {address}", address=address, **changes)  # type: ignore[arg-type]


LOOPBACK = ("127.0.0.0/8", "::1/128")


def ends(counted: object) -> set[object]:
    return {
        (one.port, *map(str, one.at)) if isinstance(one, End) else one
        for one in counted  # type: ignore[attr-defined]
    }


def test_connections_are_counted_at_the_address_to_which_slb_sends(agent: Agent):
    """Two services of a VM, at two addresses with the same port, and another one of nobody's."""
    one = agent.start()
    markers.draining(agent.folder).begin(Stop(WALL))
    lowered = {"lowered": True}
    follow(one, placed("10.0.0.6", **lowered), placed("fd00::7", "ip", **lowered))
    assert ends(agent.counted[-1]) == {
        (8080, "10.0.0.6/32", *LOOPBACK),
        (8080, "fd00::7/128", *LOOPBACK),
    }


def test_an_instance_may_be_reached_over_the_family_of_which_slb_tells_no_address(agent: Agent):
    one = agent.start()
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, placed("10.0.0.5", "ecs", lowered=True))
    assert ends(agent.counted[-1]) == {(8080, "10.0.0.5/32", "::/0", *LOOPBACK)}


@pytest.mark.parametrize("address", ["", "203.0.113.9"])
def test_where_the_address_is_not_known_or_not_of_this_vm_connections_at_all_of_them_count(
    agent: Agent, address
):
    one = agent.start()
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, placed("10.0.0.6", lowered=True), placed(address, lowered=True))
    assert ends(agent.counted[-1]) == {(8080, "10.0.0.6/32", *LOOPBACK), 8080}


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("203.0.113.9", False),
        ("fd00:dead::9", False),
        ("0.0.0.0", False),
        ("::", False),
        ("not an address", False),
    ],
)
def test_whether_an_address_is_of_this_vm_is_the_kernels_word(address: str, here: bool):
    assert is_here(address) is here


def test_the_address_is_remembered_when_slb_tells_it_no_more(agent: Agent):
    one = agent.start(method="remove")
    seen = placed("10.0.0.5", "ecs")
    follow(one, seen)
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, replace(seen, address="", registered=False, lowered=True, removed=True))
    assert ends(agent.counted[-1]) == {(8080, "10.0.0.5/32", "::/0", *LOOPBACK)}


def test_ports_that_an_operator_names_are_counted_at_any_address(agent: Agent):
    """A rule of the VM's may send connections on to another port and address."""
    ports = PortRanges((range(9000, 9001),))
    one = agent.start(connections_port=ports)
    markers.draining(agent.folder).begin(Stop(WALL))
    follow(one, placed("10.0.0.6", lowered=True))
    assert agent.counted[-1] == ports


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
