"""When a server group is read next."""

from __future__ import annotations

from random import Random

import pytest

from slb_registration.model.operations import NEVER
from slb_registration.pacing import times
from slb_registration.pacing.fleet import ALONE, Fleet
from slb_registration.reconcile.schedule import Reading

NOW = 1000.0
INTERVAL = 30.0


class Middle(Random):
    """No spread: always what lies in the middle."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


MIDDLE = Middle()


@pytest.fixture
def reading() -> Reading:
    return Reading(INTERVAL)


def found(reading: Reading, *, quiet: bool = False, under_way: bool = False) -> float:
    """A read has come; seconds until the next."""
    reading.found(NOW, MIDDLE, ALONE, quiet=quiet, under_way=under_way)
    return reading.due - NOW


def test_the_first_read_is_due_at_once(reading: Reading) -> None:
    assert reading.due == NEVER


def test_polls_that_find_no_change_become_rarer_and_one_that_does_brings_the_interval_back(
    reading: Reading,
) -> None:
    assert [found(reading, quiet=True) for _ in range(5)] == [60.0, 120.0, 240.0, 300.0, 300.0]
    assert found(reading) == INTERVAL
    assert found(reading, quiet=True) == 60.0


def test_what_happens_brings_the_interval_back(reading: Reading) -> None:
    found(reading, quiet=True)
    reading.disturb()
    reading.poll(NOW, MIDDLE, ALONE)
    assert reading.due == NOW + INTERVAL


def test_a_change_under_way_is_looked_up_soon_and_ever_less_often(reading: Reading) -> None:
    looks = [found(reading, under_way=True) for _ in range(20)]
    assert looks[:3] == [2.0, 4.0, 6.0]
    assert max(looks) == INTERVAL
    assert found(reading) == INTERVAL  # it is done
    assert found(reading, under_way=True) == 2.0  # another one


def test_polls_of_a_vm_keep_to_what_its_fleet_may_read(reading: Reading) -> None:
    large = Fleet(10_000)
    reading.poll(NOW, MIDDLE, large)
    apart = reading.due - NOW
    assert apart > times.POLL_CEILING_SECONDS
    reading.poll(NOW, MIDDLE, ALONE)
    assert reading.due - NOW == INTERVAL


def test_reads_that_were_refused_stretch_polls_until_they_come_through_again(
    reading: Reading,
) -> None:
    reading.refused_for(ALONE, 20.0)
    assert found(reading) == times.CROWDED * 20.0
    reading.refused_for(ALONE, 0.0)
    assert found(reading) == pytest.approx(times.CROWDED * 20.0 * times.CROWDED_RECOVERY)
    for _ in range(20):
        reading.refused_for(ALONE, 0.0)
    assert found(reading) == INTERVAL


def test_after_this_vm_gave_way_others_are_looked_at_within_seconds(reading: Reading) -> None:
    found(reading, quiet=True)
    reading.after_lowering(NOW, MIDDLE)
    assert reading.due == NOW + times.AFTER_LOWERING_SECONDS


def test_nothing_is_read_before_there_is_something_to_see(reading: Reading) -> None:
    found(reading)
    reading.not_before(NOW + 100)
    assert reading.due == NOW + 100
    reading.not_before(NOW + 50)  # the later of the two counts
    assert reading.due == NOW + 100
