"""Reads that show a VM as it was before a change of ours: they may be a few seconds old."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.driver import (
    HEALTHY,
    LOWER,
    UNHEALTHY,
    UNKNOWN,
    Agent,
    Driver,
    MemoryGroup,
    alone,
    member,
)

from slb_registration.model.desired import Phase, Wish
from slb_registration.model.health import Health
from slb_registration.model.operations import Op
from slb_registration.reconcile.observed_state import Place


class Lagging(MemoryGroup):
    """Reads show what was so many seconds ago, while `lag` is not 0."""

    def __init__(self, driver: Driver) -> None:
        super().__init__({"i-a": member("i-a"), "i-b": member("i-b")})
        self.lag = 0.0
        self._driver = driver
        self._past = [(0.0, self._members())]

    def find(self):
        now = super().find()
        then = [members for at, members in self._past if at <= self._driver.now - self.lag]
        return then[-1] if self.lag else now

    def _change(self, op, server, state):
        changed = super()._change(op, server, state)
        self._past.append((self._driver.now, self._members()))
        return changed


def lagging(interval: float = 30.0) -> tuple[Lagging, Driver, Agent]:
    driver = Driver()
    group = Lagging(driver)
    return group, driver, driver.join(group, interval=interval)


def test_an_unhealthy_vm_whose_reads_lag_is_not_taken_for_another_writer():
    group, driver, agent = lagging()
    driver.want(HEALTHY)
    driver.run(60)
    group.lag = 9.5
    driver.want(UNHEALTHY)
    driver.run(60)
    assert group.servers["i-self"].weight == 0
    assert agent.registrar.repairs["weight"].total == 0


def test_a_vm_that_was_just_raised_is_not_said_to_be_lowered_because_a_read_lags():
    group, driver, agent = lagging()
    driver.run(60)
    group.lag = 8.0
    driver.want(HEALTHY)
    driver.run(2)
    driver.want(LOWER)
    while not agent.registrar.group.at_least(Place.LOWERED):
        driver.run(0.5)
    assert group.servers["i-self"].weight == 0
    assert agent.writes()[-2:] == [Op.SET_WEIGHT, Op.SET_WEIGHT]
    assert driver.now < 1062 + 20


def test_a_vm_that_was_just_put_in_and_lowered_is_not_said_to_be_absent_because_a_read_lags():
    group, driver, agent = lagging()
    driver.want(HEALTHY)
    driver.run(1)
    driver.want(LOWER)
    driver.run(1)
    group.lag = 9.0  # from before both
    driver.want(Wish(Phase.LOWER, Health.UNHEALTHY))
    for _ in range(40):
        driver.run(0.5)
        assert not agent.registrar.group.at_least(Place.LEFT)


def test_a_vm_is_not_said_to_serve_because_a_read_shows_it_before_it_left():
    group, driver, agent = lagging()
    driver.want(HEALTHY)
    driver.run(60)
    group.lag = 8.0
    driver.want(UNHEALTHY)
    driver.run(1)
    assert group.servers["i-self"].weight == 0
    driver.want(UNKNOWN)
    driver.run(0.1)
    driver.want(HEALTHY)
    driver.run(0.1)
    assert group.servers["i-self"].weight == 100 or not agent.registrar.group.settled
    driver.run(15)
    assert group.servers["i-self"].weight == 100
    assert agent.registrar.repairs["weight"].total == 0


@pytest.mark.parametrize("interval", [3.0, 5.0, 30.0])
def test_another_writer_who_is_fast_is_not_fought_for_ever(interval: float):
    group, driver, agent = lagging(interval)
    driver.want(HEALTHY)
    driver.run(60)
    start = driver.now
    while driver.now < start + 400:
        group.servers["i-self"] = member("i-self", 0)
        driver.run(1)
    assert agent.registrar.conflict_until is not None
    assert len(agent.writes(since=start)) <= 3 * 4


def test_a_weight_that_is_being_raised_is_not_0_yet_for_a_drain():
    """ALB and NLB show the weight before the change until it is made."""
    group = MemoryGroup({"i-a": member("i-a")})
    driver, agent = alone(group)
    driver.run(60)
    group.servers["i-self"] = replace(member("i-self", 0), state="configuring")
    driver.want(LOWER)
    driver.run(5)
    assert not agent.registrar.group.at_least(Place.LOWERED)
    group.servers["i-self"] = member("i-self", 100)
    driver.run(20)
    assert group.servers["i-self"].weight == 0
    assert agent.registrar.group.at_least(Place.LOWERED)
