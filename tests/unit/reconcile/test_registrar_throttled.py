"""A registrar whose calls are refused for throttling: the first try is at once, others in turn."""

from __future__ import annotations

import itertools

import pytest
from tests.unit.driver import (
    HEALTHY,
    HELD,
    LOWER,
    REMOVE,
    UNHEALTHY,
    UNKNOWN,
    Agent,
    Driver,
    Refusing,
    alone,
    member,
)

from slb_registration.model.errors import Kind
from slb_registration.model.operations import Op
from slb_registration.pacing.quotas import Fleet
from slb_registration.reconcile.observed_state import Place

FLEET = Fleet(10_000)
WHOLE = 10_000 / 1.5 - 60
EARLY = 1.75 * 500 / 1.5


Tried = tuple["Refusing", Driver, Agent]


def serving(group: Refusing, fleet: Fleet = FLEET) -> tuple[Driver, Agent]:
    group.servers = {f"i-{number}": member(f"i-{number}") for number in range(4)}
    group.servers["i-self"] = member("i-self")
    driver, agent = alone(group, fleet=fleet, served=True)
    driver.want(HEALTHY)
    driver.run(3600)
    assert agent.weight == 100
    return driver, agent


def refused(*ops: Op, seconds: float, fleet: Fleet = FLEET, seed: int = 0) -> Tried:
    """A healthy VM that has tried to join for so long, while these calls were refused."""
    group = Refusing(*ops)
    driver, agent = alone(group, fleet=fleet, seed=seed)
    driver.want(HEALTHY)
    driver.run(seconds)
    return group, driver, agent


def since_start(agent: Agent, *ops: Op) -> list[float]:
    return [at - 1000.0 for at in agent.times(*ops)]


@pytest.mark.parametrize("seed", range(5))
def test_the_first_try_is_at_once_and_each_later_one_in_its_window(seed: int):
    _, _, agent = refused(Op.ADD, seconds=3 * WHOLE, seed=seed)
    first, second, third, fourth, *_ = since_start(agent, Op.ADD)
    assert first < 1
    assert first < second <= EARLY + 1
    assert EARLY <= third <= WHOLE + 1
    assert WHOLE <= fourth <= 1.1 * WHOLE + 1


def test_nobody_waits_where_nothing_is_refused():
    driver, agent = alone(Refusing(), fleet=FLEET)
    driver.want(HEALTHY)
    driver.run(1)
    assert agent.writes() == [Op.ADD]
    assert agent.weight == 100


def test_a_fleet_that_fits_the_quota_tries_again_within_seconds():
    _, _, agent = refused(Op.ADD, seconds=60, fleet=Fleet(90))
    assert len(agent.writes()) >= 4


def test_before_each_later_try_the_group_is_read_again():
    _, _, agent = refused(Op.ADD, seconds=1.1 * WHOLE + 1)
    reads = agent.times(Op.FIND)
    assert len(agent.times(Op.ADD)) == 4
    for at in agent.times(Op.ADD):
        assert any(at - 30 <= read <= at for read in reads)


def test_a_waiting_vm_polls_as_seldom_as_one_at_rest_whatever_others_do():
    group = Refusing(Op.ADD)
    driver, agent = alone(group, fleet=FLEET)
    driver.want(HEALTHY)
    for number in range(60):
        driver.run(100)
        group.servers[f"i-{number}"] = member(f"i-{number}")
    assert len(agent.times(Op.FIND)) <= 6000 / 320 + 4


def test_one_that_becomes_healthy_while_it_waits_keeps_its_turn_and_comes_with_its_weight():
    group = Refusing(Op.ADD)
    driver, agent = alone(group, fleet=FLEET)
    driver.want(UNKNOWN)
    driver.run(1)
    group.refused.clear()
    turn = agent.registrar.pacer.not_before(Op.ADD)
    driver.want(HEALTHY)
    driver.run(turn - driver.now - 0.1)
    assert agent.ops(Op.ADD) == [Op.ADD]
    assert len(agent.times(Op.FIND)) <= 4
    driver.run(1)
    assert agent.writes() == [Op.ADD, Op.ADD]
    assert agent.weight == 100


def test_after_a_refused_read_the_write_waits_for_its_turn_instead_of_being_refused_too():
    group, driver, agent = refused(Op.FIND, seconds=0.2)
    group.refused.clear()
    turn = agent.registrar.pacer.not_before(Op.ADD)
    driver.run(turn - driver.now - 0.1)
    assert agent.writes() == []
    driver.run(160)  # the read before it may come later
    assert agent.writes() == [Op.ADD]


def test_after_a_refused_read_of_a_fleet_that_fits_the_quota_the_write_is_at_once():
    group, driver, agent = refused(Op.FIND, seconds=0.2, fleet=Fleet(90))
    group.refused.clear()
    driver.run(16)
    assert agent.writes() == [Op.ADD]


def test_a_refused_poll_at_rest_delays_nothing_else():
    driver, agent = serving(Refusing())
    agent.group.refused = {Op.FIND}  # type: ignore[attr-defined]
    while Op.FIND not in agent.registrar.failures.errors:
        driver.run(10)
    agent.group.refused = set()  # type: ignore[attr-defined]
    start_of_trouble = driver.now
    driver.want(UNHEALTHY)
    driver.run(1)
    assert agent.writes(since=start_of_trouble) == [Op.SET_WEIGHT]


@pytest.mark.parametrize(("wish", "op"), [(LOWER, Op.SET_WEIGHT), (HELD, Op.SET_WEIGHT)])
def test_a_drain_and_a_hold_try_at_once_then_within_a_minute_then_in_turn(wish, op):
    driver, agent = serving(Refusing(Op.SET_WEIGHT, Op.REMOVE))
    began = driver.now
    driver.want(wish)
    driver.run(1.2 * WHOLE)
    first, second, third, *_ = [at - began for at in agent.times(op, since=began)]
    assert first < 1
    assert second <= 61
    assert 60 <= third <= WHOLE + 1


def test_the_removal_of_a_drain_is_tried_at_once_although_the_lowering_still_waits():
    driver, agent = serving(Refusing(Op.SET_WEIGHT))
    driver.want(LOWER)
    driver.run(105)
    driver.want(REMOVE)
    driver.run(1)
    assert agent.weight is None


def test_an_unhealthy_vm_is_lowered_within_a_minute_although_a_raise_was_refused_before():
    group = Refusing(Op.SET_WEIGHT)
    driver, agent = serving(group)
    group.servers["i-self"] = member("i-self", 50)  # another writer
    driver.run(1500)
    assert agent.writes()[-1] is Op.SET_WEIGHT  # the repair was refused, and waits
    began = driver.now
    driver.want(UNHEALTHY)
    driver.run(62)
    tries = [at - began for at in agent.times(Op.SET_WEIGHT, since=began)]
    assert tries[0] < 1
    assert len(tries) >= 2


def test_a_turn_that_was_refused_is_forgotten_once_a_call_succeeds():
    group, driver, agent = refused(Op.ADD, seconds=1)
    group.refused.clear()
    driver.run(EARLY + 1)
    assert agent.weight == 100
    group.servers.pop("i-self")
    driver.run(600)
    assert agent.weight == 100


def test_an_operators_order_does_not_wait_for_a_turn_that_was_given_to_something_else():
    group = Refusing(Op.SET_WEIGHT)
    driver, agent = serving(group)
    driver.want(HELD)
    driver.run(300)
    group.refused.clear()
    driver.want(LOWER)
    driver.run(1)
    assert agent.weight == 0


def test_a_lost_api_is_not_called_faster_than_the_quota_allows_when_it_is_back():
    group = Refusing(Op.FIND)
    group.kind = Kind.UNAVAILABLE
    driver, agent = alone(group, fleet=FLEET)
    driver.want(HEALTHY)
    driver.run(3600)
    late = [at for at in since_start(agent, Op.FIND) if at > 900]
    assert 10 <= len(late) <= 2700 / (200 / 1.1) + 1


@pytest.mark.parametrize("lost", [EARLY - 60, EARLY + 600])
def test_a_turn_that_came_while_the_api_was_lost_is_made_up_for_after_those_of_the_others(lost):
    """Others have missed theirs, too: they would all come in the moment when it is back."""
    group, driver, agent = refused(Op.ADD, seconds=1)
    missed = agent.registrar.pacer.not_before(Op.ADD)
    group.refused = {Op.FIND}
    group.kind = Kind.UNAVAILABLE
    driver.run(lost)
    assert agent.ops(Op.ADD) == [Op.ADD]
    group.refused.clear()
    while Op.FIND in agent.registrar.failures.errors:
        driver.run(0.05)
    back = driver.now
    assert agent.ops(Op.ADD) == [Op.ADD]
    turn = agent.registrar.pacer.not_before(Op.ADD)
    assert turn == pytest.approx(1000 + EARLY + (back - missed), abs=0.5)
    driver.run(turn + 1 - back)
    assert agent.weight == 100


def test_polls_that_are_refused_become_rarer_and_recover():
    driver, agent = serving(Refusing(), Fleet(1))
    group = agent.group
    others = itertools.count(100)

    def polls(seconds: float) -> int:
        """While the group changes all the time, and every other read is refused."""
        before = len(agent.times(Op.FIND))
        for _ in range(int(seconds / 10)):
            driver.run(10)
            name = f"i-{next(others)}"
            group.servers[name] = member(name)
        return len(agent.times(Op.FIND)) - before

    usual = polls(1800)
    group.refused = {Op.FIND}
    polls(200)
    group.refused = set()
    crowded = polls(1800)
    assert crowded < usual / 3
    polls(6 * 3600)
    assert polls(1800) > usual * 0.7


def test_refused_reads_of_slbs_health_do_not_delay_what_matters():
    _, driver, agent = refused(Op.HEALTH, seconds=600)
    assert agent.weight == 100
    driver.want(LOWER)
    driver.run(1)
    assert agent.weight == 0


# Draining while reads are refused


def drain_without_reads(spare: float) -> tuple[Driver, Agent, Refusing]:
    group = Refusing(Op.FIND)
    driver, agent = serving(Refusing())
    agent.group = group
    group.servers = {"i-self": member("i-self")}
    agent.registrar.pacer.drain_seconds = spare
    driver.want(LOWER)
    driver.run(0.2)
    assert agent.writes() == []
    return driver, agent, group


def test_a_refused_read_of_a_drain_that_has_no_time_is_followed_within_a_minute_by_the_write():
    driver, agent, group = drain_without_reads(120)
    began = driver.now
    driver.run(61)
    assert agent.writes(since=began) == [Op.SET_WEIGHT]
    assert group.servers["i-self"].weight == 0
    assert agent.registrar.group.at_least(Place.LOWERED)


def test_a_refused_read_of_a_drain_that_has_the_time_waits_for_a_turn_among_all():
    """Thousands drain at once: tries within a minute would be in vain."""
    turns = []
    for _ in range(3):
        driver, agent, group = drain_without_reads(2 * WHOLE + 1)
        began = driver.now
        turn = agent.registrar.pacer.not_before(Op.SET_WEIGHT)
        turns.append(turn - began)
        group.refused = set()
        driver.run(turn + 1 - began)
        # What it knows is enough, and before its turn there is nothing to see.
        assert agent.ops(Op.FIND, Op.SET_WEIGHT, since=began) == [Op.SET_WEIGHT]
    assert max(turns) <= WHOLE


def test_a_vm_that_leaves_does_not_wait_for_reads_that_go_on_being_refused():
    driver, agent, group = drain_without_reads(120)
    driver.run(61)
    driver.want(REMOVE)
    driver.run(61)
    assert group.servers == {}
    assert not agent.registrar.group.at_least(Place.LEFT)  # that is said only after it was seen
    group.refused = set()
    driver.run(300)
    assert agent.registrar.group.at_least(Place.LEFT)
    assert agent.writes() == [Op.SET_WEIGHT, Op.REMOVE]


@pytest.mark.parametrize("kind", [Kind.UNAVAILABLE, Kind.LOST, Kind.DENIED])
def test_a_vm_that_leaves_does_not_wait_for_reads_that_fail_otherwise_while_writes_do_not(kind):
    driver, agent = serving(Refusing())
    group = agent.group
    assert isinstance(group, Refusing)
    group.refused, group.kind = {Op.FIND}, kind
    driver.want(LOWER)
    driver.run(1)
    assert group.servers["i-self"].weight == 0
    driver.want(REMOVE)
    driver.run(1)
    assert "i-self" not in group.servers
    assert not agent.registrar.group.at_least(Place.LEFT)
    assert agent.writes() == [Op.SET_WEIGHT, Op.REMOVE]


def test_a_change_that_may_have_been_made_is_looked_up_before_it_is_repeated_although_reads_fail():
    driver, agent, group = drain_without_reads(120)
    group.refused.add(Op.SET_WEIGHT)
    group.kind = Kind.LOST
    driver.run(61)
    assert agent.writes() == [Op.SET_WEIGHT]
    group.refused = {Op.FIND}
    group.kind = Kind.THROTTLED
    before = len(agent.calls)
    driver.run(600)
    assert agent.writes() == [Op.SET_WEIGHT]
    assert len(agent.calls) - before < 60  # found by how long this test took: 12,000 reads
    group.refused = set()
    driver.run(300)  # the turns of a read that was refused for ten minutes have become rare
    assert agent.writes()[:2] == [Op.SET_WEIGHT, Op.SET_WEIGHT]


def test_a_held_or_unhealthy_vm_is_lowered_only_after_a_read():
    """What the others do decides whether it may be, or it has the time."""
    for wish in (HELD, UNHEALTHY):
        driver, agent = serving(Refusing())
        agent.group.refused = {Op.FIND}  # type: ignore[attr-defined]
        driver.want(wish)
        driver.run(600)
        assert agent.writes() == []
