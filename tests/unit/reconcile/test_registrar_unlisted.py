"""Answers that have no list of servers: they stand for an empty group, and prove little."""

from __future__ import annotations

import pytest
from tests.unit.driver import (
    HEALTHY,
    LOWER,
    REMOVE,
    UNKNOWN,
    Agent,
    Driver,
    MemoryGroup,
    Outcome,
    alone,
    failure,
    member,
)

from slb_registration.model.errors import Kind
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Op
from slb_registration.model.server_group import Members
from slb_registration.reconcile.observed_state import Place

ME = Identity("i-self", None, 100, "bosh/spec-1")


class Unlisted(MemoryGroup):
    """A group whose answers have no list while it is empty, or as long as `hidden`."""

    hidden = False

    def _members(self) -> Members:
        members = super()._members()
        empty = self.hidden or not members.servers
        return Members((), implied=True) if empty else members


def in_service(group: Unlisted) -> tuple[Driver, Agent]:
    driver, agent = alone(group, ME)
    driver.want(HEALTHY)
    driver.run(60)
    assert group.servers["i-self"].weight == 100
    return driver, agent


def test_the_first_vm_of_a_group_joins_it_and_leaves_it_with_one_call_each():
    group = Unlisted()
    driver, agent = in_service(group)
    driver.want(REMOVE)
    driver.run(20)
    assert agent.writes() == [Op.ADD, Op.REMOVE]
    assert agent.registrar.group.at_least(Place.LEFT)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_vm_that_is_only_not_listed_is_taken_out_before_it_counts_as_out(restarted: bool):
    """Found by the matrix: it was said to be drained after two such reads, at weight 100."""
    group = Unlisted()
    driver, agent = in_service(group)
    group.hidden = True
    if restarted:
        driver, agent = alone(group, ME, served=True)
    driver.want(REMOVE)
    driver.run(20)
    assert agent.registrar.group.at_least(Place.LEFT)
    assert group.servers == {}
    assert agent.writes()[-1] is Op.REMOVE
    assert agent.writes().count(Op.REMOVE) == 1


@pytest.mark.parametrize("kind", [None, Kind.LOST, Kind.UNAVAILABLE, Kind.UNKNOWN])
def test_a_vm_whose_registration_was_never_seen_is_taken_out(kind: Kind | None):
    """A list showed that it was not there; since its registration, answered or not, there is no
    list any more."""

    def hide(op: Op) -> Outcome | None:
        group.hidden = group.hidden or op is Op.ADD
        return (failure(kind), True) if kind is not None and op is Op.ADD else None

    group = Unlisted({"i-other": member("i-other")}, fail=hide)
    driver, agent = alone(group, ME)
    driver.want(UNKNOWN)
    driver.run(5)
    assert "i-self" in group.servers
    driver.want(REMOVE)
    driver.run(20)
    assert set(group.servers) == {"i-other"}
    assert agent.registrar.group.at_least(Place.LEFT)


def test_a_removal_that_fails_leaves_it_unproven():
    group = Unlisted(fail=lambda op: (failure(Kind.DENIED), False) if op is Op.REMOVE else None)
    driver, agent = in_service(group)
    group.hidden = True
    driver.want(REMOVE)
    driver.run(120)
    assert not agent.registrar.group.at_least(Place.LEFT)
    assert group.servers["i-self"] == member("i-self", 100, "bosh/spec-1")


def test_a_drain_does_not_wait_for_a_weight_that_no_list_shows():
    driver, agent = alone(Unlisted(), ME)
    driver.want(LOWER)
    driver.run(20)
    assert agent.registrar.group.at_least(Place.LOWERED)
    assert agent.writes() == []
    assert not agent.registrar.group.at_least(Place.LEFT)


def test_a_list_without_this_vm_is_proof():
    group = Unlisted({"i-other": member("i-other")})
    driver, agent = alone(group, ME)
    driver.want(REMOVE)
    driver.run(5)
    assert agent.writes() == []
    assert agent.registrar.group.at_least(Place.LEFT)
