"""How often a registrar calls, and how it treats other writers."""

from __future__ import annotations

import pytest
from tests.unit.driver import (
    HEALTHY,
    HELD,
    LOWER,
    REMOVE,
    UNHEALTHY,
    Driver,
    MemoryGroup,
    World,
    alone,
    busiest_minute,
    gaps,
    member,
    status,
)

from slb_registration.model.desired import Policy
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Op
from slb_registration.pacing.quotas import Fleet

HOUR = 3600.0
CONFLICT = "another writer keeps changing this VM's registration: left alone for a while"


# At rest


def test_at_rest_a_round_costs_one_read_and_polls_stretch_to_300_seconds(clb: World):
    agent = clb.serving()
    clb.driver.run(HOUR)
    start = clb.driver.now
    clb.driver.run(5 * HOUR)

    polls = gaps(agent.times(Op.FIND, since=start))
    assert all(240 <= gap <= 360.1 for gap in polls)
    assert 50 <= len(polls) <= 75
    assert max(polls) - min(polls) > 30  # a fleet does not poll in step
    assert agent.writes(since=start) == []


def test_at_rest_reads_of_slbs_health_stretch_from_a_minute_to_300_seconds_as_polls_do(clb: World):
    agent = clb.serving()
    clb.driver.run(5 * HOUR)

    reads = gaps(agent.times(Op.HEALTH))
    assert 48 <= reads[0] <= 72.1
    assert 96 <= reads[1] <= 144.1
    assert all(240 <= gap <= 360.1 for gap in reads[4:])
    polls = agent.times(Op.FIND, since=HOUR)
    assert len(agent.times(Op.HEALTH, since=HOUR)) <= 1.1 * len(polls) + 1


def test_news_of_slbs_health_brings_its_reads_back_to_one_a_minute(clb: World):
    agent = clb.serving()
    clb.driver.run(HOUR)
    clb.account.force_health("i-self", "abnormal")
    changed = clb.driver.now
    clb.driver.run(HOUR)
    seen, following, *_ = agent.times(Op.HEALTH, since=changed)
    assert following - seen <= 72.1


def test_at_rest_a_fleet_uses_less_than_half_of_its_read_quota(clb: World):
    agent = clb.serving(fleet=Fleet(27_000))  # the quota is 3,000 a minute for each action
    clb.driver.run(HOUR)
    start = clb.driver.now
    clb.driver.run(50 * HOUR)
    for op in (Op.FIND, Op.HEALTH):
        reads = gaps(agent.times(op, since=start))
        assert 1140 <= sum(reads) / len(reads) <= 1260, op
        assert all(960 <= gap <= 1440.1 for gap in reads), op


def test_the_first_polls_after_a_change_come_at_the_reconcile_interval(clb: World):
    agent = clb.serving(interval=30)
    clb.driver.run(HOUR)
    polls = gaps(agent.times(Op.FIND))
    assert 24 <= polls[0] <= 36.1
    assert 24 <= polls[1] <= 72.1
    assert polls[-1] >= 240


def test_a_long_reconcile_interval_is_not_shortened(clb: World):
    agent = clb.serving(interval=900)
    clb.driver.run(2 * HOUR)
    assert all(720 <= gap <= 1080.1 for gap in gaps(agent.times(Op.FIND)))


def test_changes_of_other_servers_bring_the_polls_back_to_the_interval(clb: World):
    agent = clb.serving()
    clb.driver.run(2 * HOUR)
    clb.set_weight(1, "i-other-1")
    changed = clb.driver.now
    clb.driver.run(HOUR)
    seen, following, *_ = agent.times(Op.FIND, since=changed)
    assert following - seen <= 36.1


def test_the_order_of_an_answer_is_no_change():
    group = MemoryGroup({name: member(name) for name in ("i-a", "i-b", "i-c")})
    real = group.find

    def turned():
        group.servers = dict(reversed(group.servers.items()))
        return real()

    group.find = turned  # type: ignore[method-assign]
    driver, agent = alone(group, Identity("i-a", None, 100))
    driver.want(HEALTHY)
    driver.run(HOUR)
    start = driver.now
    driver.run(HOUR)
    assert len(agent.times(Op.FIND, since=start)) <= 15


# While something changes


def test_slbs_health_is_read_every_5_seconds_until_it_is_normal_then_once_a_minute(clb: World):
    agent = clb.agent()
    clb.driver.want(HEALTHY)
    clb.driver.run(31)
    reads = gaps(agent.times(Op.HEALTH))
    assert len(reads) >= 5
    assert all(4.9 <= gap <= 5.3 for gap in reads)

    clb.account.force_health("i-self", "normal")
    clb.driver.run(180)
    assert 2 <= len(agent.times(Op.HEALTH, since=1031 + 6)) <= 4
    assert [item.status for item in agent.registrar.slb_health.listeners] == ["normal"]


def test_after_a_change_slbs_health_is_read_at_once_although_it_was_at_rest(clb: World):
    agent = clb.serving()
    clb.driver.run(130)
    before = clb.driver.now
    clb.driver.want(UNHEALTHY)
    clb.driver.run(1)
    assert agent.ops(Op.FIND, Op.SET_WEIGHT, Op.HEALTH, since=before) == [
        Op.FIND,
        Op.SET_WEIGHT,
        Op.HEALTH,
    ]


def test_health_that_never_becomes_normal_is_read_often_for_two_minutes_only(clb: World):
    agent = clb.agent()
    clb.account.force_health("i-self", "abnormal")
    clb.driver.want(HEALTHY)
    clb.driver.run(HOUR)
    assert 20 <= len([at for at in agent.times(Op.HEALTH) if at <= 1125]) <= 26
    assert all(gap >= 59 for gap in gaps(agent.times(Op.HEALTH, since=1140)))


def test_a_change_of_slbs_health_is_told_with_what_was_before(clb: World):
    agent = clb.serving()
    clb.driver.run(120)
    clb.account.force_health("i-self", "abnormal")
    clb.driver.run(61)
    news = agent.said("SLB reports this VM's health")
    assert [(event.fields["before"], event.fields["status"]) for event in news] == [
        (None, "normal"),
        ("normal", "abnormal"),
    ]


def test_health_is_not_asked_for_a_vm_that_is_not_registered(clb: World):
    agent = clb.agent()
    clb.driver.want(HELD)
    clb.driver.run(HOUR)
    assert agent.times(Op.HEALTH) == []


# Other writers


def meddle(clb: World, times: int, change) -> None:
    """Change something so many times, each time as soon as the agent has repaired it."""
    for _ in range(times):
        change()
        for _ in range(100):
            clb.driver.run(1)
            if clb.weight() == 100:
                break


def test_after_the_third_repair_of_a_field_in_ten_minutes_it_is_left_alone_for_ten(clb: World):
    agent = clb.serving()
    meddle(clb, 4, lambda: clb.set_weight(7))

    assert clb.weight() == 7
    assert agent.registrar.repairs["weight"].total == 3
    warnings = agent.said(
        "another writer keeps changing this VM's registration: left alone for a while"
    )
    assert len(warnings) == 1
    assert warnings[0].level == "warning"
    assert warnings[0].fields["field"] == "weight"
    third = agent.times(Op.SET_WEIGHT)[-1]
    told = next(at for at, event in agent.events if event is warnings[0])
    assert warnings[0].fields["seconds"] == pytest.approx(third + 600 - told, abs=1)

    clb.driver.run(third + 599 - clb.driver.now)
    assert clb.weight() == 7
    clb.driver.run(2)
    assert clb.weight() == 100
    assert agent.registrar.repairs["weight"].total == 4
    assert len(agent.said(warnings[0].message)) == 1


def test_fields_are_counted_apart(clb: World):
    agent = clb.serving()
    meddle(clb, 4, lambda: clb.set_weight(7))
    assert clb.weight() == 7

    clb.take_out()
    clb.driver.run(40)
    assert clb.weight() == 100  # put back, and with its weight
    assert agent.registrar.repairs["registration"].total == 1


def test_a_vm_that_is_removed_again_and_again_is_left_out_for_ten_minutes(clb: World):
    agent = clb.serving()
    meddle(clb, 4, clb.take_out)
    assert clb.weight() is None
    assert agent.registrar.repairs["registration"].total == 3
    clb.driver.run(640)
    assert clb.weight() == 100


def test_repairs_that_are_far_apart_go_on_for_ever(clb: World):
    agent = clb.serving()
    for _ in range(12):
        clb.set_weight(7)
        clb.driver.run(400)
    assert agent.registrar.repairs["weight"].total == 12
    assert clb.weight() == 100


@pytest.mark.parametrize(("wish", "weight"), [(UNHEALTHY, 0), (HELD, 0), (REMOVE, None)])
def test_what_is_left_alone_is_still_lowered_and_drained(clb: World, wish, weight):
    clb.serving()
    meddle(clb, 4, lambda: clb.set_weight(7))
    clb.driver.want(wish)
    clb.driver.run(2)
    assert clb.weight() == weight


def test_a_conflict_that_the_other_writer_ends_is_over(clb: World):
    # Found by this test: the status said `conflict` for ever.
    agent = clb.serving()
    meddle(clb, 4, lambda: clb.set_weight(7))
    assert agent.registrar.conflict_until is not None
    clb.set_weight(100)
    clb.driver.run(40)
    assert agent.registrar.conflict_until is None
    assert agent.registrar.group.settled


def test_a_conflict_costs_no_more_than_the_polls(clb: World):
    agent = clb.serving()
    meddle(clb, 4, lambda: clb.set_weight(7))
    start = clb.driver.now
    clb.driver.run(300)
    assert len(agent.times(Op.FIND, since=start)) <= 300 / 24 + 1


def test_what_this_vm_itself_wants_otherwise_is_no_drift(clb: World):
    agent = clb.serving()
    for wish in (UNHEALTHY, HEALTHY) * 10:
        clb.driver.want(wish)
        clb.driver.run(5)
    assert {one.total for one in agent.registrar.repairs.values()} == {0}
    assert agent.registrar.conflict_until is None


def test_two_agents_with_the_same_spec_id_do_not_fight_for_ever():
    """Two VMs that take each other for the predecessor: each puts itself back three times."""
    driver, servers = Driver(), {}
    for name in ("i-one", "i-twin"):
        me = Identity(name, None, 100, "bosh/spec-1", replaces=True)
        driver.join(MemoryGroup(servers), me)
    driver.want(HEALTHY)
    driver.run(HOUR)
    assert max(busiest_minute(agent) for agent in driver.agents) <= 40
    assert sum(len(agent.writes()) for agent in driver.agents) <= 90


def test_a_server_group_that_flaps_is_not_called_more_than_the_polls_allow(clb: World):
    agent = clb.serving()
    for _ in range(60):
        clb.driver.run(7)
        clb.set_weight(0 if clb.weight() else 100)
    assert busiest_minute(agent) <= 20


# What the status makes of it


def test_a_vm_is_in_service_only_when_all_is_as_it_should_be(clb: World):
    agent = clb.agent()
    assert not status(agent).in_service
    clb.driver.run(1)
    assert not status(agent).in_service
    clb.driver.want(HEALTHY)
    clb.driver.run(1)
    assert status(agent).in_service
    clb.set_weight(7)
    clb.driver.run(24)
    clb.driver.want(HELD)
    clb.driver.run(1)
    assert not status(agent).in_service


def test_a_drain_counts_only_what_was_seen_since_it_began(clb: World):
    """A read from before the drain may be five minutes old: someone may have added the VM."""
    agent = clb.serving(policy=Policy("remove", 50))
    clb.driver.want(UNHEALTHY)
    clb.driver.run(HOUR)
    assert not status(agent).removed
    assert not status(agent).lowered

    clb.driver.want(LOWER)
    clb.driver.run(1)
    assert status(agent).removed
    assert status(agent).lowered
