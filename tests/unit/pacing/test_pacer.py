"""The door to the pacing: when a VM may call in a server group, from how its calls ended."""

from __future__ import annotations

from random import Random

import pytest
from tests.unit.driver import failure

from slb_registration.model.errors import Kind
from slb_registration.model.operations import NEVER, Op
from slb_registration.pacing.backoff import POLL_CEILING_SECONDS, while_awaited
from slb_registration.pacing.pacer import Ahead, Pacer
from slb_registration.pacing.polls import AFTER_LOWERING_SECONDS, CROWDED, CROWDED_RECOVERY
from slb_registration.pacing.quotas import BUCKET_SECONDS, QUOTAS, Fleet
from slb_registration.pacing.windows import LATE, windows

NOW = 1000.0
INTERVAL = 30.0
FLEET = Fleet(10_000)
REGISTERS = Ahead(Op.ADD, unread=True, undone=True, drains=False)
DRAINS = Ahead(Op.SET_WEIGHT, unread=True, undone=True, drains=True)


class Middle(Random):
    """No spread: always what lies in the middle."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


MIDDLE = Middle()


@pytest.fixture
def pacer() -> Pacer:
    return Pacer(INTERVAL)


def fail(
    pacer: Pacer, op: Op, kind: Kind, ahead: Ahead | None = None, now: float = NOW, seed: int = 1
) -> float:
    """`op` has failed; when it may be called again."""
    pacer.failed(now, Random(seed), op, failure(kind), ahead)
    return pacer.not_before(op)


def found(pacer: Pacer, *, quiet: bool = False, under_way: bool = False) -> float:
    """A read has come; seconds until the next."""
    pacer.came_through(NOW)
    pacer.found(NOW, MIDDLE, quiet=quiet, under_way=under_way)
    return pacer.next_read - NOW


# Calls that fail


def test_at_first_all_may_be_called_at_once(pacer: Pacer) -> None:
    assert {pacer.not_before(op) for op in Op} == {NEVER}
    assert pacer.next_read == NEVER


def test_a_call_that_failed_may_be_made_again_later_and_others_at_once(pacer: Pacer) -> None:
    assert fail(pacer, Op.ADD, Kind.BUSY) >= NOW + 0.5
    assert pacer.not_before(Op.FIND) == NEVER


@pytest.mark.parametrize("kind", [Kind.THROTTLED, Kind.DENIED])
def test_success_and_a_changed_purpose_end_the_waiting(pacer: Pacer, kind: Kind) -> None:
    for ends in (lambda: pacer.succeeded(Op.ADD), pacer.begin_anew):
        fail(pacer, Op.ADD, kind)
        ends()
        assert not pacer.queued(Op.ADD)
        assert pacer.not_before(Op.ADD) == NEVER


def test_haste_helps_what_waits_for_its_turn_and_nothing_that_failed_otherwise(
    pacer: Pacer,
) -> None:
    fail(pacer, Op.SET_WEIGHT, Kind.THROTTLED)
    fail(pacer, Op.REMOVE, Kind.DENIED)
    turn = fail(pacer, Op.ADD, Kind.THROTTLED)
    pacer.hurry()
    assert pacer.not_before(Op.SET_WEIGHT) == NEVER
    assert pacer.not_before(Op.REMOVE) >= NOW + 240
    assert pacer.not_before(Op.ADD) == turn  # to register is not urgent


def test_when_post_start_begins_to_wait_what_failed_is_retried_and_turns_are_kept(
    pacer: Pacer,
) -> None:
    turn = fail(pacer, Op.ADD, Kind.THROTTLED)
    fail(pacer, Op.FIND, Kind.DENIED)
    pacer.retry()
    assert pacer.not_before(Op.FIND) == NEVER
    assert pacer.not_before(Op.ADD) == turn


# Turns


def test_a_refused_call_waits_in_the_windows_that_its_first_refusal_began() -> None:
    pacer, row = Pacer(INTERVAL, FLEET), windows(FLEET, Op.ADD, Op.ADD).row()
    (begin, early), (_, whole) = next(row), next(row)
    turn = fail(pacer, Op.ADD, Kind.THROTTLED)
    assert pacer.queued(Op.ADD)
    assert NOW + begin <= turn <= NOW + early
    again = fail(pacer, Op.ADD, Kind.THROTTLED, now=turn)
    assert NOW + early <= again <= NOW + whole


def test_a_refused_read_queues_the_write_after_it_which_keeps_the_windows_of_that_refusal() -> None:
    pacer = Pacer(INTERVAL, FLEET)
    fail(pacer, Op.FIND, Kind.THROTTLED, REGISTERS)
    (begin, early), turn = next(windows(FLEET, Op.ADD, Op.FIND).row()), pacer.not_before(Op.ADD)
    assert NOW + begin <= turn <= NOW + early
    assert fail(pacer, Op.ADD, Kind.THROTTLED, REGISTERS, now=turn) >= NOW + early


@pytest.mark.parametrize(
    ("fleet", "ahead"),
    [
        (FLEET, None),
        (FLEET, Ahead(Op.ADD, unread=False, undone=True, drains=False)),  # a poll
        (Fleet(90), REGISTERS),  # the bucket serves all of them at once
    ],
)
def test_a_refused_read_is_no_news_where_no_write_waits_for_it_or_the_bucket_holds_enough(
    fleet: Fleet, ahead: Ahead | None
) -> None:
    pacer = Pacer(INTERVAL, fleet)
    fail(pacer, Op.FIND, Kind.THROTTLED, ahead)
    assert pacer.queued(Op.FIND)
    assert not pacer.queued(Op.ADD)


def test_the_read_comes_with_the_turn_of_the_write_if_that_is_within_its_own_window() -> None:
    read_window = windows(FLEET, Op.FIND, Op.FIND).whole
    near = 0
    for seed in range(100):
        pacer = Pacer(INTERVAL, FLEET)
        read = fail(pacer, Op.FIND, Kind.THROTTLED, REGISTERS, seed=seed)
        turn = pacer.not_before(Op.ADD)
        assert (read == turn) == (turn <= NOW + read_window)
        near += read == turn
    assert 0 < near < 100


def test_the_read_of_a_drain_comes_after_the_turn_of_the_write_that_does_without_it() -> None:
    pacer = Pacer(INTERVAL, FLEET, drain_seconds=120)
    read = fail(pacer, Op.FIND, Kind.THROTTLED, DRAINS)
    turn = pacer.not_before(Op.SET_WEIGHT)
    assert turn <= NOW + 60
    assert read == turn + 0.5


def test_a_drain_has_its_turn_among_the_whole_fleet_if_half_of_its_time_is_enough() -> None:
    whole = windows(FLEET, Op.SET_WEIGHT, Op.FIND).whole
    for seconds, window in ((120, 60), (2 * whole - 1, 60), (2 * whole, whole)):
        pacer = Pacer(INTERVAL, FLEET, drain_seconds=seconds)
        pacer.failed(NOW, MIDDLE, Op.FIND, failure(Kind.THROTTLED), DRAINS)
        assert pacer.not_before(Op.SET_WEIGHT) == NOW + window / 2


def test_while_a_vm_waits_for_its_turn_there_is_nothing_to_see() -> None:
    pacer = Pacer(INTERVAL, FLEET)
    turn = fail(pacer, Op.ADD, Kind.THROTTLED, REGISTERS)
    assert pacer.next_read == turn
    pacer.found(NOW, Random(1), REGISTERS, quiet=False, under_way=True)
    assert pacer.next_read == turn
    registered = Ahead(Op.ADD, unread=False, undone=False, drains=False)
    pacer.found(NOW, Random(1), registered, quiet=False, under_way=True)
    assert pacer.next_read == NOW + 4


def lost_and_back(seed: int, back: float) -> tuple[float, float]:
    """The turn to register, and what it is after the API was lost until `back`."""
    pacer = Pacer(INTERVAL, FLEET)
    fail(pacer, Op.FIND, Kind.THROTTLED, REGISTERS, seed=seed)
    missed = pacer.not_before(Op.ADD)
    fail(pacer, Op.FIND, Kind.LOST, REGISTERS, seed=seed)
    pacer.came_through(back, REGISTERS)
    return missed, pacer.not_before(Op.ADD)


def test_turns_missed_while_the_api_was_lost_follow_after_the_last_the_latest_missed_first() -> (
    None
):
    """The quota of that time is made up for at its own rate."""
    back, made_up = NOW + 2000, {}
    _, end = next(windows(FLEET, Op.ADD, Op.FIND).row())
    for seed in range(50):
        missed, turn = lost_and_back(seed, back)
        if missed < back - BUCKET_SECONDS:
            made_up[missed] = turn
        else:
            assert turn == missed  # to come, or served by the bucket
    assert 10 < len(made_up) < 50
    assert made_up == {missed: pytest.approx(NOW + end + back - missed) for missed in made_up}


def test_a_turn_that_was_made_up_for_and_is_refused_is_followed_by_one_in_the_next_window() -> None:
    small = Fleet(1000)
    pacer = Pacer(INTERVAL, small)
    fail(pacer, Op.ADD, Kind.THROTTLED)
    turn = fail(pacer, Op.ADD, Kind.THROTTLED, now=pacer.not_before(Op.ADD))
    fail(pacer, Op.FIND, Kind.LOST)
    pacer.came_through(turn + 600, REGISTERS)
    made_up = pacer.not_before(Op.ADD)
    again = fail(pacer, Op.ADD, Kind.THROTTLED, now=made_up)
    whole = windows(small, Op.ADD, Op.ADD).whole
    assert made_up == pytest.approx(NOW + whole + 600)
    assert made_up < again <= made_up + whole * (LATE - 1)


def test_there_is_nothing_to_make_up_for_where_no_turn_was_waited_for(pacer: Pacer) -> None:
    fail(pacer, Op.FIND, Kind.LOST)
    pacer.came_through(2 * NOW, REGISTERS)
    assert pacer.not_before(Op.ADD) == NEVER


def test_a_turn_that_came_while_the_read_was_only_refused_was_not_missed() -> None:
    pacer = Pacer(INTERVAL, FLEET)
    fail(pacer, Op.FIND, Kind.THROTTLED, REGISTERS)
    turn = pacer.not_before(Op.ADD)
    pacer.came_through(turn + 600, REGISTERS)
    assert pacer.not_before(Op.ADD) == turn


def test_a_read_that_came_through_is_no_sign_of_a_lost_api_any_more() -> None:
    pacer = Pacer(INTERVAL, FLEET)
    fail(pacer, Op.FIND, Kind.LOST)
    pacer.came_through(NOW)
    turn = fail(pacer, Op.ADD, Kind.THROTTLED)
    pacer.came_through(turn + 600, REGISTERS)
    assert pacer.not_before(Op.ADD) == turn


@pytest.mark.parametrize("op", [Op.FIND, Op.ADD, Op.HEALTH])
@pytest.mark.parametrize("fleet", [Fleet(10), Fleet(60, QUOTAS["nlb"]), FLEET])
def test_while_post_start_waits_what_failed_is_tried_again_soon_and_as_the_quota_of_its_read_allows(
    fleet: Fleet, op: Op
) -> None:
    """A write is tried again only after a read of the group; SLB's health is a read of its own."""
    usual, awaited = Pacer(INTERVAL, fleet), Pacer(INTERVAL, fleet)
    for tries in range(1, 8):
        for pacer in (usual, awaited):
            pacer.failed(
                NOW, MIDDLE, op, failure(Kind.DENIED), tries=tries, awaited=pacer is awaited
            )
        longest = while_awaited(fleet.between_polls(Op.HEALTH if op is Op.HEALTH else Op.FIND))
        assert awaited.not_before(op) == min(usual.not_before(op), NOW + longest)


# The next read


def test_polls_that_find_no_change_become_rarer_and_one_that_does_brings_the_interval_back(
    pacer: Pacer,
) -> None:
    assert [found(pacer, quiet=True) for _ in range(5)] == [60.0, 120.0, 240.0, 300.0, 300.0]
    assert found(pacer) == INTERVAL
    assert found(pacer, quiet=True) == 60.0


def test_what_happens_brings_the_interval_back(pacer: Pacer) -> None:
    found(pacer, quiet=True)
    pacer.disturb()
    assert found(pacer, quiet=True) == 60.0
    pacer.changed(NOW, MIDDLE, Op.ADD)
    assert pacer.next_read == NOW + INTERVAL
    assert found(pacer, quiet=True) == 60.0
    fail(pacer, Op.SET_WEIGHT, Kind.BUSY)
    assert found(pacer, quiet=True) == 60.0


def test_a_change_under_way_is_looked_up_soon_and_ever_less_often(pacer: Pacer) -> None:
    looks = [found(pacer, under_way=True) for _ in range(20)]
    assert looks[:3] == [2.0, 4.0, 6.0]
    assert max(looks) == INTERVAL
    assert found(pacer) == INTERVAL  # it is done
    assert found(pacer, under_way=True) == 2.0  # another one


def test_no_look_is_rarer_than_polls_are() -> None:
    assert found(Pacer(1.0), under_way=True) == 1.0


def test_polls_of_a_vm_keep_to_what_its_fleet_may_read(pacer: Pacer) -> None:
    pacer.fleet = FLEET
    assert found(pacer) > POLL_CEILING_SECONDS
    pacer.fleet = Fleet()
    assert found(pacer) == INTERVAL


def test_reads_that_were_refused_stretch_polls_until_they_come_through_again(pacer: Pacer) -> None:
    fail(pacer, Op.FIND, Kind.THROTTLED, now=NOW - 20)
    assert found(pacer) == CROWDED * 20
    assert found(pacer) == pytest.approx(CROWDED * 20 * CROWDED_RECOVERY)
    for _ in range(20):
        found(pacer)
    assert found(pacer) == INTERVAL


def test_after_this_vm_gave_way_others_are_looked_at_within_seconds(pacer: Pacer) -> None:
    pacer.changed(NOW, MIDDLE, Op.SET_WEIGHT, gives_way=True)
    assert pacer.next_read == NOW + AFTER_LOWERING_SECONDS


def test_what_was_accepted_and_is_to_be_seen_is_looked_up_within_a_second(pacer: Pacer) -> None:
    pacer.changed(NOW, MIDDLE, Op.SET_WEIGHT, confirm=True)
    assert pacer.next_read == NOW + 1


def test_a_change_that_is_not_seen_yet_is_not_asked_for_again_before_it_was_looked_up(
    pacer: Pacer,
) -> None:
    pacer.changed(NOW, MIDDLE, Op.REMOVE, unseen=1, pending=True)
    assert pacer.not_before(Op.FIND) == NOW + 1
    assert pacer.not_before(Op.REMOVE) == NOW + 6
    assert pacer.not_before(Op.ADD) == NEVER
