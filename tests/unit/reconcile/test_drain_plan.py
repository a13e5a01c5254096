"""The order of a drain and its times."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slb_registration.model.configuration import Drain
from slb_registration.model.desired import Phase
from slb_registration.reconcile.drain_plan import DrainPlan, Progress, Stage

NOT_YET = Progress(lowered=False, removed=False)
LOWERED = Progress(lowered=True, removed=False)
RESTS = Progress(lowered=True, removed=False, rests=True)
GONE = Progress(lowered=True, removed=True)


def plan(
    method: str = "weight_zero", *, timeout: float = 120, min_wait: float = 10, started: float = 0
) -> DrainPlan:
    return DrainPlan(Drain(timeout, min_wait, method, None, (), "continue"), started)


def test_weight_zero_lowers_waits_for_connections_removes():
    one = plan()
    assert (one.stage, one.phase) == (Stage.LOWERING, Phase.LOWER)
    assert one.step(1, [NOT_YET, LOWERED], 0) is Stage.LOWERING
    assert one.step(2, [LOWERED, LOWERED], 0) is Stage.WAITING
    assert one.phase is Phase.LOWER
    assert one.step(13, [LOWERED, LOWERED], 3) is Stage.WAITING
    assert one.step(20, [LOWERED, LOWERED], 0) is Stage.REMOVING
    assert one.phase is Phase.REMOVE
    assert one.step(21, [GONE, LOWERED], 0) is Stage.REMOVING
    assert one.step(22, [GONE, GONE], 0) is Stage.DONE
    assert one.phase is Phase.REMOVE


def test_remove_leaves_first_and_waits_afterwards():
    one = plan("remove")
    assert (one.stage, one.phase) == (Stage.REMOVING, Phase.REMOVE)
    assert one.step(1, [LOWERED], 5) is Stage.REMOVING
    assert one.step(2, [GONE], 5) is Stage.WAITING
    assert one.phase is Phase.REMOVE
    assert one.step(13, [GONE], 5) is Stage.WAITING
    assert one.step(14, [GONE], 0) is Stage.DONE


@pytest.mark.parametrize("method", ["weight_zero", "remove"])
def test_the_shortest_wait_is_kept_even_without_connections(method: str):
    """SLB passes a change on within seconds: a connection may still come after weight 0."""
    one = plan(method)
    one.step(2, [GONE], 0)
    assert one.stage is Stage.WAITING
    assert one.step(11.9, [GONE], 0) is Stage.WAITING
    assert one.step(12, [GONE], 0) is not Stage.WAITING


@pytest.mark.parametrize("method", ["weight_zero", "remove"])
def test_without_a_shortest_wait_connections_are_still_counted_before_going_on(method: str):
    # Found by this test: with min_wait 0 nobody was waited for.
    one = plan(method, min_wait=0)
    assert not one.waits_for_connections()
    assert one.step(1, [GONE], 0) is Stage.WAITING
    assert one.waits_for_connections()
    assert one.step(1.2, [GONE], 7) is Stage.WAITING
    assert one.step(1.4, [GONE], 0) is Stage.DONE


def test_connections_that_remain_do_not_stop_the_removal():
    one = plan()
    one.step(1, [LOWERED], 0)
    assert one.step(104.9, [LOWERED], 9) is Stage.WAITING
    assert one.step(105, [LOWERED], 9) is Stage.REMOVING  # 15 s are kept for it


def test_after_a_removal_the_wait_for_connections_ends_before_the_drain_must():
    # Found by this test: the last moment was too late for whoever waited for the drain.
    one = plan("remove")
    one.step(1, [GONE], 0)
    assert one.step(104.9, [GONE], 9) is Stage.WAITING
    assert one.step(105, [GONE], 9) is Stage.DONE


@pytest.mark.parametrize(("timeout", "removal_at"), [(120, 105), (60, 45), (20, 15), (4, 3)])
def test_a_share_of_the_time_is_kept_for_the_removal(timeout: float, removal_at: float):
    one = plan(timeout=timeout)
    assert one.step(removal_at - 0.01, [NOT_YET], 0) is Stage.LOWERING
    assert one.step(removal_at, [NOT_YET], 0) is Stage.REMOVING


def test_a_weight_that_cannot_be_lowered_still_leads_to_the_removal():
    one = plan()
    assert one.step(105, [NOT_YET], 0) is Stage.REMOVING
    assert one.step(10_000, [NOT_YET], 0) is Stage.REMOVING
    assert one.step(10_001, [GONE], 0) is Stage.DONE


def test_without_server_groups_there_is_only_the_wait():
    one = plan()
    assert one.step(0, [], 0) is Stage.WAITING
    assert one.step(10, [], 0) is Stage.DONE


def test_a_drain_that_is_done_stays_done():
    one = plan(min_wait=0)
    for at in (0, 1, 2):
        one.step(at, [GONE], 0)
    assert one.stage is Stage.DONE
    assert one.step(3, [NOT_YET], 9) is Stage.DONE


def test_what_is_left_of_the_time_is_never_negative():
    one = plan(started=100)
    assert one.seconds_left(100) == 120
    assert one.seconds_left(200) == 20
    assert one.seconds_left(500) == 0


def test_a_drain_that_has_used_its_time_before_a_restart_removes_at_once():
    one = plan(started=-500)
    assert one.step(0, [NOT_YET], 9) is Stage.REMOVING


progress = st.sampled_from([NOT_YET, LOWERED, GONE])
steps = st.lists(
    st.tuples(st.floats(0, 30), st.lists(progress, max_size=3), st.integers(0, 3)), max_size=30
)
ORDER = {
    "weight_zero": [Stage.LOWERING, Stage.WAITING, Stage.REMOVING, Stage.DONE],
    "remove": [Stage.REMOVING, Stage.WAITING, Stage.DONE],
}


@settings(derandomize=True, deadline=None, max_examples=200)
@given(method=st.sampled_from(sorted(ORDER)), script=steps, timeout=st.floats(1, 300))
def test_stages_only_go_forward_and_done_is_only_said_of_groups_that_are_left(
    method, script, timeout
):
    one, now, before = plan(method, timeout=timeout), 0.0, None
    left = False
    for wait, groups, connections in script:
        now += wait
        stage = one.step(now, groups, connections)
        left = left or all(group.removed for group in groups)
        assert before is None or ORDER[method].index(stage) >= ORDER[method].index(before)
        assert stage is not Stage.DONE or left
        if now >= timeout:
            assert stage is not Stage.LOWERING
            assert one.phase is Phase.REMOVE or stage is Stage.WAITING
        before = stage


# A VM that comes back


def test_who_comes_back_keeps_its_place_once_its_connections_are_gone():
    one = plan()
    one.step(1, [RESTS], 0, pre_stop=True, keep=True)
    assert one.step(11, [RESTS], 3, pre_stop=True, keep=True) is Stage.AWAITING_DRAIN
    assert one.step(12, [RESTS], 3, keep=True) is Stage.WAITING
    assert one.step(13, [RESTS], 3, keep=True) is Stage.WAITING
    assert one.step(14, [RESTS], 0, keep=True) is Stage.DONE
    assert one.phase is Phase.LOWER


def test_who_was_not_seen_with_weight_0_is_removed_though_it_comes_back():
    """Found by the faults: the API took the change, and had not made it."""
    one = plan()
    one.step(1, [RESTS, LOWERED], 0, keep=True)
    assert one.step(11, [RESTS, LOWERED], 0, keep=True) is Stage.REMOVING


def test_who_does_not_come_back_after_all_is_removed():
    """Only the drain knows that the job is taken off the VM."""
    one = plan()
    one.step(1, [RESTS], 0, pre_stop=True, keep=True)
    one.step(11, [RESTS], 0, pre_stop=True, keep=True)
    one.step(12, [RESTS], 0)
    assert one.step(13, [RESTS], 0) is Stage.REMOVING
    assert one.phase is Phase.REMOVE


def test_who_cannot_be_lowered_is_removed_though_it_comes_back():
    one = plan()
    assert one.step(105, [NOT_YET], 0, keep=True) is Stage.REMOVING
    assert one.step(106, [GONE], 0, keep=True) is Stage.DONE
    assert one.phase is Phase.REMOVE


def test_where_weights_count_for_nothing_nobody_keeps_its_place():
    one = plan("remove")
    one.step(1, [GONE], 0, keep=True)
    assert one.step(12, [GONE], 0, keep=True) is Stage.DONE
    assert one.phase is Phase.REMOVE


@pytest.mark.parametrize("pre_stop", [True, False])
def test_who_may_be_in_rotation_for_all_that_the_api_lists_is_removed(pre_stop: bool):
    one = plan()
    unproven = Progress(lowered=True, removed=False, unproven=True)
    one.step(1, [RESTS, unproven], 0, pre_stop=pre_stop)
    assert one.step(11, [RESTS, unproven], 0, pre_stop=pre_stop) is Stage.REMOVING
