"""Which calls fail, when each may be tried again, and what is said of it."""

from __future__ import annotations

import itertools
from random import Random

import pytest
from tests.unit.driver import failure

from slb_registration.model.errors import Kind
from slb_registration.model.operations import Op
from slb_registration.pacing.fleet import BUCKET_SECONDS, Fleet
from slb_registration.pacing.times import LATE, Turns, turns
from slb_registration.reconcile.retry import Attempts


def fail(attempts: Attempts, op: Op, kind: Kind, times: int = 1, **error):
    return [attempts.failed(100.0, Random(1), op, failure(kind, **error)) for _ in range(times)]


def test_a_call_that_failed_may_be_made_again_later_and_others_at_once():
    attempts = Attempts()
    fail(attempts, Op.ADD, Kind.BUSY)
    assert attempts.not_before(Op.ADD) >= 100.5
    assert attempts.not_before(Op.FIND) < 0


def test_the_first_failure_is_told_then_every_tenth_hundredth_and_so_on():
    told = fail(Attempts(), Op.ADD, Kind.BUSY, 1000)
    assert [number for number, event in enumerate(told, 1) if event] == [1, 10, 100, 1000]
    assert told[99].fields["failures"] == 100
    assert {event.level for event in told if event} == {"warning"}


@pytest.mark.parametrize("kind", [Kind.DENIED, Kind.NOT_FOUND, Kind.INVALID])
def test_what_cannot_succeed_is_told_once_as_an_error(kind):
    told = fail(Attempts(), Op.ADD, kind, 1000)
    assert [number for number, event in enumerate(told, 1) if event] == [1]
    assert told[0].level == "error"
    assert 240 <= told[0].fields["next_try_seconds"] <= 360


def test_a_code_not_known_is_taken_for_passing_at_first_and_for_good_once_it_stays():
    attempts = Attempts()
    told = fail(attempts, Op.ADD, Kind.UNKNOWN, 1000)
    assert [(number, event.level) for number, event in enumerate(told, 1) if event] == [
        (1, "warning"),
        (10, "error"),
    ]
    assert told[0].fields["next_try_seconds"] <= 2
    assert 240 <= told[9].fields["next_try_seconds"] <= 360
    assert attempts.hopeless(Op.ADD)


def test_how_long_other_failures_have_lasted_says_nothing_of_a_code_not_known():
    attempts = Attempts()
    fail(attempts, Op.ADD, Kind.UNAVAILABLE, 100)
    (first, *_, tenth) = fail(attempts, Op.ADD, Kind.UNKNOWN, 10, code="Whatever")
    assert first.fields["next_try_seconds"] <= 2
    assert tenth.level == "error"
    fail(attempts, Op.ADD, Kind.BUSY)
    assert not attempts.hopeless(Op.ADD)


def test_another_error_is_news():
    attempts = Attempts()
    fail(attempts, Op.ADD, Kind.BUSY)
    (news,) = fail(attempts, Op.ADD, Kind.DENIED, code="Forbidden.RAM")
    assert "Forbidden.RAM" in news.fields["error"]


def test_errors_that_take_turns_are_each_told_once_and_counted_together():
    attempts = Attempts()
    told = [
        event
        for kind in (Kind.UNAVAILABLE, Kind.LOST, Kind.BUSY) * 33
        for event in fail(attempts, Op.FIND, kind)
    ]
    assert [number for number, event in enumerate(told, 1) if event] == [1, 2, 3, 10]

    attempts.succeeded(Op.FIND)
    assert fail(attempts, Op.FIND, Kind.LOST)[0].fields["failures"] == 1


def test_success_is_told_only_after_a_failure_and_starts_the_count_anew():
    attempts = Attempts()
    assert attempts.succeeded(Op.ADD) is None
    fail(attempts, Op.ADD, Kind.BUSY, 3)
    recovered = attempts.succeeded(Op.ADD)
    assert recovered.level == "info"
    assert recovered.fields["after_failures"] == 3
    assert attempts.not_before(Op.ADD) < 0
    assert fail(attempts, Op.ADD, Kind.BUSY)[0].fields["failures"] == 1


def test_the_failure_that_matters_most_is_a_changes_then_a_reads_then_healths():
    attempts = Attempts()
    assert attempts.worst is None
    for op in (Op.HEALTH, Op.FIND, Op.REMOVE, Op.SET_WEIGHT, Op.ADD):
        fail(attempts, op, Kind.BUSY, code=op.value)
        assert attempts.worst.code == op.value


def test_what_is_allowed_may_be_tried_at_once_and_its_failures_are_still_known():
    attempts = Attempts()
    fail(attempts, Op.FIND, Kind.DENIED)
    attempts.allow(Op)
    assert attempts.not_before(Op.FIND) < 0
    assert attempts.worst.kind is Kind.DENIED


def test_a_pause_holds_back_one_kind_of_call():
    attempts = Attempts()
    attempts.pause(Op.REMOVE, 107.0)
    assert attempts.not_before(Op.REMOVE) == 107.0
    assert attempts.not_before(Op.ADD) < 0


# Refusals for throttling

FLEET = Fleet(10_000)


def test_a_refused_call_waits_in_the_windows_that_its_first_refusal_began():
    attempts, random = Attempts(), Random(1)
    attempts.failed(100.0, random, Op.ADD, failure(Kind.THROTTLED), FLEET)
    (_, early), (_, whole) = itertools.islice(turns(FLEET, Op.ADD, Op.ADD).windows(), 2)
    turn = attempts.not_before(Op.ADD)
    assert 100.5 <= turn <= 100 + early
    attempts.failed(turn, random, Op.ADD, failure(Kind.THROTTLED), FLEET)
    assert 100 + early <= attempts.not_before(Op.ADD) <= 100 + whole


def test_a_call_that_waits_keeps_its_windows_when_the_read_before_it_is_refused():
    attempts, random = Attempts(), Random(1)
    attempts.queue(100.0, random, Op.ADD, turns(FLEET, Op.ADD, Op.FIND))
    assert attempts.queued(Op.ADD)
    turn = attempts.not_before(Op.ADD)
    early = next(turns(FLEET, Op.ADD, Op.FIND).windows())[1]
    attempts.failed(turn, random, Op.ADD, failure(Kind.THROTTLED), FLEET)
    assert attempts.not_before(Op.ADD) >= 100 + early


@pytest.mark.parametrize("how", [Attempts.succeeded, lambda attempts, op: attempts.allow([op])])
def test_success_and_a_changed_purpose_end_the_waiting(how):
    attempts = Attempts()
    fail(attempts, Op.ADD, Kind.THROTTLED)
    assert attempts.queued(Op.ADD)
    how(attempts, Op.ADD)
    assert not attempts.queued(Op.ADD)
    assert attempts.not_before(Op.ADD) < 0


def test_haste_helps_what_waits_for_its_turn_and_nothing_that_failed_otherwise():
    attempts = Attempts()
    fail(attempts, Op.ADD, Kind.THROTTLED)
    fail(attempts, Op.REMOVE, Kind.DENIED)
    attempts.hurry((Op.ADD, Op.REMOVE))
    assert attempts.not_before(Op.ADD) < 0
    assert attempts.not_before(Op.REMOVE) >= 340


def test_turns_missed_while_the_api_was_lost_follow_after_the_last_the_latest_missed_first():
    """The quota of that time is made up for at its own rate."""
    back, made_up = 2000.0, {}
    for seed in range(50):
        attempts, random = Attempts(), Random(seed)
        attempts.queue(100.0, random, Op.ADD, Turns(5000, 5000))
        missed = attempts.not_before(Op.ADD)
        attempts.make_up(back, Op.ADD)
        if missed < back - BUCKET_SECONDS:
            made_up[missed] = attempts.not_before(Op.ADD)
        else:
            assert attempts.not_before(Op.ADD) == missed  # to come, or served by the bucket
    assert len(made_up) > 10
    assert made_up == {missed: pytest.approx(5100 + back - missed) for missed in made_up}


def test_a_turn_that_was_made_up_for_and_is_refused_is_followed_by_one_in_the_next_window():
    attempts, random = Attempts(), Random(1)
    attempts.queue(100.0, random, Op.ADD, Turns(1000, 1000))
    attempts.make_up(1600.0, Op.ADD)
    turn = attempts.not_before(Op.ADD)
    attempts.failed(turn, random, Op.ADD, failure(Kind.THROTTLED), FLEET)
    assert turn < attempts.not_before(Op.ADD) <= turn + 1000 * (LATE - 1)


def test_there_is_nothing_to_make_up_for_where_no_turn_was_waited_for():
    attempts = Attempts()
    attempts.make_up(2000.0, Op.ADD)
    assert attempts.not_before(Op.ADD) < 0
