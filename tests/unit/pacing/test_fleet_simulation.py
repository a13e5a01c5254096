"""A fleet against the API's quotas, in simulated time: the code of `make bench-fleet`, small.

`bound` is agents ÷ quota, in seconds.
"""

from __future__ import annotations

import pytest
from tests.bench.fleet_scenarios import (
    Outcome,
    drain,
    lose_the_api,
    register,
    register_naively,
    register_while_lost,
    rest,
)

SEEDS = (1, 2, 3)


def mean(outcome: Outcome) -> float:
    return sum(outcome.refused) / outcome.size


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("size", "product"), [(10, "clb"), (100, "clb"), (300, "clb"), (300, "nlb")]
)
def test_all_are_registered_within_the_bound_and_few_calls_are_refused(size, product, seed):
    outcome = register(size, product, seed)
    assert len(outcome.moments) == size
    assert outcome.until(1.0) <= 1.15 * outcome.bound
    assert mean(outcome) <= 2
    assert max(outcome.refused) <= 5


@pytest.mark.parametrize("seed", SEEDS)
def test_health_that_is_known_later_costs_no_more_refusals(seed):
    outcome = register(200, "clb", seed, known=False)
    assert outcome.until(1.0) <= 1.15 * outcome.bound
    assert mean(outcome) <= 2


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("factor", [1 / 20, 20])
def test_a_fleet_size_that_is_wrong_by_20_costs_no_more_than_twice_the_time(factor, seed):
    outcome = register(200, "clb", seed, factor=factor)
    assert outcome.until(1.0) <= 2 * outcome.bound


def test_a_fleet_that_fits_the_quota_is_registered_at_once():
    outcome = register(90, "clb", 1)
    assert outcome.longest_wait < 0.2
    assert sum(outcome.refused) == 0


def test_without_pacing_far_more_calls_are_refused():
    assert mean(register_naively(300, "clb", 1)) > 5 * mean(register(300, "clb", 1))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_whole_fleet_drains_within_the_bound(seed):
    outcome = drain(200, "clb", seed)
    assert len(outcome.moments) == 200
    assert outcome.until(1.0) <= 1.15 * outcome.bound
    assert mean(outcome) <= 2


def test_in_the_time_that_a_drain_has_as_many_are_lowered_as_the_quota_allows():
    outcome = drain(400, "clb", 1, timeout=120.0)
    allowed = 90 + 120 * 1.5
    assert 0.9 * allowed <= len(outcome.moments) <= allowed + 1


def test_after_an_api_was_lost_each_has_read_again_within_a_minute_and_none_is_refused():
    outcome = lose_the_api(200, "clb", 1)
    assert outcome.until(1.0) <= 61
    assert sum(outcome.refused) == 0


def test_an_api_that_is_lost_while_a_fleet_registers_costs_the_time_that_it_is_lost():
    outcome = register_while_lost(200, "clb", 1)
    assert outcome.until(1.0) <= 1.15 * outcome.bound
    assert mean(outcome) <= 3


@pytest.mark.parametrize("product", ["clb", "nlb"])
def test_at_rest_one_read_a_poll_of_each_kind_is_all(product):
    resting = rest(50, product, 1)
    for _, a_minute, share in resting.reads:
        assert a_minute == pytest.approx(50 / 5, rel=0.1)
        assert share <= 0.5
