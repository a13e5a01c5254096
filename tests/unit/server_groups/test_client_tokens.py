"""The ClientToken of a write: the same where it may have been made, and never used for another."""

from __future__ import annotations

import pytest
from tests.unit.driver import HEALTHY
from tests.unit.every_kind import Setting, mine

from mock_slb.gateway.faults import Refuse, Reply, Reset, Rule
from slb_registration.model.errors import ApiError
from slb_registration.model.operations import Op


def test_every_write_has_a_token_of_its_own(setting: Setting):
    group = setting.open()
    for write in (group.add, group.set_weight, group.set_weight, group.remove):
        write(setting.me())
        setting.settle()
    tokens = setting.tokens()
    assert len(tokens) == len(set(tokens)) == 4
    assert all(0 < len(token) <= 64 and token.isascii() for token in tokens)


@pytest.mark.parametrize("effect", [Reset(), Reply(502, b"<html>"), Refuse("InternalError", 500)])
def test_a_write_is_repeated_with_its_token_if_it_may_have_been_made(setting: Setting, effect):
    setting.gateway.faults.add(Rule(effect, action="Add*", times=2))
    agent = setting.agent()
    setting.driver.want(HEALTHY)
    setting.driver.run(120)
    assert setting.there().weight == 100
    assert agent.writes() == [Op.ADD] * 3
    assert len(set(setting.tokens())) == 1


def test_a_write_that_was_made_without_an_answer_is_made_once(setting: Setting):
    """Repeated before the read shows it, the token makes it one."""
    group = setting.open()
    setting.lose("Add", made=True)
    with pytest.raises(ApiError):
        group.add(setting.me())
    group.add(setting.me())
    setting.settle()
    assert mine(setting, group.find()) == setting.me()
    assert len(set(setting.tokens())) == 1


def test_being_throttled_says_nothing_of_the_write_before(setting: Setting):
    group = setting.open()
    setting.lose("Add", made=False)
    with pytest.raises(ApiError):
        group.add(setting.me())
    setting.refuse("Throttling.User", action="Add*")
    with pytest.raises(ApiError):
        group.add(setting.me())
    group.add(setting.me())
    assert len(set(setting.tokens())) == 1


def test_after_a_refusal_the_next_write_has_another_token(setting: Setting):
    group = setting.open()
    setting.refuse("IncorrectStatus.ServerGroup", action="Add*")
    with pytest.raises(ApiError):
        group.add(setting.me())
    group.add(setting.me())
    assert len(set(setting.tokens())) == 2


def test_another_write_never_has_the_token_of_one_that_was_lost(setting: Setting):
    group = setting.open()
    setting.lose("Add", made=False)
    with pytest.raises(ApiError):
        group.add(setting.me(30))
    group.add(setting.me(31))
    assert len(set(setting.tokens())) == 2


def test_the_token_of_a_write_that_was_seen_is_not_used_again(setting: Setting):
    """With it the API would take a later, equal write for the one of then, and not make it."""
    agent = setting.agent()
    setting.lose("Add", made=True)
    setting.driver.want(HEALTHY)
    setting.driver.run(60)
    assert setting.there().weight == 100
    setting.as_another("remove")
    setting.driver.run(90)
    assert setting.there().weight == 100
    assert agent.writes() == [Op.ADD, Op.ADD]
    assert len(set(setting.tokens())) == 2


def test_an_old_token_is_not_used_again(setting: Setting):
    group = setting.open()
    setting.lose("Add", made=False)
    with pytest.raises(ApiError):
        group.add(setting.me())
    setting.driver.now += 601
    group.add(setting.me())
    assert len(set(setting.tokens())) == 2
