"""How often another writer's change is undone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from slb_registration.reconcile.drift import LIMIT, WINDOW_SECONDS, Repairs


def test_three_repairs_within_ten_minutes_block_the_field_for_ten():
    repairs = Repairs()
    for at in (0.0, 100.0):
        repairs.made(at)
        assert repairs.blocked_until(at) is None
    repairs.made(599.0)
    assert repairs.blocked_until(599.0) == 1199.0
    assert repairs.blocked_until(1198.9) == 1199.0
    assert repairs.blocked_until(1199.0) is None
    assert repairs.total == 3


def test_repairs_ten_minutes_apart_block_nothing():
    repairs = Repairs()
    for at in (0.0, 300.0, 600.0, 900.0, 1200.0):
        repairs.made(at)
        assert repairs.blocked_until(at) is None


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(st.floats(0, 2000), max_size=40))
def test_no_more_than_the_limit_within_any_ten_minutes(waits):
    repairs, now, made = Repairs(), 0.0, []
    for wait in waits:
        now += wait
        if repairs.blocked_until(now) is None:
            repairs.made(now)
            made.append(now)
    for start in made:
        assert sum(start <= at < start + WINDOW_SECONDS for at in made) <= LIMIT
