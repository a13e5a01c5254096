"""What a drain takes for seen, and what a registrar remembers of calls that failed."""

from __future__ import annotations

import pytest
from tests.unit.driver import (
    HEALTHY,
    HELD,
    LOWER,
    REMOVE,
    UNKNOWN,
    Agent,
    Driver,
    Refusing,
    alone,
    member,
    status,
)

from slb_registration.model.desired import Wish
from slb_registration.model.errors import Kind
from slb_registration.model.operations import Op


def serving() -> tuple[Refusing, Driver, Agent]:
    group = Refusing(members=["i-other"])
    driver, agent = alone(group)
    driver.want(HEALTHY)
    driver.run(60)
    assert status(agent).in_service
    return group, driver, agent


def denied(op: Op, wish: Wish) -> tuple[Refusing, Driver, Agent]:
    """One that served, and may not do what this wish needs."""
    group, driver, agent = serving()
    group.refuse(op, Kind.DENIED)
    driver.want(wish)
    driver.run(1)
    assert status(agent).error is not None
    return group, driver, agent


def test_of_weight_0_the_apis_word_will_do_once_a_look_at_it_has_failed():
    group, driver, agent = serving()
    group.refuse(Op.FIND, Kind.UNAVAILABLE)
    driver.want(LOWER)
    driver.run(1)
    assert agent.writes() == [Op.ADD, Op.SET_WEIGHT]
    assert status(agent).lowered


def test_a_look_that_failed_before_the_drain_began_is_none_at_what_the_drain_has_done():
    group, driver, agent = serving()
    group.refuse(Op.FIND, Kind.UNAVAILABLE)
    driver.run(60)
    assert agent.registrar.unread is not None
    group.refused.clear()
    driver.want(LOWER)
    agent.turn(driver.now)
    assert agent.registrar.unread is None


@pytest.mark.parametrize("before", [HEALTHY, HELD])
def test_it_is_seen_before_it_is_said_where_reads_come_through_again(before):
    group, driver, agent = serving()
    driver.want(before)
    driver.run(60)
    group.refuse(Op.FIND, Kind.UNAVAILABLE)
    driver.want(LOWER)
    agent.turn(driver.now)
    assert agent.registrar.unread is None
    driver.run(1)
    assert agent.registrar.unread is not None
    group.refused.clear()
    driver.run(60)
    assert agent.registrar.unread is None
    assert status(agent).lowered
    driver.want(REMOVE)
    driver.run(60)
    assert status(agent).removed


def test_what_keeps_a_drain_from_looking_is_not_forgotten_between_its_phases():
    group, driver, agent = serving()
    group.refuse(Op.FIND, Kind.DENIED)
    driver.want(LOWER)
    driver.run(1)
    driver.want(REMOVE)
    agent.registrar.want(REMOVE)
    assert agent.registrar.unread is not None


def test_what_slb_said_of_a_vm_that_has_left_is_forgotten():
    _, driver, agent = serving()
    assert status(agent).health
    driver.want(REMOVE)
    driver.run(60)
    assert status(agent).removed
    assert status(agent).health == ()
    assert agent.registrar.slb_health.reads == 0


def test_a_registration_that_failed_hinders_no_drain_and_has_not_recovered():
    group = Refusing(Op.ADD, members=["i-other"], kind=Kind.DENIED)
    driver, agent = alone(group)
    driver.run(1)
    assert status(agent).error is not None
    driver.want(LOWER)
    driver.run(1)
    assert status(agent).error is None
    assert agent.said("recovered") == []


def test_a_weight_that_another_has_set_succeeded():
    group, driver, agent = denied(Op.SET_WEIGHT, HELD)
    group.servers["i-self"] = member("i-self", 0)
    driver.run(600)
    assert status(agent).error is None
    assert agent.calls[-1][1].op is not Op.SET_WEIGHT
    assert len(agent.said("recovered")) == 1


def test_a_removal_that_another_has_made_succeeded():
    group, driver, agent = denied(Op.REMOVE, REMOVE)
    del group.servers["i-self"]
    driver.run(600)
    assert status(agent).error is None
    assert len(agent.said("recovered")) == 1


def test_calls_are_counted_and_the_moments_of_the_last_are_told():
    group = Refusing(members=["i-other"])
    driver, agent = alone(group)
    assert (status(agent).calls, status(agent).asked_at) == (0, None)
    driver.want(UNKNOWN)
    driver.run(100)
    driver.want(HEALTHY)
    group.refuse(Op.FIND, Kind.UNAVAILABLE)
    driver.run(60)
    assert status(agent).calls == len(agent.calls)
    assert status(agent).asked_at == agent.times(Op.FIND)[-1]
    assert agent.registrar.began_at == agent.calls[-1][0]


def test_a_failure_is_told_with_the_seconds_until_the_next_try():
    group, driver, agent = serving()
    group.refuse(Op.FIND, Kind.UNAVAILABLE)
    driver.run(600)
    (told, event), *_ = [
        (at, event) for at, event in agent.events if event.message == "a call failed"
    ]
    following = next(at for at in agent.times(Op.FIND) if at > told)
    assert event.fields["next_try_seconds"] == pytest.approx(following - told, abs=0.1)
