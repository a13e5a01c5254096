"""One word for the operator, and what else the agent says of a server group."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.driver import (
    CALL_SECONDS,
    CLB,
    HEALTHY,
    HELD,
    LOWER,
    PORT,
    REMOVE,
    UNHEALTHY,
    UNKNOWN,
    Agent,
    Driver,
    MemoryGroup,
    World,
    alone,
    failure,
    member,
    status,
)
from tests.unit.driver import Kind as ErrorKind

from slb_registration.model.desired import Floor, Phase, Policy, Wish
from slb_registration.model.health import Health
from slb_registration.model.operations import Op
from slb_registration.model.server_group import ListenerHealth
from slb_registration.model.status import Origin, Outlook, WaitsFor
from slb_registration.reporting.group_status import describe


def with_another() -> MemoryGroup:
    return MemoryGroup({"i-other": member("i-other")})


def test_before_the_first_read_it_is_starting():
    _, agent = alone(with_another())
    assert status(agent).state == "starting"
    assert status(agent).weight is None
    assert not status(agent).registered


def test_the_address_to_which_slb_sends_is_its_own_word_or_that_of_the_configuration():
    driver, agent = alone(MemoryGroup({"i-self": replace(member("i-self"), address="10.0.0.5")}))
    assert status(agent).address == ""
    driver.run(1)
    assert status(agent).address == "10.0.0.5"
    spec = replace(CLB, server_type="eni", server_id="eni-1", server_ip="10.0.0.6")
    assert describe(agent.registrar, spec, "clb/lb-1", Origin.TAGS).address == "10.0.0.6"


def test_a_group_that_was_never_read_is_failing():
    driver, agent = alone(MemoryGroup(fail=lambda op: (failure(ErrorKind.DENIED, 403), False)))
    driver.run(1)
    assert status(agent).state == "failing"
    assert "Denied" in status(agent).error


@pytest.mark.parametrize(
    ("wish", "state", "weight", "in_service"),
    [
        (UNKNOWN, "waiting for health", 0, False),
        (HEALTHY, "in service", 100, True),
        (UNHEALTHY, "unhealthy", 0, False),
        (HELD, "held", 0, False),
        (LOWER, "draining", 0, False),
        (REMOVE, "drained", None, False),
        (Wish(Phase.HOLD, Health.UNHEALTHY), "held", 0, False),
    ],
)
def test_the_state_once_all_is_as_it_should_be(wish, state, weight, in_service):
    driver, agent = alone(with_another())
    driver.run(1)
    driver.want(HEALTHY if wish is not UNKNOWN else UNKNOWN)
    driver.run(1)
    driver.want(wish)
    driver.run(1)
    one = status(agent)
    assert (one.state, one.weight, one.in_service) == (state, weight, in_service)
    assert one.registered is (weight is not None)
    assert one.error is None


def test_a_vm_that_the_threshold_keeps_in_rotation_says_so():
    driver, agent = alone(MemoryGroup())
    driver.want(HEALTHY)
    driver.run(1)
    driver.want(UNHEALTHY)
    driver.run(1)
    assert status(agent).state == "kept although unhealthy"
    assert status(agent).weight == 100


def throttled(*ops: Op):
    """Refuses these calls for want of quota."""
    refused = failure(ErrorKind.THROTTLED, 400, "Throttling.User")
    return lambda op: (refused, False) if op in ops else None


OTHERS = ("i-other-1", "i-other-2", "i-other-3")


def crowd(**options: Any) -> MemoryGroup:
    """A group that bears one server less."""
    return MemoryGroup({name: member(name) for name in OTHERS}, **options)


def turned(
    group: MemoryGroup, wish: Wish, fail: Any, policy: Policy | None = None
) -> tuple[Driver, Agent]:
    """A VM that was in service when calls began to fail, and its wish changed."""
    driver, agent = alone(group, policy=policy)
    driver.want(HEALTHY)
    driver.run(1)
    assert status(agent).in_service
    group.fail = fail
    driver.want(wish)
    driver.run(1)
    return driver, agent


REMOVE_UNHEALTHY = Policy("remove")


@pytest.mark.parametrize(
    ("wish", "fail", "policy", "state", "waits_for"),
    [
        (UNHEALTHY, throttled(Op.SET_WEIGHT), None, "lowering", WaitsFor.QUOTA),
        (UNHEALTHY, throttled(Op.FIND), None, "lowering", WaitsFor.QUOTA),
        (UNHEALTHY, throttled(Op.REMOVE), REMOVE_UNHEALTHY, "removing", WaitsFor.QUOTA),
        (HELD, throttled(Op.SET_WEIGHT), None, "lowering", WaitsFor.QUOTA),
        (HELD, throttled(Op.FIND), None, "lowering", WaitsFor.QUOTA),
        (LOWER, throttled(Op.SET_WEIGHT), None, "draining", WaitsFor.QUOTA),
        (
            UNHEALTHY,
            lambda op: (failure(ErrorKind.DENIED, 403), False) if op is Op.SET_WEIGHT else None,
            None,
            "lowering",
            WaitsFor.REPAIR,
        ),
        (
            UNHEALTHY,
            lambda op: (failure(ErrorKind.BUSY, 409), False) if op is Op.SET_WEIGHT else None,
            None,
            "lowering",
            WaitsFor.RETRY,
        ),
    ],
)
def test_a_vm_that_only_cannot_be_lowered_is_not_kept_by_the_threshold(
    wish: Wish, fail: Any, policy: Policy | None, state: str, waits_for: WaitsFor
):
    _, agent = turned(crowd(), wish, fail, policy)
    one = status(agent)
    assert (one.state, one.weight, one.floor) == (state, 100, None)
    assert one.outlook is not None
    assert one.outlook.waits_for is waits_for
    assert one.wanted_weight == (None if policy else 0)


def test_before_the_first_try_it_is_lowering_too():
    driver, agent = alone(with_another())
    driver.want(HEALTHY)
    driver.run(1)
    agent.registrar.want(UNHEALTHY)
    one = status(agent)
    assert (one.state, one.floor) == ("lowering", None)
    assert one.outlook is not None
    assert (one.outlook.op, one.outlook.waits_for) == (Op.FIND, WaitsFor.NOTHING)


def test_what_is_to_be_ignored_is_no_matter_of_the_threshold():
    _, agent = turned(MemoryGroup(), UNHEALTHY, lambda op: None, Policy("ignore"))
    one = status(agent)
    assert (one.state, one.floor, one.unhealthy_ignored) == ("in service", None, True)


def test_the_threshold_that_keeps_a_vm_is_told_in_servers():
    group = MemoryGroup({"i-other": member("i-other", 0)})
    driver, agent = turned(group, UNHEALTHY, lambda op: None)
    assert status(agent).floor == Floor(needed=1, up=1)
    group.fail = throttled(Op.FIND)  # what it was decided on stays so
    driver.run(120)
    assert (status(agent).state, status(agent).floor) == (
        "kept although unhealthy",
        Floor(needed=1, up=1),
    )


def test_when_a_group_was_asked_for_and_when_it_was_read_are_two_things():
    group = crowd()
    driver, agent = alone(group)
    assert (status(agent).asked_at, status(agent).read_at) == (None, None)
    driver.want(HEALTHY)
    driver.run(100)
    one = status(agent)
    assert one.asked_at is not None
    assert one.read_at is not None
    assert one.read_at - one.asked_at == pytest.approx(CALL_SECONDS)
    group.fail = throttled(Op.FIND)
    driver.run(1000)
    later = status(agent)
    assert later.asked_at is not None
    assert later.asked_at > one.asked_at + 100
    assert later.read_at is not None
    assert later.read_at <= one.read_at + 400


@pytest.mark.parametrize("ops", [(Op.FIND,), (Op.SET_WEIGHT,), (Op.ADD,), (Op.REMOVE,), tuple(Op)])
@pytest.mark.parametrize("kind", [ErrorKind.THROTTLED, ErrorKind.BUSY, ErrorKind.DENIED])
@pytest.mark.parametrize("wish", [HEALTHY, UNHEALTHY, HELD, LOWER, REMOVE])
def test_no_step_is_made_before_the_status_says(wish: Wish, kind: ErrorKind, ops: tuple[Op, ...]):
    """What the outlook names is what is made next, at that moment and not before."""
    group = crowd()
    driver, agent = alone(group)
    driver.want(HEALTHY if wish is not HEALTHY else UNKNOWN)
    driver.run(1)
    group.fail = lambda op: (failure(kind, 400), False) if op in ops else None
    driver.want(wish)
    told: list[tuple[float, Outlook]] = []
    for _ in range(700):
        driver.run(1)
        one = status(agent).outlook
        assert one is not None
        if one.waits_for is not WaitsFor.ANSWER:
            told.append((driver.now, one))
    steps = [(at, call.op) for at, call in agent.calls if call.op is not Op.HEALTH]
    kept = 0
    for now, one in told:
        following = [step for step in steps if step[0] > now] or [(0.0, Op.HEALTH)]
        at, op = following[0]
        if op is Op.FIND is not one.op and following[1:] and following[1][0] < at + 1:
            at, op = following[1]  # a write is made on what has just been read
        if op is one.op:  # no other answer came in between, which may change what is next
            due = now if one.at is None else max(now, one.at)
            assert due - 1e-6 <= at <= due + 1
            kept += 1
    assert kept > 0


@pytest.mark.parametrize(
    ("ops", "wish", "state"),
    [("add", HEALTHY, "failing"), ("set_weight", HEALTHY, "raising")],
)
def test_a_change_that_fails_shows_in_state_and_error(ops: str, wish: Wish, state: str):
    group = MemoryGroup({"i-other": member("i-other")})
    driver, agent = alone(group)
    if ops == "set_weight":
        driver.run(1)
    group.fail = lambda op: (failure(ErrorKind.BUSY, 409), False) if op.value == ops else None
    driver.want(wish)
    driver.run(5)
    assert status(agent).state == state
    assert "Busy" in status(agent).error
    assert not status(agent).in_service


def test_another_writers_repeated_change_is_a_conflict_until_it_ends():
    group = MemoryGroup({"i-other": member("i-other")})
    driver, agent = alone(group)
    driver.want(HEALTHY)
    driver.run(1)
    for _ in range(200):
        group.servers["i-self"] = member("i-self", 7)
        driver.run(1)
    assert status(agent).state == "conflict"
    assert status(agent).conflict
    assert status(agent).repairs == {"registration": 0, "weight": 3}
    group.servers["i-self"] = member("i-self")
    driver.run(120)
    assert status(agent).state == "in service"
    assert not status(agent).conflict


def test_calls_and_the_last_change_are_counted():
    driver, agent = alone(with_another())
    assert (status(agent).calls, status(agent).changed_at) == (0, None)
    driver.want(HEALTHY)
    driver.run(1)
    assert status(agent).calls == len(agent.calls)
    assert status(agent).changed_at == pytest.approx(1000.1)


def test_origin_and_server_are_told():
    _, agent = alone(with_another())
    assert (status(agent).origin, status(agent).server_id) == (Origin.TAGS, "i-self")
    assert status(agent).name == "clb/lb-1"


# The ports on which SLB reaches this VM


def test_ports_are_not_known_before_slb_has_told_of_this_vm():
    _, agent = alone(with_another())
    assert status(agent).backend_ports is None


def test_ports_are_those_of_the_listeners():
    driver, agent = alone(with_another())
    driver.run(1)
    assert status(agent).backend_ports == (PORT,)


def test_no_ports_are_taken_for_none_only_after_the_second_answer(clb: World):
    """The first answer after a registration may come before SLB knows of it."""
    clb.account.load_balancer("lb-1").listeners.clear()
    agent = clb.agent()
    clb.driver.run(1)
    assert status(agent).backend_ports is None
    clb.driver.run(6)
    assert status(agent).backend_ports == ()


def test_where_health_may_not_be_read_there_are_no_ports(clb: World):
    clb.refuse("Forbidden.RAM", 403, "DescribeHealthStatus")
    agent = clb.agent()
    clb.driver.run(1)
    assert status(agent).backend_ports == ()


def test_a_passing_failure_to_read_health_leaves_the_ports_unknown(clb: World):
    clb.refuse("Throttling", 400, "DescribeHealthStatus")
    agent = clb.agent()
    clb.driver.run(30)
    assert status(agent).backend_ports is None


def test_a_listener_is_good_when_it_sends_requests():
    one = ListenerHealth(80, "tcp", "i-self", PORT, "unavailable")
    assert not one.good
    assert ListenerHealth(80, "tcp", "i-self", PORT, "normal").good
    assert ListenerHealth(80, "tcp", "i-self", PORT, "unavailable", checked=False).good


REFUSED = failure(ErrorKind.DENIED, 403)


def never_in(agent: Agent, **journal: bool) -> str | None:
    """Why nothing is to be done in a drain, of a VM that was never seen in."""
    return describe(
        agent.registrar, CLB, "clb/lb-1", Origin.TAGS, **{"confirmed": False, **journal}
    ).barred


def test_who_was_never_in_and_may_not_look_has_nothing_to_drain():
    driver, agent = alone(MemoryGroup(fail=lambda op: (REFUSED, False)))
    driver.want(HEALTHY)
    driver.run(1)
    assert never_in(agent) is None  # there is no drain
    agent.registrar.want(LOWER)
    assert never_in(agent) is None  # it has not looked yet: keys may have been put right
    driver.want(LOWER)
    driver.run(1)
    assert "Denied" in never_in(agent)
    assert never_in(agent, confirmed=True) is None
    agent.registrar.want(REMOVE)
    assert "Denied" in never_in(agent)


def test_what_is_read_in_a_drain_decides():
    failing = [REFUSED]
    group = MemoryGroup(
        {"i-self": member("i-self")}, fail=lambda op: (failing[0], False) if failing else None
    )
    driver, agent = alone(group)
    driver.want(LOWER)
    driver.run(1)
    assert never_in(agent) is not None
    failing.clear()
    driver.run(20)
    assert never_in(agent) is None
    assert status(agent).lowered


@pytest.mark.parametrize("kind", [ErrorKind.UNAVAILABLE, ErrorKind.LOST, ErrorKind.THROTTLED])
def test_an_api_that_is_dead_says_nothing_of_this_vm(kind):
    driver, agent = alone(MemoryGroup(fail=lambda op: (failure(kind, 503), False)))
    driver.want(LOWER)
    driver.run(1)
    assert never_in(agent) is None


# A drain's weight 0


@pytest.mark.parametrize("wish", [LOWER, replace(LOWER, keep=True)])
def test_a_drain_sees_weight_0_before_it_says_so_and_looks_for_it_at_once(wish: Wish):
    """The API's word is not enough: before the service stops, no request may come any more."""
    driver, agent = alone(MemoryGroup({"i-self": member("i-self"), "i-other": member("i-other")}))
    driver.want(HEALTHY, agent)
    driver.run(60)
    began = driver.now
    driver.want(wish, agent)
    while not status(agent).lowered:
        driver.run(CALL_SECONDS)
    made = agent.ops(Op.FIND, Op.SET_WEIGHT, Op.REMOVE, since=began)
    assert made == [Op.FIND, Op.SET_WEIGHT, Op.FIND]
    assert driver.now - began < 5


def test_a_drain_does_not_wait_for_a_look_that_fails():
    failing = False

    def fail(op: Op):
        return (failure(ErrorKind.UNAVAILABLE, 503), False) if failing and op is Op.FIND else None

    group = MemoryGroup({"i-self": member("i-self"), "i-other": member("i-other")}, fail=fail)
    driver, agent = alone(group)
    driver.want(HEALTHY, agent)
    driver.run(60)
    driver.want(LOWER, agent)
    while agent.weight != 0:
        driver.run(CALL_SECONDS)
    failing = True
    driver.run(5)
    assert status(agent).lowered
