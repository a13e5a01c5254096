"""What a registration should be, for every state of a group: pure, so tried on all small ones."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.driver import HEALTHY, UNHEALTHY, UNKNOWN, member

from slb_registration.model.desired import ABSENT, KEEP, Floor, Phase, Policy, Wish
from slb_registration.model.health import Health
from slb_registration.model.identity import KEPT, Identity
from slb_registration.model.server_group import BackendServer, Members
from slb_registration.reconcile.desired_state import decide, floor

ME = Identity("i-5", None, 80, marker="bosh/me", replaces=True)
POLICIES = ("weight_zero", "remove", "ignore")
MANY = settings(max_examples=80, derandomize=True, deadline=None)


def group(*weights: int, mine: int | None = None) -> Members:
    """i-0, i-1, … with these weights, and this VM (i-5) unless it is None."""
    servers = [member(f"i-{number}", weight) for number, weight in enumerate(weights)]
    if mine is not None:
        servers.append(member("i-5", mine))
    return Members(tuple(servers))


def goal(wish: Wish, members: Members, *, policy=None, served=True, broken_reads=0, me=ME):
    return decide(wish, me, policy or Policy(), members, served=served, broken_reads=broken_reads)


members_of_any_kind = st.builds(
    lambda weights, mine: group(*weights, mine=mine),
    st.lists(st.integers(0, 100), max_size=5),
    st.none() | st.integers(0, 100),
)
policies = st.builds(Policy, st.sampled_from(POLICIES), st.integers(0, 100))


# Phases


@MANY
@given(members=members_of_any_kind, policy=policies, local=st.sampled_from(list(Health)))
def test_a_vm_that_is_removed_is_absent_whatever_else_is(members, policy, local):
    assert goal(Wish(Phase.REMOVE, local), members, policy=policy) is ABSENT


@MANY
@given(
    members=members_of_any_kind,
    policy=policies,
    local=st.sampled_from(list(Health)),
    phase=st.sampled_from([Phase.LOWER, Phase.HOLD]),
)
def test_a_vm_that_is_held_or_drains_has_weight_0_or_is_not_there(members, policy, local, phase):
    wanted = goal(Wish(phase, local), members, policy=policy)
    assert wanted == (KEEP if members.get("i-5", None) is None else 0)


@MANY
@given(members=members_of_any_kind, policy=policies, served=st.booleans())
def test_a_healthy_vm_has_its_weight(members, policy, served):
    assert goal(HEALTHY, members, policy=policy, served=served) == 80


@MANY
@given(members=members_of_any_kind, policy=policies, served=st.booleans())
def test_unknown_health_changes_nothing_that_is_there_and_registers_with_weight_0(
    members, policy, served
):
    wanted = goal(UNKNOWN, members, policy=policy, served=served)
    assert wanted == (0 if members.get("i-5", None) is None else KEEP)


# Unhealthy: the panic threshold


@pytest.mark.parametrize(
    ("threshold", "size", "needed"),
    [
        (50, 1, 1),
        (50, 2, 1),
        (50, 3, 2),
        (50, 4, 2),
        (34, 3, 2),
        (33, 3, 1),
        (1, 100, 1),
        (100, 3, 3),
        (0, 3, 0),
        (50, 0, 0),
    ],
)
def test_the_threshold_is_rounded_up(threshold: int, size: int, needed: int):
    view = floor(ME, Policy(panic_threshold=threshold), group(*[100] * size))
    assert view.needed == needed
    assert view.up == size


@pytest.mark.parametrize("others", list(itertools.product([0, 100], repeat=3)))
@pytest.mark.parametrize("threshold", [0, 1, 25, 50, 51, 75, 100])
def test_an_unhealthy_vm_is_lowered_only_if_enough_others_stay_up(others, threshold):
    members = group(*others, mine=80)
    wanted = goal(UNHEALTHY, members, policy=Policy("weight_zero", threshold))
    stays = sum(weight > 0 for weight in others)
    assert wanted == (0 if stays * 100 >= threshold * 4 else KEEP)


def test_the_only_server_of_a_group_keeps_its_weight():
    assert goal(UNHEALTHY, group(mine=80)) is KEEP
    assert goal(UNHEALTHY, group(mine=80), policy=Policy(panic_threshold=0)) == 0


def test_a_vm_that_was_never_healthy_is_lowered_whatever_the_threshold():
    members = group(0, 0, 0, mine=0)
    assert goal(UNHEALTHY, members, served=False) == 0
    assert goal(UNHEALTHY, members, served=False, broken_reads=9) == 0
    remove = Policy("remove", 50)
    assert goal(UNHEALTHY, members, served=False, policy=remove) is ABSENT


@pytest.mark.parametrize(
    ("others", "broken_reads", "restored"),
    [
        # 4 servers, 2 needed, all down: the two first by ServerId.
        ((0, 0, 0), 0, False),
        ((0, 0, 0), 1, False),
        ((0, 0, 0), 2, True),
        ((100, 0, 0), 0, False),
        ((100, 0, 0), 2, True),
        ((100, 100, 0), 9, False),  # enough are up
    ],
)
def test_those_first_by_server_id_restore_themselves_others_with_every_further_read(
    others, broken_reads, restored
):
    members = group(*others, mine=0)
    assert goal(UNHEALTHY, members, broken_reads=broken_reads) == (80 if restored else 0)


def test_the_first_by_server_id_restores_itself_at_once():
    first = Identity("i-0", None, 80)
    last = Identity("i-3", None, 80)
    members = group(0, 0, 0, 0)
    assert goal(UNHEALTHY, members, me=first) == 80
    assert goal(UNHEALTHY, members, me=last) == 0


@MANY
@given(weights=st.lists(st.integers(0, 1), min_size=1, max_size=8), threshold=st.integers(0, 100))
def test_exactly_as_many_restore_themselves_as_are_missing(weights, threshold):
    members = group(*weights)
    policy = Policy("weight_zero", threshold)
    rising = [
        server.server_id
        for server in members.servers
        if server.weight == 0
        and goal(UNHEALTHY, members, policy=policy, me=Identity(server.server_id, None, 80)) == 80
    ]
    view = floor(ME, policy, members)
    assert len(rising) == max(0, view.needed - view.up)
    assert rising == sorted(s.server_id for s in members.servers if s.weight == 0)[: len(rising)]


@MANY
@given(members=members_of_any_kind, policy=policies, broken_reads=st.integers(0, 9))
def test_a_single_decision_never_breaks_the_floor(members, policy, broken_reads):
    mine = members.get("i-5", None)
    wanted = goal(UNHEALTHY, members, policy=policy, broken_reads=broken_reads)
    view = floor(ME, policy, members)
    if mine is not None and mine.weight > 0 and wanted in (0, ABSENT):
        assert view.up - 1 >= view.needed


@MANY
@given(members=members_of_any_kind, policy=policies, broken_reads=st.integers(0, 9))
def test_what_was_decided_stays_decided_while_nothing_changes(members, policy, broken_reads):
    """No flapping: once the goal is reached, the same view wants nothing else."""
    wanted = goal(UNHEALTHY, members, policy=policy, broken_reads=broken_reads)
    if not isinstance(wanted, int):
        return
    others = tuple(server for server in members.servers if server.server_id != "i-5")
    reached = Members((*others, member("i-5", wanted)))
    again = goal(UNHEALTHY, reached, policy=policy, broken_reads=broken_reads)
    assert again in (wanted, KEEP) or members.get("i-5", None) is None


def test_a_predecessor_does_not_count_for_the_threshold():
    old = member("i-old", 100, "bosh/me/web")
    members = Members((*group(100, mine=80).servers, old))
    assert floor(ME, Policy(), members).up == 2
    assert floor(ME, Policy(), members).needed == 1


@pytest.mark.parametrize("state", ["removing", "draining"])
def test_a_server_that_is_being_taken_out_does_not_count_for_the_threshold(state):
    others = [member("i-2"), *(replace(member(f"i-{n}"), state=state) for n in (3, 4))]
    assert floor(ME, Policy(), Members((member("i-5"), *others))) == Floor(needed=1, up=2)


def test_policy_remove_shows_itself_again_at_weight_0_while_the_floor_is_broken():
    broken = group(0, 0, 100)
    assert goal(UNHEALTHY, broken, policy=Policy("remove", 50)) == 0
    fine = group(100, 100, 0)
    assert goal(UNHEALTHY, fine, policy=Policy("remove", 50)) is ABSENT


def test_policy_ignore_keeps_what_served_at_its_weight():
    assert goal(UNHEALTHY, group(mine=80), policy=Policy("ignore")) == 80
    assert goal(UNHEALTHY, group(), policy=Policy("ignore")) == 80
    assert goal(UNHEALTHY, group(), policy=Policy("ignore"), served=False) == 0
    assert goal(UNHEALTHY, group(mine=3), policy=Policy("ignore"), served=False) is KEEP


# Who we are


@pytest.mark.parametrize(
    ("description", "ours"),
    [
        ("bosh/me", True),
        ("bosh/me/", True),
        ("bosh/me/web", True),
        ("bosh/me2", False),
        ("bosh/m", False),
        ("Bosh/me", False),
        ("xbosh/me", False),
        ("", False),
    ],
)
def test_the_marker_is_compared_as_a_whole(description: str, ours: bool):
    assert ME.is_predecessor(member("i-old", 100, description)) is ours


def test_this_vm_is_not_its_own_predecessor():
    assert not ME.is_predecessor(member("i-5", 100, "bosh/me"))


@pytest.mark.parametrize(
    ("marker", "description", "text"),
    [("bosh/x", "web", "bosh/x/web"), ("bosh/x", "", "bosh/x"), ("", "web", "web"), ("", "", "")],
)
def test_the_description_is_the_marker_and_what_the_operator_says(marker, description, text):
    me = Identity("i-5", None, 80, marker, description)
    assert me.server(7) == member("i-5", 7, text)


# VMs that are stopped for a while


def kept(name: str, weight: int = 0) -> BackendServer:
    return replace(member(name, weight), description=f"bosh/{name}/{KEPT}")


@pytest.mark.parametrize(
    ("other", "counts"),
    [
        (kept("i-9"), False),
        (kept("i-9", 100), True),  # it gets requests, whatever it says
        (replace(kept("i-9"), description=KEPT), True),  # none of ours
        (replace(kept("i-9"), description=f"bosh/i-9/not-{KEPT}"), True),
        (member("i-9", 0), True),
    ],
)
def test_who_is_stopped_for_a_while_counts_neither_for_nor_against_the_threshold(other, counts):
    members = Members((*group(100, mine=100).servers, other))
    assert floor(ME, Policy(panic_threshold=100), members).needed == 2 + counts


def test_this_vm_counts_as_soon_as_it_runs():
    """Its registration may still say that it was stopped: it has not changed since."""
    mine = replace(kept("i-5"), description=f"bosh/me/{KEPT}")
    members = Members((*group(0, 0).servers, mine))
    assert floor(ME, Policy(), members) == Floor(needed=2, up=0)
    assert goal(UNHEALTHY, members, broken_reads=9) == 80
