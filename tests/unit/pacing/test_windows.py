"""The windows in which a fleet's agents try again after a refusal."""

from __future__ import annotations

import itertools
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_slb.core.quotas import PUBLISHED
from slb_registration.model.operations import WRITES, Op
from slb_registration.pacing.backoff import POLL_CEILING_SECONDS
from slb_registration.pacing.quotas import BUCKET_SECONDS, QUOTAS, Fleet, between_listings
from slb_registration.pacing.windows import SOONEST_SECONDS, Windows, windows

MANY = settings(derandomize=True, deadline=None, max_examples=200)
fleets = st.builds(Fleet, st.integers(1, 1_000_000), st.sampled_from(list(QUOTAS.values())))
ops = st.sampled_from(list(Op))
seeds = st.integers(0, 2**32)


def head(some: Windows, count: int = 40) -> list[tuple[float, float]]:
    return list(itertools.islice(some.row(), count))


# The quotas


def test_the_quotas_are_those_that_the_mocked_cloud_takes_from_the_documentation():
    for product, add in (
        ("slb", "AddBackendServers"),
        ("alb", "AddServersToServerGroup"),
        ("nlb", "AddServersToServerGroup"),
    ):
        quota = QUOTAS["clb" if product == "slb" else product]
        assert quota.writes == PUBLISHED[product, add]
    assert QUOTAS["clb"].reads == PUBLISHED["slb", "DescribeVServerGroupAttribute"]
    assert QUOTAS["nlb"].reads == PUBLISHED["nlb", "ListServerGroupServers"]
    for product in ("alb", "nlb"):
        assert QUOTAS[product].health == PUBLISHED[product, "GetListenerHealthStatus"]


def test_a_fleet_needs_as_long_as_the_quota_takes_to_serve_each_of_it_once():
    fleet = Fleet(9000, QUOTAS["clb"])
    assert [fleet.seconds(op) for op in WRITES] == [6000, 6000, 6000]
    assert fleet.seconds(Op.FIND) == 180
    assert fleet.between_polls(Op.FIND) == 400


@MANY
@given(fleet=fleets)
def test_a_fleet_at_rest_uses_no_more_than_half_of_a_read_quota(fleet: Fleet):
    for op in (Op.FIND, Op.HEALTH):
        a_minute = fleet.size * 60 / fleet.between_polls(op)
        assert a_minute <= fleet.quota.of(op) / 2 * 1.000001


def test_searches_by_tag_keep_to_half_of_the_quota_that_is_the_least():
    assert between_listings(5400, ["clb"]) == 240
    assert between_listings(5400, ["clb", "alb", "nlb"]) == 600
    assert between_listings(1, ["clb", "alb", "nlb"]) < 1


# The windows


@MANY
@given(fleet=fleets, op=ops, refused=ops, urgent=st.booleans())
def test_windows_follow_each_other_without_a_gap_and_without_end(fleet, op, refused, urgent):
    row = head(windows(fleet, op, refused, urgent=urgent))
    assert row[0][0] in (0, BUCKET_SECONDS)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(row))
    assert all(begin < end for begin, end in row)


@MANY
@given(fleet=fleets, op=ops)
def test_one_window_ends_when_the_quota_has_served_the_fleet_and_the_next_a_tenth_later(fleet, op):
    left = fleet.seconds(op) / (0.6 if op is Op.FIND else 1) - BUCKET_SECONDS
    whole = max(left, 5) if left > 0 else 15
    ends = [end for _, end in head(windows(fleet, op, op))]
    assert whole in ends
    assert whole * 1.1 == pytest.approx(ends[ends.index(whole) + 1])


@MANY
@given(fleet=fleets, op=ops, refused=ops, urgent=st.booleans())
def test_whatever_the_true_size_is_a_window_ends_within_twice_the_time_it_needs(
    fleet, op, refused, urgent
):
    """For a fleet that is larger than it was told, up to the factor that is provided for."""
    some = windows(fleet, op, refused, urgent=urgent)
    ends = [end for _, end in head(some)]
    for factor in (1.01, 1.3, 2, 5, 10, 20):
        true = some.whole * factor
        assert min(end for end in ends if end >= true) <= 2 * true


@MANY
@given(size=st.integers(1, 1_000_000), quota=st.sampled_from(list(QUOTAS.values())))
def test_a_fleet_of_a_twentieth_is_served_within_twice_the_time_that_it_needs(size, quota):
    told, true = Fleet(size, quota), Fleet(max(1, size // 20), quota)
    if true.seconds(Op.ADD) <= BUCKET_SECONDS:
        return  # the bucket holds enough: nobody is refused
    early = head(windows(told, Op.ADD, Op.ADD))[0][1]
    assert early <= 2 * true.seconds(Op.ADD)
    # The quota has served them by the end of that window, and without a queue.
    assert early >= true.seconds(Op.ADD) - BUCKET_SECONDS


def test_a_fleet_that_fits_the_quota_has_no_time_to_spread_over():
    for size in (1, 10, 90):
        assert head(windows(Fleet(size), Op.ADD, Op.ADD))[0] == (0, 15)


def test_what_takes_a_vm_out_of_rotation_is_tried_again_within_a_minute():
    for size in (500, 10_000, 1_000_000):
        assert head(windows(Fleet(size), Op.SET_WEIGHT, Op.SET_WEIGHT, urgent=True))[0] == (0, 60)


def test_a_drain_that_has_the_time_skips_the_first_minute_after_a_refused_read():
    fleet, whole = Fleet(10_000), 10_000 / 1.5 - 60

    def window(refused: Op, spare: float) -> tuple[float, float]:
        return head(windows(fleet, Op.SET_WEIGHT, refused, urgent=True, spare=spare))[0]

    assert window(Op.FIND, whole) == (0, whole)
    assert window(Op.FIND, whole - 1) == (0, 60)
    assert window(Op.SET_WEIGHT, whole) == (0, 60)  # few may be more than its bucket holds


def test_reads_that_were_refused_leave_a_part_of_their_quota_to_those_of_changes():
    (window, *_) = head(windows(Fleet(10_000, QUOTAS["nlb"]), Op.FIND, Op.FIND))
    assert window == (0, pytest.approx(500 / 0.6 - 60))


def test_a_refused_read_proves_a_fleet_for_which_an_early_window_must_be_longer():
    by_write = head(windows(Fleet(10_000), Op.ADD, Op.ADD))[0][1]
    by_read = head(windows(Fleet(10_000), Op.ADD, Op.FIND))[0][1]
    assert by_write == pytest.approx(583, abs=1)  # 1.75 times what 500 agents need
    assert by_read == pytest.approx(3500)  # 1.75 times what 3,000 agents need


def test_no_window_is_so_long_that_a_vm_is_forgotten():
    lengths = [end - begin for begin, end in head(windows(Fleet(1), Op.ADD, Op.ADD), 200)]
    assert max(lengths) == pytest.approx(POLL_CEILING_SECONDS)


# The tries


@MANY
@given(fleet=fleets, op=ops, seed=seeds)
def test_each_window_has_one_try_and_none_is_left_out(fleet, op, seed):
    some, random, moment, used = windows(fleet, op, op), Random(seed), 0.0, 0.0
    for begin, end in head(some, 15):
        moment, used = some.turn(moment, used, random)
        assert used >= end
        assert begin <= moment <= used + SOONEST_SECONDS * 1.001
        if used > end:
            return  # a window of less than half a second was passed over


@MANY
@given(fleet=fleets, op=ops, seed=seeds, late=st.floats(0.01, 0.99))
def test_a_try_that_came_late_has_the_rest_of_the_window_that_it_was_late_for(
    fleet, op, seed, late
):
    some = windows(fleet, op, op)
    (_, used), (begin, end) = head(some, 2)
    elapsed = begin + (end - begin) * late
    moment, then = some.turn(elapsed, used, Random(seed))
    assert elapsed < moment <= max(end, elapsed + 0.5)
    assert then == end


@MANY
@given(fleet=fleets, op=ops, seed=seeds, elapsed=st.floats(0, 1e6))
def test_a_refused_call_is_never_repeated_at_once(fleet, op, seed, elapsed):
    moment, _ = windows(fleet, op, op).turn(elapsed, 0.0, Random(seed))
    assert moment >= elapsed + 0.5


def test_in_the_window_of_the_whole_fleet_tries_come_evenly():
    some, random = windows(Fleet(10_000), Op.ADD, Op.ADD), Random(1)
    begin, end = head(some)[1]
    tries = [some.turn(begin, begin, random)[0] for _ in range(20_000)]
    for part in range(10):
        low = begin + (end - begin) * part / 10
        high = begin + (end - begin) * (part + 1) / 10
        assert 1800 <= sum(low <= at < high for at in tries) <= 2200
