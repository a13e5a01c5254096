"""Products that change asynchronously (ALB, NLB), and groups that are being changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.driver import (
    HEALTHY,
    LOWER,
    REMOVE,
    UNHEALTHY,
    MemoryGroup,
    alone,
    busiest_minute,
    failure,
    member,
)

from slb_registration.model.configuration import GroupSpec
from slb_registration.model.desired import Wish
from slb_registration.model.errors import Kind
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Op
from slb_registration.model.status import Origin
from slb_registration.reconcile.observed_state import Place
from slb_registration.reporting.group_status import describe
from slb_registration.reporting.reasons import reason

SPEC = GroupSpec("alb", None, None, 8080, 100, None, server_group_id="sgp-1")


@pytest.mark.parametrize("settles", [1, 2, 5])
def test_a_change_under_way_is_looked_up_and_not_made_again(settles: int):
    group = MemoryGroup({"i-other": member("i-other")}, settles=settles)
    driver, agent = alone(group)
    driver.want(HEALTHY)
    driver.run(60)
    assert agent.writes() == [Op.ADD]
    assert agent.registrar.group.settled
    assert group.servers["i-self"] == member("i-self")

    driver.want(UNHEALTHY)
    driver.run(60)
    driver.want(REMOVE)
    driver.run(60)
    assert agent.writes() == [Op.ADD, Op.SET_WEIGHT, Op.REMOVE]
    assert agent.registrar.group.at_least(Place.LEFT)
    assert set(group.servers) == {"i-other"}


def test_a_change_under_way_is_looked_up_after_a_second_and_then_ever_less():
    """It is never done in the moment in which it was accepted, and reads have quotas."""
    driver, agent = alone(MemoryGroup(settles=3))
    driver.want(HEALTHY)
    driver.run(20)
    (added,) = agent.times(Op.ADD)
    looks = [at - added for at in agent.times(Op.FIND) if at > added]
    assert looks == pytest.approx([1, 3, 7, 13], abs=0.5)


def test_a_change_under_way_is_no_success_yet():
    group = MemoryGroup({"i-other": member("i-other")}, settles=100)
    driver, agent = alone(group)
    driver.want(HEALTHY)
    driver.run(60)
    assert not agent.registrar.group.settled
    driver.want(REMOVE)
    driver.run(60)
    assert agent.writes() == [Op.ADD]
    assert not agent.registrar.group.at_least(Place.LEFT)


def test_a_wish_that_changes_meanwhile_waits_for_the_change_under_way():
    group = MemoryGroup({"i-a": member("i-a"), "i-b": member("i-b")}, settles=3)
    driver, agent = alone(group)
    driver.want(HEALTHY)
    driver.run(1)
    driver.want(UNHEALTHY)
    driver.run(1)
    assert agent.writes() == [Op.ADD]
    driver.run(60)
    assert agent.writes() == [Op.ADD, Op.SET_WEIGHT]
    assert group.servers["i-self"].weight == 0


def test_a_busy_group_is_waited_for():
    group = MemoryGroup()
    group.busy = True
    driver, agent = alone(group)
    driver.want(HEALTHY)
    driver.run(60)
    assert agent.writes() == []
    assert not agent.registrar.group.settled

    group.busy = False
    driver.run(31)
    assert agent.writes() == [Op.ADD]


def test_a_group_that_stays_busy_is_looked_at_ever_less():
    group = MemoryGroup()
    group.busy = True
    driver, agent = alone(group)
    driver.run(3600)
    assert len([at for at in agent.times(Op.FIND) if at < 1010]) >= 3
    assert len(agent.times(Op.FIND, since=4000)) <= 600 / 30 + 1


def test_a_predecessor_under_way_is_left_to_it():
    group = MemoryGroup({"i-old": member("i-old", 100, "bosh/x")})
    group.servers["i-old"] = group.servers["i-old"].__class__(
        "i-old", None, 100, "bosh/x", state="removing"
    )
    driver, agent = alone(group, Identity("i-self", None, 100, "bosh/x", replaces=True))
    driver.want(HEALTHY)
    driver.run(60)
    assert agent.writes() == [Op.ADD]


@pytest.mark.parametrize("state", ["draining", "removing"])
def test_a_server_that_is_being_taken_out_for_minutes_is_lowered_and_then_as_good_as_gone(state):
    """With connection draining it is listed until its connections have ended."""
    group = MemoryGroup()
    driver, agent = alone(group)
    driver.want(HEALTHY)
    driver.run(5)
    group.servers["i-self"] = replace(group.servers["i-self"], state=state)
    driver.want(LOWER)
    driver.run(2)
    known = agent.registrar.group
    assert known.at_least(Place.LOWERED)
    assert not known.at_least(Place.LEFT)
    driver.want(REMOVE)
    driver.run(10)
    assert known.at_least(Place.LEFT)
    assert not known.forgettable  # it is still listed: the journal goes on knowing of it
    assert agent.writes() == [Op.ADD]
    del group.servers["i-self"]
    driver.run(60)
    assert known.forgettable


def test_a_vm_that_was_taken_out_by_another_writer_comes_back_once_it_is_gone():
    group = MemoryGroup()
    driver, agent = alone(group)
    driver.want(HEALTHY)
    driver.run(60)
    group.servers["i-self"] = replace(group.servers["i-self"], state="draining")
    driver.run(120)
    assert agent.writes() == [Op.ADD]
    status = describe(agent.registrar, SPEC, "g", Origin.MANIFEST)
    assert status.state == "being taken out"
    assert not status.in_service
    assert "registers again once that is done" in str(reason(status, ()))
    (told,) = agent.said("SLB is still taking this VM out: it registers again once that is done")
    assert (told.level, told.fields) == ("warning", {"state": "draining"})
    del group.servers["i-self"]
    driver.run(60)
    assert agent.writes() == [Op.ADD, Op.ADD]
    assert group.servers["i-self"].weight == 100
    assert describe(agent.registrar, SPEC, "g", Origin.MANIFEST).state == "in service"


def test_a_removal_that_takes_a_moment_is_not_told():
    """With on_unhealthy `remove`, and a service that is well again at once."""
    group = MemoryGroup({"i-other": member("i-other")}, settles=1)
    driver, agent = alone(group)
    driver.want(HEALTHY)
    driver.run(30)
    driver.want(REMOVE)
    driver.run(1)
    driver.want(HEALTHY)
    driver.run(30)
    assert group.servers["i-self"].weight == 100
    assert [event for _, event in agent.events if event.level == "warning"] == []


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("leave", [LOWER, REMOVE])
@pytest.mark.parametrize("hidden", [1, 3, 6])
def test_leaving_that_reads_do_not_show_yet_is_not_hammered(hidden: int, leave: Wish, keep: bool):
    """Found by this test: removal and read took turns as fast as the API answered. Then weight 0
    and read did, once a second."""
    group = MemoryGroup()
    driver, agent = alone(group)
    driver.want(HEALTHY)
    driver.run(5)
    group.hide(hidden)
    start = driver.now
    driver.want(replace(leave, keep=keep))
    driver.run(120)

    assert agent.registrar.group.out_as_wanted
    assert agent.registrar.group.settled
    assert len(agent.writes(since=start)) <= 1 + hidden // 2
    assert busiest_minute(agent) <= 25


@pytest.mark.parametrize("leave", [LOWER, REMOVE])
def test_leaving_that_is_never_brought_about_is_asked_for_ever_less(leave: Wish):
    group = MemoryGroup()
    driver, agent = alone(group)
    driver.want(HEALTHY)
    driver.run(5)
    group.hide(10**9)
    driver.want(leave)
    driver.run(3600)
    start = driver.now
    driver.run(600)
    assert not agent.registrar.group.at_least(Place.SEEN_LOWERED)
    assert len(agent.writes(since=start)) <= 600 / 20
    assert busiest_minute(agent) <= 40


def test_an_addition_that_reads_do_not_show_yet_is_not_made_twice_at_once():
    group = MemoryGroup(settles=1)
    group.hide(3)  # the first read of all among them
    driver, agent = alone(group)
    driver.want(HEALTHY)
    driver.run(60)
    assert agent.writes() == [Op.ADD]
    assert agent.registrar.group.settled


def test_a_change_of_a_drain_is_looked_up_soon_though_the_one_before_it_was_waited_for_long():
    """The wish changed before the first was seen; it counted as not seen until all was done."""
    refused = True
    group = MemoryGroup(
        {"i-other": member("i-other")},
        fail=lambda op: (
            (failure(Kind.CONFLICT), False) if op is Op.SET_WEIGHT and refused else None
        ),
        settles=2,
    )
    driver, agent = alone(group)
    driver.want(HEALTHY)
    driver.run(1)
    driver.want(LOWER)
    driver.run(120)
    refused = False
    driver.run(20)
    lowered = agent.times(Op.SET_WEIGHT)[-1]
    looks = [at - lowered for at in agent.times(Op.FIND) if at > lowered]
    assert looks[:3] == pytest.approx([1, 3, 7], abs=0.5)
