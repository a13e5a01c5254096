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
    NOT_FOUND_SECONDS,
    ObservedState,
    Place,
)

ME = Identity("i-self", 80, 100, marker="bosh/1", replaces=True, address="10.0.0.1")
OTHER = BackendServer("i-other", 80, 100)
EMPTY = Members(())
NOT_LISTED = Members((), implied=True)


def with_me(weight: int = 100, state: str = "available") -> Members:
    return Members((OTHER, replace(ME.server(weight), state=state)))


@pytest.fixture
def observed() -> ObservedState:
    return ObservedState(ME)


def test_before_the_first_read_nothing_is_known(observed: ObservedState) -> None:
    assert observed.stale
    assert observed.mine is observed.predecessor is observed.holder is observed.read_at is None
    assert not any((observed.pending, observed.doubted, observed.going))
    assert observed.place is Place.UNKNOWN


def test_a_read_shows_where_this_vm_is_and_when(observed: ObservedState) -> None:
    observed.found(5.0, with_me(70))
    assert (observed.mine, observed.read_at, observed.stale) == (ME.server(70), 5.0, False)
    observed.found(6.0, EMPTY)
    assert observed.mine is None
    assert observed.place is Place.OUT


def test_what_is_known_is_as_old_as_the_last_read_or_change(observed: ObservedState) -> None:
    observed.found(5.0, with_me())
    assert observed.age(9.0) == 4.0
    observed.changed(7.0, Op.SET_WEIGHT, ME.server(0))
    assert observed.age(9.0) == 2.0
    observed.found(8.5, with_me(0))
    assert observed.age(9.0) == 0.5


def test_a_change_is_taken_for_made_and_touches_no_other_server(observed: ObservedState) -> None:
    observed.found(1.0, Members((OTHER,)))
    observed.stale = True
    observed.changed(2.0, Op.ADD, ME.server(0))
    assert observed.members == Members((OTHER, ME.server(0)))
    assert not observed.stale
    observed.changed(3.0, Op.SET_WEIGHT, ME.server(100))
    assert observed.members == Members((OTHER, ME.server(100)))
    observed.changed(4.0, Op.REMOVE, ME.server(100))
    assert observed.members == Members((OTHER,))
    assert observed.place is Place.OUT


def test_nothing_is_changed_in_a_group_that_was_never_read(observed: ObservedState) -> None:
    with pytest.raises(ValueError, match="never read"):
        observed.changed(1.0, Op.ADD, ME.server(0))


@pytest.mark.parametrize("members", [with_me(state="adding"), Members((OTHER,), busy=True)])
def test_a_change_under_way_is_waited_for(observed: ObservedState, members: Members) -> None:
    observed.found(1.0, members)
    assert observed.pending
    observed.found(2.0, with_me())
    assert not observed.pending


class TestAReadThatMayBeFromBeforeAChange:
    def test_is_doubted_for_a_while(self, observed: ObservedState) -> None:
        observed.found(0.0, with_me(100))
        observed.changed(1.0, Op.SET_WEIGHT, ME.server(0))
        observed.found(1.0 + DOUBT_SECONDS - 0.1, with_me(100))
        assert observed.doubted
        observed.found(1.0 + DOUBT_SECONDS, with_me(100))
        assert not observed.doubted

    def test_is_not_where_it_shows_the_change_or_what_is_neither(
        self, observed: ObservedState
    ) -> None:
        observed.found(0.0, with_me(100))
        observed.changed(1.0, Op.SET_WEIGHT, ME.server(0))
        observed.found(2.0, with_me(0))
        assert not observed.doubted
        assert observed.confirmed
        observed.found(3.0, with_me(37))
        assert not observed.doubted

    def test_may_be_from_before_a_change_whose_answer_was_lost(
        self, observed: ObservedState
    ) -> None:
        observed.found(0.0, EMPTY)
        observed.failed(1.0, Op.ADD, ME.server(0), Kind.LOST)
        assert observed.stale
        assert observed.doubtful
        observed.found(2.0, EMPTY)
        assert observed.doubted
        assert observed.place is Place.UNKNOWN
        assert not any((observed.confirmed, observed.doubtful))

    def test_is_a_fact_where_the_change_was_refused(self, observed: ObservedState) -> None:
        observed.found(0.0, EMPTY)
        observed.failed(1.0, Op.ADD, ME.server(0), Kind.INVALID)
        observed.found(2.0, EMPTY)
        assert observed.place is Place.OUT

    def test_a_change_that_is_repeated_is_doubted_no_longer(self, observed: ObservedState) -> None:
        observed.found(0.0, EMPTY)
        for at in (1.0, 6.0):
            observed.failed(at, Op.ADD, ME.server(0), Kind.LOST)
        observed.found(1.0 + DOUBT_SECONDS, EMPTY)
        assert not observed.doubted

    def test_that_of_another_server_says_nothing_of_this_one(self, observed: ObservedState) -> None:
        observed.found(0.0, with_me(100))
        observed.confirmed = True
        observed.changed(1.0, Op.REMOVE, OTHER)
        assert observed.confirmed
        observed.found(2.0, with_me(100))
        assert not observed.doubted

    def test_a_change_under_way_confirms_nothing(self, observed: ObservedState) -> None:
        observed.found(0.0, EMPTY)
        observed.changed(1.0, Op.ADD, ME.server(100))
        observed.found(2.0, with_me(100, state="adding"))
        assert not observed.confirmed
        observed.found(3.0, with_me(100))
        assert observed.confirmed


class TestAnAnswerWithoutAList:
    def test_proves_nothing_at_first_and_something_with_the_second(
        self, observed: ObservedState
    ) -> None:
        observed.found(0.0, NOT_LISTED)
        assert observed.doubted
        assert observed.place is Place.UNKNOWN
        observed.found(IMPLIED_SECONDS, NOT_LISTED)
        assert observed.place is Place.UNLISTED
        assert observed.unproven  # it never said so

    def test_counts_anew_after_one_with_a_list(self, observed: ObservedState) -> None:
        observed.found(0.0, NOT_LISTED)
        observed.found(4.0, with_me())
        observed.found(6.0, NOT_LISTED)
        assert observed.doubted

    def test_proves_what_a_list_or_a_removal_has_shown_before(
        self, observed: ObservedState
    ) -> None:
        observed.found(0.0, EMPTY)
        observed.found(1.0, NOT_LISTED)
        assert not observed.unproven
        observed.found(2.0, with_me())
        observed.found(3.0, NOT_LISTED)
        assert observed.unproven
        observed.changed(4.0, Op.REMOVE, ME.server(100))
        observed.found(5.0, NOT_LISTED)
        assert not observed.unproven

    @pytest.mark.parametrize(("op", "unproven"), [(Op.ADD, True), (Op.REMOVE, False)])
    def test_proves_nothing_after_a_failure_that_may_have_put_it_in(
        self, observed: ObservedState, op: Op, unproven: bool
    ) -> None:
        observed.found(0.0, EMPTY)
        observed.failed(1.0, op, ME.server(0), Kind.UNAVAILABLE)
        observed.found(2.0, NOT_LISTED)
        assert observed.unproven is unproven


class TestAServerThatSlbIsTakingOut:
    @pytest.mark.parametrize("state", ["removing", "draining"])
    def test_gets_no_new_connections_and_counts_as_gone_after_a_while(
        self, observed: ObservedState, state: str
    ) -> None:
        observed.found(10.0, with_me(state=state))
        assert observed.going
        observed.found(10.0 + GOING_SECONDS - 0.1, with_me(state=state))
        assert observed.place is Place.LEAVING
        observed.found(10.0 + GOING_SECONDS, with_me(state=state))
        assert observed.place is Place.LEFT
        observed.stale = True
        assert not observed.going
        assert observed.place is Place.UNKNOWN

    def test_is_not_one_with_another_change_under_way(self, observed: ObservedState) -> None:
        observed.found(10.0, with_me(state="configuring"))
        assert not observed.going


class TestAGroupThatIsNotFound:
    def test_is_deleted_at_once_where_this_vm_was_not_in_it(self, observed: ObservedState) -> None:
        observed.found(0.0, EMPTY)
        observed.missed(1.0, not_found=True)
        assert observed.place is Place.NO_GROUP
        assert observed.not_found_of_late

    def test_may_be_back_with_the_next_read_where_it_was(self, observed: ObservedState) -> None:
        observed.found(0.0, with_me())
        observed.missed(1.0, not_found=True)
        observed.missed(1.0 + CONFIRMED_SECONDS - 0.1, not_found=True)
        assert observed.place is not Place.NO_GROUP
        observed.missed(1.0 + CONFIRMED_SECONDS, not_found=True)
        assert observed.place is Place.NO_GROUP

    def test_is_forgotten_only_after_long(self, observed: ObservedState) -> None:
        observed.missed(1.0, not_found=True)
        observed.missed(NOT_FOUND_SECONDS, not_found=True)
        assert observed.not_found_of_late
        observed.missed(1.0 + NOT_FOUND_SECONDS, not_found=True)
        assert not observed.not_found_of_late

    def test_is_not_one_whose_read_failed_otherwise_or_that_is_back(
        self, observed: ObservedState
    ) -> None:
        observed.missed(1.0, not_found=True)
        observed.missed(2.0, not_found=False)
        assert observed.place is not Place.NO_GROUP
        observed.found(3.0, with_me())
        assert not observed.not_found_of_late
        observed.missed(20.0, not_found=True)
        assert observed.place is not Place.NO_GROUP


def test_who_holds_the_address_is_told_only_where_slb_refuses_this_vm_for_it(
    observed: ObservedState,
) -> None:
    holder = BackendServer("i-holder", 80, 100, address="10.0.0.1")
    observed.found(0.0, Members((OTHER, holder)))
    assert observed.holder is None
    observed.failed(1.0, Op.ADD, ME.server(0), Kind.UNAVAILABLE)
    assert observed.holder is None
    observed.failed(2.0, Op.ADD, ME.server(0), Kind.CONFLICT)
    observed.found(3.0, Members((OTHER, holder)))
    assert observed.holder == holder
    observed.found(4.0, Members((OTHER, holder, ME.server(0))))
    assert not observed.conflicted


def test_the_predecessor_is_who_was_there_and_one_that_comes_later_is_alive(
    observed: ObservedState,
) -> None:
    before = BackendServer("i-before", 80, 100, "bosh/1")
    later = BackendServer("i-later", 80, 100, "bosh/1")
    assert observed.found(0.0, Members((before,))) == []
    assert observed.predecessor == before
    (event,) = observed.found(1.0, Members((later, before)))
    assert (event.level, event.fields) == ("warning", {"server": "i-later"})
    assert observed.predecessor == before
    assert observed.found(2.0, Members((later,))) == []
    assert observed.predecessor is None
    observed.found(3.0, Members((replace(before, state="removing"),)))
    assert observed.predecessor is None
