"""Plain waiting: after failures, and between polls."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slb_registration.model.errors import HOPELESS, ApiError, Kind
from slb_registration.pacing import backoff

MANY = settings(derandomize=True, deadline=None, max_examples=200)
failures = st.integers(1, 10_000)
seeds = st.integers(0, 2**32)


class Edge(Random):
    """The least or the most that randomness can give."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self._value = value

    def random(self) -> float:
        return self._value


LEAST, MOST = Edge(0.0), Edge(1.0)


def error(kind: Kind) -> ApiError:
    return ApiError("A", kind, "c", "m")


@MANY
@given(kind=st.sampled_from(list(Kind)), count=failures, seed=seeds)
def test_no_failure_is_repeated_at_once_or_forgotten(kind: Kind, count: int, seed: int):
    seconds = backoff.after_failure(error(kind), count, Random(seed))
    assert 0.5 <= seconds <= 360


@pytest.mark.parametrize("kind", sorted(HOPELESS, key=lambda kind: kind.value))
@pytest.mark.parametrize("count", [1, 2, 1000])
def test_what_cannot_succeed_is_looked_at_every_300_seconds_give_or_take_a_fifth(kind, count):
    assert backoff.after_failure(error(kind), count, LEAST) == pytest.approx(240)
    assert backoff.after_failure(error(kind), count, MOST) == pytest.approx(360)


def test_a_code_not_known_has_about_three_minutes_before_it_is_taken_for_good():
    waits = [backoff.after_failure(error(Kind.UNKNOWN), count, Edge(0.5)) for count in range(1, 11)]
    assert waits[0] <= 2
    assert 120 <= sum(waits[:-1]) <= 300
    assert waits[-1] == pytest.approx(300)


@MANY
@given(kind=st.sampled_from(list(Kind)), count=failures, seed=seeds, pace=st.floats(0, 1000))
def test_what_takes_a_vm_out_of_rotation_sleeps_through_no_drain(kind, count, seed, pace):
    seconds = backoff.after_failure(error(kind), count, Random(seed), pace, urgent=True)
    assert 0.5 <= seconds <= (30 if kind is Kind.CLOCK else 15)


@pytest.mark.parametrize(
    ("kind", "floor", "first", "ceiling"),
    [
        (Kind.BUSY, 0.5, 2, 15),
        (Kind.THROTTLED, 2, 10, 120),
        (Kind.UNAVAILABLE, 0.5, 2, 60),
        (Kind.LOST, 0.5, 2, 60),
        (Kind.CONFLICT, 0.5, 1, 60),
        (Kind.GONE, 0.5, 2, 60),
        (Kind.CLOCK, 30, 60, 60),
        (Kind.CREDENTIALS, 5, 10, 60),
    ],
)
def test_backoff_doubles_from_its_first_to_its_ceiling_above_a_floor(kind, floor, first, ceiling):
    tops = [backoff.after_failure(error(kind), count, MOST) for count in range(1, 12)]
    assert tops[0] == pytest.approx(first)
    assert tops[1] == pytest.approx(min(2 * first, ceiling))
    assert tops == sorted(tops)
    assert tops[-1] == pytest.approx(ceiling)
    for count in (1, 5, 10**9):
        assert backoff.after_failure(error(kind), count, LEAST) == pytest.approx(floor)
    assert backoff.after_failure(error(kind), 10**9, MOST) == pytest.approx(ceiling)


def test_polls_stretch_from_the_interval_to_300_seconds():
    means = [backoff.until_next_poll(30, quiet, Edge(0.5)) for quiet in range(8)]
    assert means == pytest.approx([30, 60, 120, 240, 300, 300, 300, 300])
    assert backoff.until_next_poll(30, 10**9, Edge(0.5)) == pytest.approx(300)


def test_an_interval_longer_than_300_seconds_is_kept():
    assert backoff.until_next_poll(3600, 0, Edge(0.5)) == pytest.approx(3600)
    assert backoff.until_next_poll(3600, 99, Edge(0.5)) == pytest.approx(3600)


@MANY
@given(interval=st.floats(0.1, 86400), quiet=st.integers(0, 10_000), seed=seeds)
def test_polls_vary_by_a_fifth_of_their_interval(interval, quiet, seed):
    seconds = backoff.until_next_poll(interval, quiet, Random(seed))
    assert 0.8 * interval * 0.999 <= seconds <= 1.2 * max(300, interval) * 1.001


@MANY
@given(times=failures, seed=seeds)
def test_a_change_that_was_accepted_is_not_repeated_before_it_was_looked_up(times, seed):
    assert backoff.until_repeated(times, Random(seed)) >= 2 * backoff.PENDING_SECONDS


@pytest.mark.parametrize("count", [9, 10, 10**6])
def test_after_long_a_fleet_calls_a_lost_api_no_faster_than_its_quota_allows(count):
    for kind in (Kind.UNAVAILABLE, Kind.LOST, Kind.CREDENTIALS):
        waits = [
            backoff.after_failure(error(kind), count, Random(seed), 200.0) for seed in range(200)
        ]
        assert 181 <= min(waits) <= max(waits) <= 221
        assert sum(waits) / len(waits) == pytest.approx(200, rel=0.02)


def test_the_first_failures_are_repeated_as_soon_by_a_large_fleet_as_by_a_single_agent():
    for count in range(1, 6):
        alone, fleet = (
            backoff.after_failure(error(Kind.LOST), count, Random(3), pace) for pace in (0, 200)
        )
        assert alone == fleet
