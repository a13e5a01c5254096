"""Which calls fail, and what is said of it."""

from __future__ import annotations

import pytest
from tests.unit.driver import failure

from slb_registration.model.errors import Kind
from slb_registration.model.operations import Op
from slb_registration.reconcile.failures import Failures


def fail(failures: Failures, op: Op, kind: Kind, times: int = 1, **error):
    told = []
    for _ in range(times):
        failures.count(op, failure(kind, **error))
        told.append(failures.news(op, 12.34))
    return told


def test_the_first_failure_is_told_then_every_tenth_hundredth_and_so_on():
    told = fail(Failures(), Op.ADD, Kind.BUSY, 1000)
    assert [number for number, event in enumerate(told, 1) if event] == [1, 10, 100, 1000]
    assert told[99].fields["failures"] == 100
    assert told[99].fields["next_try_seconds"] == 12.3
    assert {event.level for event in told if event} == {"warning"}


@pytest.mark.parametrize("kind", [Kind.DENIED, Kind.NOT_FOUND, Kind.INVALID])
def test_what_cannot_succeed_is_told_once_as_an_error(kind):
    told = fail(Failures(), Op.ADD, kind, 1000)
    assert [number for number, event in enumerate(told, 1) if event] == [1]
    assert told[0].level == "error"


def test_a_code_not_known_is_taken_for_passing_at_first_and_for_good_once_it_stays():
    failures = Failures()
    told = fail(failures, Op.ADD, Kind.UNKNOWN, 1000)
    assert [(number, event.level) for number, event in enumerate(told, 1) if event] == [
        (1, "warning"),
        (10, "error"),
    ]
    assert failures.hopeless(Op.ADD)


def test_how_long_other_failures_have_lasted_says_nothing_of_a_code_not_known():
    failures = Failures()
    fail(failures, Op.ADD, Kind.UNAVAILABLE, 100)
    tries = [failures.count(Op.ADD, failure(Kind.UNKNOWN)) for _ in range(10)]
    assert tries == list(range(1, 11))
    assert failures.hopeless(Op.ADD)
    fail(failures, Op.ADD, Kind.BUSY)
    assert not failures.hopeless(Op.ADD)


def test_another_error_is_news():
    failures = Failures()
    fail(failures, Op.ADD, Kind.BUSY)
    (news,) = fail(failures, Op.ADD, Kind.DENIED, code="Forbidden.RAM")
    assert "Forbidden.RAM" in news.fields["error"]


def test_errors_that_take_turns_are_each_told_once_and_counted_together():
    failures = Failures()
    told = [
        event
        for kind in (Kind.UNAVAILABLE, Kind.LOST, Kind.BUSY) * 33
        for event in fail(failures, Op.FIND, kind)
    ]
    assert [number for number, event in enumerate(told, 1) if event] == [1, 2, 3, 10]

    failures.succeeded(Op.FIND)
    assert fail(failures, Op.FIND, Kind.LOST)[0].fields["failures"] == 1


def test_success_is_told_only_after_a_failure_and_starts_the_count_anew():
    failures = Failures()
    assert failures.succeeded(Op.ADD) is None
    fail(failures, Op.ADD, Kind.BUSY, 3)
    recovered = failures.succeeded(Op.ADD)
    assert recovered.level == "info"
    assert recovered.fields["after_failures"] == 3
    assert fail(failures, Op.ADD, Kind.BUSY)[0].fields["failures"] == 1


def test_the_failure_that_matters_most_is_a_changes_then_a_reads_then_healths():
    failures = Failures()
    assert failures.worst is None
    for op in (Op.HEALTH, Op.FIND, Op.REMOVE, Op.SET_WEIGHT, Op.ADD):
        fail(failures, op, Kind.BUSY, code=op.value)
        assert failures.worst.code == op.value
