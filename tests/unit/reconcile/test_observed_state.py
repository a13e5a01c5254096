"""What is known of a server group: what a read has shown, and what is only assumed since."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slb_registration.model.errors import Kind
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Op
from slb_registration.model.server_group import BackendServer, Members
from slb_registration.reconcile.observed_state import (
    CONFIRMED_SECONDS,
    DOUBT_SECONDS,
    GOING_SECONDS,
    IMPLIED_SECONDS,
    MISSING_SECONDS,
    View,
)

ME = Identity("i-self", 80, 100, marker="bosh/1", replaces=True, address="10.0.0.1")
OTHER = BackendServer("i-other", 80, 100)
EMPTY = Members(())
NOT_LISTED = Members((), implied=True)


def with_me(weight: int = 100, state: str = "available") -> Members:
    return Members((OTHER, replace(ME.server(weight), state=state)))


@pytest.fixture
def view() -> View:
    return View(ME)


def test_before_the_first_read_nothing_is_known(view: View) -> None:
    assert view.stale
    assert view.mine is view.predecessor is view.holder is view.read_at is None
    assert not any((view.pending, view.absent, view.doubted, view.going, view.deleted))


def test_a_read_shows_where_this_vm_is_and_when(view: View) -> None:
    view.found(5.0, with_me(70))
    assert (view.mine, view.read_at, view.stale) == (ME.server(70), 5.0, False)
    view.found(6.0, EMPTY)
    assert view.mine is None
    assert view.absent


def test_what_is_known_is_as_old_as_the_last_read_or_change(view: View) -> None:
    view.found(5.0, with_me())
    assert view.age(9.0) == 4.0
    view.changed(7.0, Op.SET_WEIGHT, ME.server(0))
    assert view.age(9.0) == 2.0
    view.found(8.5, with_me(0))
    assert view.age(9.0) == 0.5


def test_a_change_is_taken_for_made_and_touches_no_other_server(view: View) -> None:
    view.found(1.0, Members((OTHER,)))
    view.stale = True
    view.changed(2.0, Op.ADD, ME.server(0))
    assert view.members == Members((OTHER, ME.server(0)))
    assert not view.stale
    view.changed(3.0, Op.SET_WEIGHT, ME.server(100))
    assert view.members == Members((OTHER, ME.server(100)))
    view.changed(4.0, Op.REMOVE, ME.server(100))
    assert view.members == Members((OTHER,))
    assert view.absent


def test_nothing_is_changed_in_a_group_that_was_never_read(view: View) -> None:
    with pytest.raises(ValueError, match="never read"):
        view.changed(1.0, Op.ADD, ME.server(0))


@pytest.mark.parametrize("members", [with_me(state="adding"), Members((OTHER,), busy=True)])
def test_a_change_under_way_is_waited_for(view: View, members: Members) -> None:
    view.found(1.0, members)
    assert view.pending
    view.found(2.0, with_me())
    assert not view.pending


class TestAReadThatMayBeFromBeforeAChange:
    def test_is_doubted_for_a_while(self, view: View) -> None:
        view.found(0.0, with_me(100))
        view.changed(1.0, Op.SET_WEIGHT, ME.server(0))
        view.found(1.0 + DOUBT_SECONDS - 0.1, with_me(100))
        assert view.doubted
        view.found(1.0 + DOUBT_SECONDS, with_me(100))
        assert not view.doubted

    def test_is_not_where_it_shows_the_change_or_what_is_neither(self, view: View) -> None:
        view.found(0.0, with_me(100))
        view.changed(1.0, Op.SET_WEIGHT, ME.server(0))
        view.found(2.0, with_me(0))
        assert not view.doubted
        assert view.confirmed
        view.found(3.0, with_me(37))
        assert not view.doubted

    def test_may_be_from_before_a_change_whose_answer_was_lost(self, view: View) -> None:
        view.found(0.0, EMPTY)
        view.failed(1.0, Op.ADD, ME.server(0), Kind.LOST)
        assert view.stale
        assert view.doubtful
        view.found(2.0, EMPTY)
        assert view.doubted
        assert not any((view.absent, view.confirmed, view.doubtful))

    def test_is_a_fact_where_the_change_was_refused(self, view: View) -> None:
        view.found(0.0, EMPTY)
        view.failed(1.0, Op.ADD, ME.server(0), Kind.INVALID)
        view.found(2.0, EMPTY)
        assert view.absent

    def test_a_change_that_is_repeated_is_doubted_no_longer(self, view: View) -> None:
        view.found(0.0, EMPTY)
        for at in (1.0, 6.0):
            view.failed(at, Op.ADD, ME.server(0), Kind.LOST)
        view.found(1.0 + DOUBT_SECONDS, EMPTY)
        assert not view.doubted

    def test_that_of_another_server_says_nothing_of_this_one(self, view: View) -> None:
        view.found(0.0, with_me(100))
        view.confirmed = True
        view.changed(1.0, Op.REMOVE, OTHER)
        assert view.confirmed
        view.found(2.0, with_me(100))
        assert not view.doubted

    def test_a_change_under_way_confirms_nothing(self, view: View) -> None:
        view.found(0.0, EMPTY)
        view.changed(1.0, Op.ADD, ME.server(100))
        view.found(2.0, with_me(100, state="adding"))
        assert not view.confirmed
        view.found(3.0, with_me(100))
        assert view.confirmed


class TestAnAnswerWithoutAList:
    def test_proves_nothing_at_first_and_something_with_the_second(self, view: View) -> None:
        view.found(0.0, NOT_LISTED)
        assert view.doubted
        assert not view.absent
        view.found(IMPLIED_SECONDS, NOT_LISTED)
        assert view.absent
        assert view.unproven  # it never said so

    def test_counts_anew_after_one_with_a_list(self, view: View) -> None:
        view.found(0.0, NOT_LISTED)
        view.found(4.0, with_me())
        view.found(6.0, NOT_LISTED)
        assert view.doubted

    def test_proves_what_a_list_or_a_removal_has_shown_before(self, view: View) -> None:
        view.found(0.0, EMPTY)
        view.found(1.0, NOT_LISTED)
        assert not view.unproven
        view.found(2.0, with_me())
        view.found(3.0, NOT_LISTED)
        assert view.unproven
        view.changed(4.0, Op.REMOVE, ME.server(100))
        view.found(5.0, NOT_LISTED)
        assert not view.unproven

    @pytest.mark.parametrize(("op", "unproven"), [(Op.ADD, True), (Op.REMOVE, False)])
    def test_proves_nothing_after_a_failure_that_may_have_put_it_in(
        self, view: View, op: Op, unproven: bool
    ) -> None:
        view.found(0.0, EMPTY)
        view.failed(1.0, op, ME.server(0), Kind.UNAVAILABLE)
        view.found(2.0, NOT_LISTED)
        assert view.unproven is unproven


class TestAServerThatSlbIsTakingOut:
    @pytest.mark.parametrize("state", ["removing", "draining"])
    def test_gets_no_new_connections_and_counts_as_gone_after_a_while(
        self, view: View, state: str
    ) -> None:
        view.found(10.0, with_me(state=state))
        assert view.going
        view.found(10.0 + GOING_SECONDS - 0.1, with_me(state=state))
        assert not view.as_good_as_gone
        view.found(10.0 + GOING_SECONDS, with_me(state=state))
        assert view.as_good_as_gone
        view.stale = True
        assert not any((view.going, view.as_good_as_gone))

    def test_is_not_one_with_another_change_under_way(self, view: View) -> None:
        view.found(10.0, with_me(state="configuring"))
        assert not view.going


class TestAGroupThatIsNotFound:
    def test_is_deleted_at_once_where_this_vm_was_not_in_it(self, view: View) -> None:
        view.found(0.0, EMPTY)
        view.missed(1.0, not_found=True)
        assert view.deleted
        assert view.missing_of_late

    def test_may_be_back_with_the_next_read_where_it_was(self, view: View) -> None:
        view.found(0.0, with_me())
        view.missed(1.0, not_found=True)
        view.missed(1.0 + CONFIRMED_SECONDS - 0.1, not_found=True)
        assert not view.deleted
        view.missed(1.0 + CONFIRMED_SECONDS, not_found=True)
        assert view.deleted

    def test_is_forgotten_only_after_long(self, view: View) -> None:
        view.missed(1.0, not_found=True)
        view.missed(MISSING_SECONDS, not_found=True)
        assert view.missing_of_late
        view.missed(1.0 + MISSING_SECONDS, not_found=True)
        assert not view.missing_of_late

    def test_is_not_one_whose_read_failed_otherwise_or_that_is_back(self, view: View) -> None:
        view.missed(1.0, not_found=True)
        view.missed(2.0, not_found=False)
        assert not view.deleted
        view.found(3.0, with_me())
        assert not view.missing_of_late
        view.missed(20.0, not_found=True)
        assert not view.deleted


def test_who_holds_the_address_is_told_only_where_slb_refuses_this_vm_for_it(view: View) -> None:
    holder = BackendServer("i-holder", 80, 100, address="10.0.0.1")
    view.found(0.0, Members((OTHER, holder)))
    assert view.holder is None
    view.failed(1.0, Op.ADD, ME.server(0), Kind.UNAVAILABLE)
    assert view.holder is None
    view.failed(2.0, Op.ADD, ME.server(0), Kind.CONFLICT)
    view.found(3.0, Members((OTHER, holder)))
    assert view.holder == holder
    view.found(4.0, Members((OTHER, holder, ME.server(0))))
    assert not view.conflicted


def test_the_predecessor_is_who_was_there_and_one_that_comes_later_is_alive(view: View) -> None:
    before = BackendServer("i-before", 80, 100, "bosh/1")
    later = BackendServer("i-later", 80, 100, "bosh/1")
    assert view.found(0.0, Members((before,))) == []
    assert view.predecessor == before
    (event,) = view.found(1.0, Members((later, before)))
    assert (event.level, event.fields) == ("warning", {"server": "i-later"})
    assert view.predecessor == before
    assert view.found(2.0, Members((later,))) == []
    assert view.predecessor is None
    view.found(3.0, Members((replace(before, state="removing"),)))
    assert view.predecessor is None
