"""A registrar whose calls fail: what is tried again, when, and what is said."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.driver import (
    CALL_SECONDS,
    HEALTHY,
    HELD,
    LOWER,
    REMOVE,
    UNHEALTHY,
    UNKNOWN,
    MemoryGroup,
    Outcome,
    World,
    alone,
    busiest_minute,
    failure,
    gaps,
    member,
)

from mock_slb.gateway.faults import HTML_502, Refuse, Reply, Reset, Rule
from slb_registration.model.desired import Wish
from slb_registration.model.errors import HOPELESS, Kind
from slb_registration.model.identity import Identity
from slb_registration.model.operations import WRITES, Op
from slb_registration.reconcile.observed_state import Place

# Answers that are lost

LOST = (
    Reset(),
    Reply(502, HTML_502),
    Reply(200, b"", "application/json"),
    Reply(200, b'{"RequestId":"4C2E', "application/json"),
    Reply(200, b"null", "application/json"),
    Refuse("ServiceUnavailable", 503),
    Refuse("InternalError", 500),
)


@pytest.mark.parametrize("effect", LOST, ids=lambda effect: repr(effect)[:30])
def test_a_change_whose_answer_was_lost_is_looked_up_and_not_made_twice(clb: World, effect):
    clb.gateway.faults.add(Rule(effect, action="Add*", after_change=True, times=1))
    agent = clb.serving()

    assert agent.ops(Op.FIND, Op.ADD) == [Op.FIND, Op.ADD, Op.FIND]
    assert agent.registrar.failures.worst is None


def test_lost_answers_of_every_change_are_looked_up(world: World):
    world.gateway.faults.add(Rule(Reset(), action="*BackendServers*", after_change=True))
    world.gateway.faults.add(Rule(Reset(), action="Set*", after_change=True))
    agent = world.agent()
    for wish, weight in ((UNKNOWN, 0), (HEALTHY, 100), (UNHEALTHY, 0), (LOWER, 0), (REMOVE, None)):
        world.driver.want(wish)
        world.driver.run(2)
        assert world.weight() == weight
    assert agent.writes() == [Op.ADD, Op.SET_WEIGHT, Op.SET_WEIGHT, Op.REMOVE]
    assert agent.registrar.group.at_least(Place.LEFT)


def test_a_change_that_was_lost_before_it_was_made_is_made_again(world: World):
    world.gateway.faults.add(Rule(Reset(), action="Add*", times=2))
    agent = world.agent()
    world.driver.want(HEALTHY)
    world.driver.run(10)

    assert world.weight() == 100
    assert agent.ops(Op.FIND, Op.ADD)[:6] == [Op.FIND, Op.ADD] * 3
    assert agent.said("recovered")[0].fields["after_failures"] == 2


@pytest.mark.parametrize("wish", [REMOVE, HELD])
def test_a_change_that_is_wanted_no_longer_has_not_recovered(world: World, wish: Wish):
    world.gateway.faults.add(Rule(Refuse("Forbidden.RAM", 403), action="Add*"))
    agent = world.agent()
    world.driver.want(HEALTHY)
    world.driver.run(2)
    world.driver.want(wish)
    world.driver.run(10)

    assert agent.registrar.group.out_as_wanted
    assert not agent.registrar.failures.errors
    assert not agent.said("recovered")


def test_a_change_is_told_with_the_reason_for_which_it_was_made(world: World):
    """Its answer comes when something else is wanted already."""
    agent = world.agent()
    world.driver.want(UNKNOWN)
    world.driver.run(2 * CALL_SECONDS - CALL_SECONDS / 2)
    assert agent.writes() == [Op.ADD]
    world.driver.want(HEALTHY)
    world.driver.run(1)
    world.driver.want(UNHEALTHY)
    world.driver.run(0)
    world.driver.run(10)

    (registered,), changed = agent.said("registered"), agent.said("weight changed")
    assert registered.fields["reason"] == "the local check is unknown"
    assert [one.fields["reason"] for one in changed] == [
        "the local check is healthy",
        "the local check is unhealthy",
    ]


def test_a_lookup_that_fails_too_is_repeated_before_the_change_is(clb: World):
    clb.gateway.faults.add(Rule(Reset(), action="Add*", after_change=True, times=1))
    clb.gateway.faults.add(Rule(Reset(), action="DescribeLoadBalancerA*", skip=1, times=3))
    agent = clb.agent()
    clb.driver.want(HEALTHY)
    clb.driver.run(120)

    assert clb.weight() == 100
    assert agent.writes() == [Op.ADD]


def test_a_server_that_is_there_already_is_no_error(world: World):
    world.account.already_there = "error"
    group = world.group()
    real, raced = group.find, []

    def find_then_someone_else_adds():
        found = real()
        if not raced:
            raced.append(True)
            world.put_in("i-self", 30)
        return found

    group.find = find_then_someone_else_adds  # type: ignore[method-assign]
    agent = world.driver.join(group, Identity("i-self", world.port, 100))
    world.driver.want(HEALTHY)
    world.driver.run(10)

    assert world.weight() == 100
    assert agent.writes() == [Op.ADD, Op.SET_WEIGHT]
    assert [event for _, event in agent.events if event.level == "error"] == []


def test_a_weight_of_a_server_that_someone_has_just_removed_is_no_lasting_error(world: World):
    agent = world.serving()
    world.driver.run(5)
    world.driver.want(UNHEALTHY)
    world.driver.run(1)
    world.take_out()
    world.driver.want(HEALTHY)  # raised on what was read a second ago
    world.driver.run(10)

    assert world.weight() == 100
    assert agent.registrar.failures.worst is None
    assert [event for _, event in agent.events if event.level == "error"] == []


# Throttled, busy, gone


def test_throttled_changes_are_repeated_later_and_not_looked_up(clb: World):
    agent = clb.serving()
    clb.refuse("Throttling.User", 400, "Set*")
    before = clb.driver.now
    clb.driver.want(UNHEALTHY)
    clb.driver.run(20)

    tried = agent.ops(Op.FIND, Op.SET_WEIGHT, since=before)
    assert tried.count(Op.FIND) == 1
    assert 1 <= tried.count(Op.SET_WEIGHT) <= 4


@pytest.mark.parametrize("code", ["Throttling", "Throttling.Api", "Rejected.Throttling"])
def test_a_throttled_fleet_asks_ever_less(clb: World, code: str):
    agent = clb.agent()
    clb.refuse(code)
    clb.driver.want(HEALTHY)
    clb.driver.run(600)
    first = len([at for at in agent.times(Op.FIND) if at < 1060])
    last = len(agent.times(Op.FIND, since=1540))
    assert first <= 10
    assert last <= 5
    assert len(agent.calls) <= 30


@pytest.mark.parametrize("code", ["ServiceUnavailable", "Forbidden.RAM"])
@pytest.mark.parametrize("seed", range(3))
def test_a_drain_does_not_sleep_through_an_api_that_is_back(clb: World, code: str, seed: int):
    """It has 120 s by default, and the usual waits grow to 60 s, or are 300 s."""
    agent = clb.serving()
    agent.random = Random(seed)
    fault = clb.refuse(code, 503 if code.startswith("Service") else 403)
    clb.driver.want(LOWER)
    clb.driver.run(45)
    clb.gateway.faults.remove(fault)
    clb.driver.run(37)
    assert clb.weight() == 0


def test_a_drained_vm_asks_a_lost_api_no_more_often_than_any_other(clb: World):
    agent = clb.serving()
    for wish in (LOWER, REMOVE):
        clb.driver.want(wish)
        clb.driver.run(30)
    assert agent.registrar.group.at_least(Place.LEFT)
    clb.refuse("ServiceUnavailable", 503)
    clb.driver.run(1800)
    before = len(agent.calls)
    clb.driver.run(3600)
    assert len(agent.calls) - before <= 3600 / 60 * 2.5


def test_a_busy_load_balancer_is_tried_again_within_seconds(clb: World):
    agent = clb.agent()
    clb.refuse("BackendServer.configuring", 409, "Add*", times=3)
    clb.driver.want(HEALTHY)
    clb.driver.run(30)

    assert clb.weight() == 100
    assert agent.ops(Op.ADD).count(Op.ADD) == 4


def test_an_instance_that_is_not_running_yet_is_tried_again_soon(world: World):
    world.account.set_running("i-self", False)
    agent = world.agent()
    world.driver.want(HEALTHY)
    world.driver.run(60)
    assert world.weight() is None
    assert agent.registrar.failures.worst.code == "ObtainIpFail"
    assert agent.registrar.failures.worst.kind is Kind.BUSY

    world.account.set_running("i-self", True)
    world.driver.run(16)
    assert world.weight() == 100


def test_a_clock_that_is_off_is_said_once_with_what_to_do_and_asked_seldom(clb: World):
    agent = clb.serving()
    clb.account.clock_offset_seconds = 3600
    clb.driver.want(UNHEALTHY)
    before = clb.driver.now
    clb.driver.run(3600)

    said = [event for _, event in agent.events if event.message == "a call failed"]
    assert "NTP" in str(said[0].fields["error"])
    assert agent.registrar.failures.worst.kind is Kind.CLOCK
    assert len([at for at, _ in agent.calls if at > before]) <= 3600 / 30 * 2

    clb.account.clock_offset_seconds = 0
    clb.driver.run(125)
    assert clb.weight() == 0


# What cannot succeed


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("InvalidLoadBalancerId.NotFound", 404),
        ("InvalidAccessKeyId.NotFound", 404),
        ("Forbidden.RAM", 403),
        ("NoPermission", 403),
        ("InvalidParameter", 400),
    ],
)
def test_what_cannot_succeed_is_said_once_and_looked_at_every_300_seconds(
    clb: World, code: str, status: int
):
    clb.refuse(code, status)
    agent = clb.agent()
    clb.driver.want(HEALTHY)
    clb.driver.run(2 * 3600)

    times = agent.times(Op.FIND)
    assert len(agent.calls) == len(times)
    assert all(240 <= gap <= 360.1 for gap in gaps(times))
    assert 20 <= len(times) <= 30
    said = agent.said("a call failed")
    assert len(said) == 1
    assert said[0].level == "error"
    assert code in str(said[0].fields["error"])


@pytest.mark.parametrize(
    "code", ["TooManyBackendServers", "BackendServersMalformed", "InvalidWeight.Malformed"]
)
def test_a_change_that_cannot_succeed_is_tried_seldom_and_reads_do_not_spin(clb: World, code: str):
    clb.refuse(code, 400, "Add*")
    agent = clb.agent()
    clb.driver.want(HEALTHY)
    clb.driver.run(2 * 3600)

    tried = agent.times(Op.ADD)
    assert all(240 <= gap <= 365 for gap in gaps(tried))
    assert len(agent.times(Op.FIND)) <= 6 * len(tried)
    assert len(agent.said("a call failed")) == 1


def test_what_a_person_has_mended_recovers_and_says_so(clb: World):
    fault = clb.refuse("Forbidden.RAM", 403)
    agent = clb.agent()
    clb.driver.want(HEALTHY)
    clb.driver.run(3600)
    clb.gateway.faults.remove(fault)
    clb.driver.run(361)

    assert clb.weight() == 100
    assert agent.registrar.failures.worst is None
    assert agent.said("recovered")[0].fields["action"] == "DescribeLoadBalancerAttribute"


def test_health_that_may_not_be_read_is_asked_seldom_and_stops_nothing(world: World):
    world.refuse("Forbidden.RAM", 403, "DescribeHealthStatus")
    agent = world.agent()
    world.driver.want(HEALTHY)
    world.driver.run(3600)

    assert world.weight() == 100
    assert len(agent.times(Op.HEALTH)) <= 3600 / 240 + 1
    world.driver.want(REMOVE)
    world.driver.run(5)
    assert world.weight() is None


def test_reads_that_fail_while_health_is_due_do_not_spin(clb: World):
    # Found by this test: the worker waited for a moment that had passed, for 300 s.
    agent = clb.serving()
    clb.refuse("Forbidden.RAM", 403, "DescribeLoadBalancerAttribute")
    clb.driver.run(3600)
    assert len(agent.times(Op.FIND)) <= 3600 / 240 + 3


def test_a_change_that_waits_for_its_turn_does_not_spin_while_reads_fail(clb: World):
    agent = clb.serving()
    clb.refuse("Throttling.User", 400, "Set*")
    clb.driver.want(UNHEALTHY)
    clb.driver.run(1)
    clb.refuse("Throttling.User", 400, "Describe*")
    clb.driver.run(3600)
    assert busiest_minute(agent) <= 20


# Whatever happens: no spinning, and it heals


def spoiling(outcomes: list[Outcome | None]) -> Callable[[Op], Outcome | None]:
    """Spoil calls by this list, then none any more."""
    left = list(outcomes)
    return lambda op: left.pop(0) if left else None


def _outcome(kind: Kind, made: bool) -> Outcome:
    return failure(kind, 503 if kind is Kind.UNAVAILABLE else 400), made


outcomes = st.lists(
    st.none() | st.builds(_outcome, st.sampled_from(list(Kind)), st.booleans()), max_size=30
)
wishes = st.lists(
    st.tuples(
        st.floats(min_value=1, max_value=200),
        st.sampled_from([HEALTHY, UNHEALTHY, UNKNOWN, HELD, LOWER, REMOVE]),
    ),
    max_size=6,
)
MANY = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@MANY
@given(outcomes=outcomes, wishes=wishes)
def test_calls_per_minute_are_bounded_whatever_fails(outcomes, wishes):
    group = MemoryGroup({"i-other": member("i-other")}, fail=spoiling(outcomes))
    driver, agent = alone(group)
    for seconds, wish in wishes:
        driver.run(seconds)
        driver.want(wish)
    driver.run(300)

    # A changed wish may cost a read and a write at once, beside what failing costs.
    assert busiest_minute(agent) <= 45 + 4 * len(wishes)
    assert group.servers["i-other"] == member("i-other")


@MANY
@given(outcomes=outcomes, wishes=wishes)
def test_whatever_has_failed_the_group_is_as_it_should_be_in_the_end(outcomes, wishes):
    group = MemoryGroup({"i-other": member("i-other")}, fail=spoiling(outcomes))
    driver, agent = alone(group)
    for seconds, wish in wishes:
        driver.run(seconds)
        driver.want(wish)
    driver.want(HEALTHY)
    driver.run(30 * 370)  # each failure may cost 360 s

    assert group.servers["i-self"].weight == 100
    assert agent.registrar.group.settled
    assert agent.registrar.failures.worst is None


@MANY
@given(kind=st.sampled_from(list(Kind)), ops=st.sets(st.sampled_from(list(Op)), min_size=1))
def test_calls_that_always_fail_in_one_way_are_made_ever_less(kind: Kind, ops: set[Op]):
    group = MemoryGroup(fail=lambda op: (failure(kind), False) if op in ops else None)
    driver, agent = alone(group)
    driver.want(HEALTHY)
    driver.run(1800)
    driver.run(3600)
    last_hour = [call for at, call in agent.calls if at > 2800]

    # Health is read once a minute where nothing else is wrong; kinds that pass stay below
    # one round of read, change and lookup in 7 s on the average.
    assert len(last_hour) <= (60 + 3600 / 240 * 8 if kind in HOPELESS else 1100)
    assert not set(WRITES) - ops or busiest_minute(agent) <= 45
