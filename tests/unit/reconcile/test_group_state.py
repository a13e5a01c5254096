"""Where a VM stands in a server group, and the one call that closes the gap."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.driver import HEALTHY, HELD, LOWER, REMOVE, UNHEALTHY

from slb_registration.model.desired import ABSENT, KEEP, Phase, Policy, Wish
from slb_registration.model.errors import Kind
from slb_registration.model.health import Health
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Call, Op
from slb_registration.model.server_group import BackendServer, Members
from slb_registration.reconcile.group_state import GroupState
from slb_registration.reconcile.observed_state import GOING_SECONDS, IMPLIED_SECONDS, Place

ME = Identity("i-self", 80, 100, marker="bosh/1", replaces=True, address="10.0.0.1")
OTHERS = tuple(BackendServer(f"i-{number}", 80, 100) for number in range(3))
PREDECESSOR = BackendServer("i-before", 80, 100, "bosh/1", address="10.0.0.1")


def state(
    wish: Wish, *servers: BackendServer, served: bool = True, read_only: str | None = None
) -> GroupState:
    """A VM with this wish, after a read that has shown these servers."""
    one = GroupState(ME, Policy(), served=served, read_only=read_only)
    one.want(wish)
    one.found(0.0, Members((*OTHERS, *servers)))
    return one


def mine(weight: int, state: str = "available") -> BackendServer:
    return replace(ME.server(weight), state=state)


@pytest.mark.parametrize(
    ("wish", "servers", "call"),
    [
        (HEALTHY, [], Call(Op.ADD, mine(100))),
        (HEALTHY, [mine(0)], Call(Op.SET_WEIGHT, mine(100))),
        (HEALTHY, [mine(100)], None),
        (UNHEALTHY, [mine(100)], Call(Op.SET_WEIGHT, mine(0))),
        (HELD, [mine(100)], Call(Op.SET_WEIGHT, mine(0))),
        (LOWER, [mine(100)], Call(Op.SET_WEIGHT, mine(0))),
        (LOWER, [], None),
        (REMOVE, [mine(0)], Call(Op.REMOVE, mine(0))),
        (REMOVE, [], None),
        (HEALTHY, [mine(100), PREDECESSOR], Call(Op.REMOVE, PREDECESSOR)),
        (HEALTHY, [mine(0), PREDECESSOR], Call(Op.SET_WEIGHT, mine(100))),  # raising goes first
        (UNHEALTHY, [mine(0), PREDECESSOR], None),  # which leaves once this VM serves
        (HEALTHY, [mine(0, "configuring")], None),
        (REMOVE, [mine(0, "configuring")], None),
    ],
)
def test_one_call_closes_the_gap(
    wish: Wish, servers: list[BackendServer], call: Call | None
) -> None:
    one = state(wish, *servers)
    assert one.gap() == call
    assert one.settled is (call is None and not one.observed.pending)


def test_before_a_read_and_where_nothing_can_be_changed_all_is_kept() -> None:
    unread = GroupState(ME, Policy(), served=True, read_only=None)
    unread.want(REMOVE)
    assert (unread.goal, unread.gap()) == (KEEP, None)
    assert not any((unread.at_least(Place.LEFT), unread.at_least(Place.LOWERED), unread.settled))
    watched = state(REMOVE, mine(100), read_only="not ours")
    assert (watched.goal, watched.gap()) == (KEEP, None)
    assert watched.at_least(Place.LEFT)  # there is nothing to wait for
    assert watched.out_as_wanted


def test_who_holds_the_address_leaves_first_where_slb_refuses_this_vm() -> None:
    one = state(HEALTHY, PREDECESSOR)
    assert one.gap() == Call(Op.ADD, mine(100))
    one.observed.failed(1.0, Op.ADD, mine(100), Kind.CONFLICT)
    one.found(2.0, Members((*OTHERS, PREDECESSOR)))
    assert one.gap() == Call(Op.REMOVE, PREDECESSOR)


def test_what_is_not_listed_is_removed_to_be_sure() -> None:
    one = state(REMOVE, mine(0))
    for at in (1.0, 1.0 + IMPLIED_SECONDS):
        one.found(at, Members((), implied=True))
    assert one.gap() == Call(Op.REMOVE, mine(0))
    assert not one.at_least(Place.LEFT)
    one.observed.changed(7.0, Op.REMOVE, mine(0))
    assert one.at_least(Place.LEFT)
    assert one.gap() is None


def test_lowered_is_only_who_was_seen_at_weight_0() -> None:
    one = state(LOWER, mine(0))
    assert one.at_least(Place.LOWERED)
    assert one.out_as_wanted
    assert not one.at_least(Place.LEFT)
    one.observed.stale = True
    assert not one.at_least(Place.LOWERED)
    assert not state(LOWER, mine(100)).at_least(Place.LOWERED)
    assert not state(LOWER, mine(0, "configuring")).at_least(Place.LOWERED)
    changed = state(LOWER, mine(100))
    changed.observed.changed(1.0, Op.SET_WEIGHT, mine(0))
    changed.found(2.0, Members((*OTHERS, mine(100))))  # from before, it may be
    assert not changed.at_least(Place.LOWERED)


def test_left_is_a_drain_only_when_this_vm_is_out() -> None:
    one = state(REMOVE, mine(0))
    assert not one.out_as_wanted
    one.found(1.0, Members(OTHERS))
    assert one.out_as_wanted
    assert one.forgettable


def test_who_slb_takes_out_counts_as_out_and_is_forgotten_only_then() -> None:
    one = state(REMOVE, mine(0, "removing"))
    assert one.at_least(Place.LOWERED)
    one.found(GOING_SECONDS, Members((mine(0, "removing"),)))
    assert one.at_least(Place.LEFT)
    assert not one.forgettable
    assert not one.lingers
    one.want(HEALTHY)
    assert one.lingers


def test_a_group_that_is_not_found_ends_a_drain_and_is_not_forgotten() -> None:
    one = state(REMOVE)
    one.observed.missed(1.0, not_found=True)
    assert one.at_least(Place.LEFT)
    assert not one.forgettable


@pytest.mark.parametrize(
    ("wish", "leaves"),
    [(HEALTHY, False), (HELD, False), (LOWER, True), (REMOVE, True)],
)
def test_only_a_drain_leaves(wish: Wish, leaves: bool) -> None:
    assert state(wish, mine(100)).drains is leaves


class TestThePanicThreshold:
    def test_is_told_where_it_keeps_this_vm_in_rotation(self) -> None:
        one = GroupState(ME, Policy(), served=True, read_only=None)
        one.want(UNHEALTHY)
        one.found(0.0, Members((mine(100),)))
        assert one.gap() is None
        assert one.floor is not None
        one.observed.stale = True
        assert one.floor is None

    @pytest.mark.parametrize("wish", [HEALTHY, HELD, REMOVE, Wish(Phase.SERVE, Health.UNKNOWN)])
    def test_is_not_where_something_else_does(self, wish: Wish) -> None:
        one = GroupState(ME, Policy(), served=True, read_only=None)
        one.want(wish)
        one.found(0.0, Members((mine(100),)))
        assert one.floor is None

    def test_nor_where_the_policy_or_a_group_that_is_only_watched_does(self) -> None:
        for policy, read_only in ((Policy("ignore"), None), (Policy(), "not ours")):
            one = GroupState(ME, policy, served=True, read_only=read_only)
            one.want(UNHEALTHY)
            one.found(0.0, Members((mine(100),)))
            assert one.floor is None


class TestADrift:
    def test_is_a_change_of_what_was_established_here(self) -> None:
        one = state(HEALTHY, mine(100))
        assert one.reached()
        one.found(1.0, Members((*OTHERS, mine(13))))
        gap = one.gap()
        assert gap == Call(Op.SET_WEIGHT, mine(100))
        assert one.drifted(gap)
        assert one.begins(gap)
        assert one.drifted(gap)  # a repair establishes nothing new

    def test_is_not_what_was_never_reached_or_is_wanted_otherwise_by_now(self) -> None:
        one = state(HEALTHY, mine(13))
        gap = one.gap()
        assert gap is not None
        assert not one.drifted(gap)
        reached = state(HEALTHY, mine(100))
        reached.reached()
        reached.want(LOWER)
        gap = reached.gap()
        assert gap is not None
        assert not reached.begins(gap)
        reached.want(HEALTHY)
        reached.found(1.0, Members((*OTHERS, mine(13))))
        assert not reached.drifted(Call(Op.SET_WEIGHT, mine(100)))

    def test_is_not_a_predecessors_removal(self) -> None:
        one = state(HEALTHY, mine(100), PREDECESSOR)
        one.reached()
        gap = one.gap()
        assert gap == Call(Op.REMOVE, PREDECESSOR)
        assert not one.begins(gap)
        assert one.is_ours(mine(0))
        assert not one.is_ours(PREDECESSOR)
        assert not one.is_ours(None)


def test_nothing_is_reached_where_all_is_kept_or_under_way_or_doubted() -> None:
    assert not state(UNHEALTHY, mine(100), read_only="not ours").reached()
    assert not state(HEALTHY, mine(100, "configuring")).reached()
    doubted = state(HEALTHY, mine(0))
    doubted.observed.changed(1.0, Op.SET_WEIGHT, mine(100))
    doubted.found(2.0, Members((*OTHERS, mine(0))))
    assert not doubted.reached()


@pytest.mark.parametrize(("weight", "served"), [(100, True), (0, False)])
def test_who_is_found_in_rotation_at_the_first_read_has_served(weight: int, served: bool) -> None:
    one = state(Wish(), mine(weight), served=False)
    assert one.served is served
    one.found(1.0, Members((*OTHERS, mine(50))))
    assert one.served is served  # what others do later says nothing of the service


def test_who_has_reached_its_weight_has_served_and_who_was_only_lowered_has_not() -> None:
    for wish, weight, served in ((HEALTHY, 100, True), (HELD, 0, False)):
        one = state(Wish(), mine(0), served=False)
        one.want(wish)
        one.found(1.0, Members((*OTHERS, mine(weight))))
        one.observed.unseen = 2
        assert one.reached()
        assert one.observed.unseen == 0
        assert one.served is served


@pytest.mark.parametrize(
    ("servers", "wish", "stale"),
    [
        ([mine(0)], HEALTHY, False),  # raising is right whatever others do
        ([], HEALTHY, False),
        ([mine(100)], HEALTHY, True),
        ([mine(100)], UNHEALTHY, True),  # lowering is decided on what is
        ([mine(100)], LOWER, True),
        ([mine(100)], REMOVE, False),
        ([], REMOVE, True),
    ],
)
def test_a_new_wish_needs_a_read_where_what_others_do_makes_a_difference(
    servers: list[BackendServer], wish: Wish, stale: bool
) -> None:
    one = state(Wish(), *servers)
    one.observed.unseen = 1
    one.want(wish)
    assert one.observed.stale is stale
    assert one.observed.unseen == 0  # what is to be seen now is another change


@pytest.mark.parametrize(
    ("wish", "served", "gives_way"),
    [
        (UNHEALTHY, True, True),
        (UNHEALTHY, False, False),
        (HEALTHY, True, False),
        (replace(LOWER, local=Health.UNHEALTHY), True, False),
    ],
)
def test_who_served_gives_way_for_its_health_alone(
    wish: Wish, served: bool, gives_way: bool
) -> None:
    assert state(wish, mine(0), served=served).gives_way is gives_way


def test_absent_is_the_goal_of_a_removal() -> None:
    assert state(REMOVE, mine(0)).goal is ABSENT


class TestAVmThatKeepsItsPlace:
    KEEPS = replace(LOWER, keep=True)

    def test_says_so_with_its_weight_and_no_more_once_it_serves(self) -> None:
        one = state(self.KEEPS, mine(100))
        call = one.gap()
        assert call == Call(Op.SET_WEIGHT, ME.server(0, kept=True))
        assert call.server is not None
        assert call.server.description == "bosh/1/kept-while-stopped"
        again = state(HEALTHY, call.server)
        assert again.gap() == Call(Op.SET_WEIGHT, mine(100))

    def test_rests_once_a_read_has_shown_it(self) -> None:
        """An answer without content was taken for a change that was made."""
        one = state(self.KEEPS, mine(100))
        one.observed.changed(1.0, Op.SET_WEIGHT, ME.server(0, kept=True))
        assert (one.at_least(Place.LOWERED), one.at_least(Place.SEEN_LOWERED)) == (True, False)
        one.found(2.0, Members((*OTHERS, ME.server(0, kept=True))))
        assert (one.at_least(Place.LOWERED), one.at_least(Place.SEEN_LOWERED)) == (True, True)
        assert state(self.KEEPS).at_least(Place.SEEN_LOWERED)  # it is not in the group

    def test_is_told_by_no_call_of_its_own(self) -> None:
        assert state(self.KEEPS, mine(0)).gap() is None

    def test_has_to_be_healthy_first_when_it_comes_back(self) -> None:
        """The panic threshold protects who has served since it started."""
        one = state(self.KEEPS, mine(0))
        assert one.served
        assert one.reached()
        assert not one.served

    def test_has_served_as_before_where_it_is_not_stopped_after_all(self) -> None:
        one = state(LOWER, mine(0))
        one.reached()
        assert one.served
