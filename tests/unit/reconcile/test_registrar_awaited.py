"""What a registrar does sooner after a start, and while post-start waits."""

from __future__ import annotations

import pytest
from tests.unit.driver import (
    HEALTHY,
    THIS_VM,
    Agent,
    Driver,
    MemoryGroup,
    World,
    alone,
    failure,
    gaps,
)

from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.operations import Op
from slb_registration.pacing.quotas import QUOTAS, Fleet


def expect(driver: Driver, agent: Agent, awaited: bool) -> None:
    """As a worker does: felt at once where it begins."""
    agent.registrar.expect(awaited)
    if awaited and agent.answer is None:
        agent.due = driver.now


# SLB's health of a VM that is in the group already at start


@pytest.mark.parametrize("weight", [0, 100])
def test_of_a_vm_that_is_there_at_start_normal_is_noticed_within_5_seconds(
    clb: World, weight: int
) -> None:
    clb.put_in("i-self", weight, "bosh/spec-1")
    clb.account.force_health("i-self", "abnormal")
    agent = clb.agent()
    clb.driver.run(2)
    clb.driver.want(HEALTHY)
    clb.driver.run(38)
    clb.account.force_health("i-self", "normal")
    clb.driver.run(5.2)
    assert [item.status for item in agent.registrar.slb_health.listeners] == ["normal"]
    reads = agent.times(Op.HEALTH)
    assert all(4.9 <= gap <= 5.3 for gap in gaps(reads)[2:])  # the first follow start and change


def test_of_a_vm_that_is_there_at_start_health_is_read_often_for_two_minutes_only(
    clb: World,
) -> None:
    clb.put_in("i-self", 100, "bosh/spec-1")
    clb.account.force_health("i-self", "abnormal")
    agent = clb.agent()
    clb.driver.want(HEALTHY)
    clb.driver.run(3600)
    times = agent.times(Op.HEALTH)
    assert 20 <= len([at for at in times if at <= 1125]) <= 27
    assert all(gap >= 47 for gap in gaps([at for at in times if at > 1140]))


def test_where_it_is_normal_at_start_nothing_is_read_more_often(clb: World) -> None:
    clb.put_in("i-self", 100, "bosh/spec-1")
    clb.account.force_health("i-self", "normal")
    agent = clb.agent()
    clb.driver.want(HEALTHY)
    clb.driver.run(120)
    assert len(agent.times(Op.HEALTH)) <= 3


def test_a_fleet_that_starts_as_a_whole_leaves_its_quota_room() -> None:
    """All of them are in the group and not normal, and no quota on writes keeps them apart."""
    for product, quota in QUOTAS.items():
        size = 1000
        group = MemoryGroup({"i-self": THIS_VM.server(100)})
        group.health = lambda *_: ()  # type: ignore[method-assign]
        driver, agent = alone(group, fleet=Fleet(size, quota))
        agent.registrar.slb_health.awaited = True
        driver.want(HEALTHY)
        driver.run(3600)
        made = len(agent.times(Op.HEALTH)) * size / 60
        assert made <= quota.health / 2, product


# While post-start waits


def test_post_start_may_begin_late_and_health_is_read_at_once_and_every_5_seconds(
    clb: World,
) -> None:
    agent = clb.agent()
    clb.account.force_health("i-self", "abnormal")
    clb.driver.want(HEALTHY)
    clb.driver.run(1800)
    begins = clb.driver.now
    expect(clb.driver, agent, awaited=True)
    clb.driver.run(60)
    reads = agent.times(Op.HEALTH, since=begins)
    assert reads[0] - begins < 0.2
    assert len(reads) >= 11
    assert all(4.9 <= gap <= 5.3 for gap in gaps(reads))

    agent.registrar.expect(False)
    clb.driver.run(300)
    ends = clb.driver.now
    clb.driver.run(1800)
    assert all(gap >= 47 for gap in gaps(agent.times(Op.HEALTH, since=ends)))


def test_while_it_waits_a_vm_that_is_normal_costs_no_more_than_at_rest(clb: World) -> None:
    agent = clb.serving()
    clb.driver.run(1800)
    begins = clb.driver.now
    expect(clb.driver, agent, awaited=True)
    clb.driver.run(60)
    assert len(agent.ops(since=begins)) <= 2


@pytest.mark.parametrize("op", [Op.FIND, Op.ADD, Op.SET_WEIGHT, Op.HEALTH])
@pytest.mark.parametrize(
    "error",
    [
        failure(Kind.DENIED, 403, "Forbidden.RAM"),
        failure(Kind.NOT_FOUND, 404),
        failure(Kind.INVALID),
        failure(Kind.CREDENTIALS),
        failure(Kind.CLOCK),
        failure(Kind.UNAVAILABLE, 503),
        failure(Kind.LOST, None),
        failure(Kind.BUSY, 409),
    ],
    ids=lambda error: error.kind.value,
)
def test_a_repair_is_seen_within_seconds_whatever_was_wrong(op: Op, error: ApiError) -> None:
    broken = True
    group = MemoryGroup(fail=lambda call: (error, False) if broken and call is op else None)
    driver, agent = alone(group)
    driver.run(2)
    driver.want(HEALTHY)
    driver.run(400)  # retries are rare by now
    expect(driver, agent, awaited=True)
    driver.run(50)
    tries = agent.times(op, since=1402)
    assert tries[0] - 1402 < 0.5
    assert max(gaps(tries)) <= 5.5
    assert agent.registrar.failures.errors
    broken = False
    driver.run(5.5)
    assert not agent.registrar.failures.errors
    assert agent.weight == 100


def test_a_refusal_for_throttling_keeps_its_turn(clb: World) -> None:
    agent = clb.agent(fleet=Fleet(1000))
    clb.refuse("Throttling.User", action="Add*")
    clb.driver.want(HEALTHY)
    clb.driver.run(5)
    turn = agent.registrar.pacer.not_before(Op.ADD)
    assert agent.registrar.pacer.queued(Op.ADD)
    agent.registrar.expect(True)
    assert agent.registrar.pacer.not_before(Op.ADD) == turn


def test_in_a_large_fleet_a_repair_is_seen_before_post_start_ends() -> None:
    """That is after 30 s of the same answer."""
    denied = (failure(Kind.DENIED, 403), False)
    driver, agent = alone(MemoryGroup(fail=lambda _: denied), fleet=Fleet(10_000))
    agent.registrar.expect(True)
    driver.run(600)
    assert all(9.9 <= gap <= 10.1 for gap in gaps(agent.times(Op.FIND)))
