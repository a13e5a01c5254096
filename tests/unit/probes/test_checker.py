"""A checker turns the results of a check into health, and takes its turns when they are due."""

from __future__ import annotations

import threading

import pytest
from tests.unit.probes.checks import config

from slb_registration.model.health import Health
from slb_registration.probes.checker import Cancelled, Checker, Result, Verdict, always, never

# Thresholds


def health_after(results: str) -> Health:
    verdict = Verdict(healthy_threshold=2, unhealthy_threshold=3)
    for result in results:
        verdict.observe(result == "+")
    return verdict.health


@pytest.mark.parametrize(
    ("results", "health"),
    [
        ("", Health.UNKNOWN),
        ("+", Health.UNKNOWN),
        ("--", Health.UNKNOWN),
        ("+-+-+--+", Health.UNKNOWN),
        ("++", Health.HEALTHY),
        ("-++", Health.HEALTHY),
        ("---", Health.UNHEALTHY),
        ("++--", Health.HEALTHY),
        ("++--+--", Health.HEALTHY),
        ("++---", Health.UNHEALTHY),
        ("---+", Health.UNHEALTHY),
        ("---+-+", Health.UNHEALTHY),
        ("---++", Health.HEALTHY),
    ],
)
def test_health_changes_after_as_many_results_in_a_row_as_the_threshold(results, health):
    assert health_after(results) is health


def test_thresholds_of_one_follow_every_result():
    verdict = Verdict(1, 1)

    assert [verdict.observe(ok) for ok in (True, False, True)] == [
        Health.HEALTHY,
        Health.UNHEALTHY,
        Health.HEALTHY,
    ]


# The checker


class Scripted:
    """Answers the results one after another, as if each took some seconds."""

    def __init__(self, results: str, clock: Clock, seconds: float = 0.0) -> None:
        self._results = iter(results)
        self._clock = clock
        self._seconds = seconds

    def probe(self, cancelled: Cancelled = never) -> Result:
        self._clock.now += self._seconds
        result = next(self._results)
        return Result(result == "+", f"was {result}")


class Clock:
    """A clock and the event that is waited on: waiting moves the clock, and ends after a while."""

    def __init__(self, rounds: int) -> None:
        self.now = 100.0
        self.waits: list[float] = []
        self.is_set = lambda: len(self.waits) >= rounds

    def wait(self, timeout: float) -> bool:
        self.waits.append(round(timeout, 6))
        self.now += timeout
        return self.is_set()


def checker(
    results: str, seconds: float = 0.0, **options: object
) -> tuple[Checker, Clock, list[tuple[Health, str]]]:
    changes: list[tuple[Health, str]] = []
    clock = Clock(rounds=len(results))
    made = Checker(
        Scripted(results, clock, seconds),
        config(**options),
        lambda health, detail: changes.append((health, detail)),
        clock=lambda: clock.now,
    )
    return made, clock, changes


def run(made: Checker, stop: Clock | threading.Event) -> None:
    """Let it take its turns."""
    while not stop.is_set():
        stop.wait(made.turn(stop.is_set))


def test_every_change_of_health_is_told_once_with_what_happened():
    made, clock, changes = checker("++++---+--++")

    run(made, clock)

    assert changes == [
        (Health.HEALTHY, "was +"),
        (Health.UNHEALTHY, "was -"),
        (Health.HEALTHY, "was +"),
    ]
    assert (made.health, made.detail) == (Health.HEALTHY, "was +")
    assert (made.passed, made.failed) == (7, 5)


def test_nothing_is_known_before_the_first_probe():
    made, _, changes = checker("")

    assert (made.health, made.detail) == (Health.UNKNOWN, "not checked yet")
    assert (made.passed, made.failed, changes) == (0, 0, [])


@pytest.mark.parametrize(("seconds", "wait"), [(0.0, 5.0), (1.5, 3.5), (5.0, 0.0), (7.0, 0.0)])
def test_the_interval_is_from_the_start_of_one_probe_to_the_next(seconds, wait):
    made, clock, _ = checker("++-+-", seconds)

    run(made, clock)

    assert clock.waits[1:] == [wait] * 4  # from the first healthy verdict on


@pytest.mark.parametrize(
    ("results", "options", "waits"),
    [
        ("+++", {}, [1, 5, 5]),  # healthy after 1 s at the defaults
        ("--++-", {}, [1, 1, 1, 5, 5]),
        ("----++", {}, [1, 1, 1, 1, 1, 5]),  # unhealthy first: the service takes long to come up
        ("++--++", {"unhealthy_threshold": 2}, [1, 5, 5, 5, 5, 5]),  # only the first time
        ("+++", {"interval_seconds": 0.2}, [0.2, 0.2, 0.2]),
        ("++", {"healthy_threshold": 1}, [5, 5]),
        ("++++", {"healthy_threshold": 3}, [1, 1, 5, 5]),
    ],
)
def test_until_the_service_is_healthy_for_the_first_time_it_is_checked_every_second(
    results, options, waits
):
    made, clock, _ = checker(results, **options)

    run(made, clock)

    assert clock.waits == waits


@pytest.mark.parametrize(
    ("seconds", "interval", "wait"),
    [(0.4, 5.0, 0.6), (0.9, 5.0, 0.9), (2.0, 5.0, 2.0), (4.0, 5.0, 1.0), (9.0, 5.0, 0.0)],
)
def test_quick_checks_take_no_more_than_half_of_the_time_unless_the_interval_says_so(
    seconds, interval, wait
):
    made, clock, _ = checker("---", seconds, interval_seconds=interval)

    run(made, clock)

    assert clock.waits == [wait] * 3


def test_a_service_that_does_not_come_up_is_checked_so_often_for_five_minutes():
    made, clock, _ = checker("-" * 310)

    run(made, clock)

    assert clock.waits == [1] * 300 + [5] * 10


def test_stopping_is_felt_while_waiting():
    stop = threading.Event()
    made = Checker(Scripted("+" * 99, Clock(0)), config(), lambda *_: None)
    thread = threading.Thread(target=run, args=(made, stop), daemon=True)
    thread.start()
    stop.set()
    thread.join(timeout=3)  # less than the interval

    assert not thread.is_alive()


def test_a_checker_that_is_told_to_stop_before_it_starts_does_not_probe():
    stop = threading.Event()
    stop.set()
    made, _, _ = checker("+")

    run(made, stop)

    assert made.passed == 0


def test_a_check_that_does_not_work_leaves_health_unknown_until_it_has_decided_anew():
    made, _, changes = checker("++---")
    for _ in range(2):
        made.turn()
    assert made.health is Health.HEALTHY

    made.working = lambda: False
    made.trouble = lambda: "silent for 20 s"
    assert made.health is Health.UNKNOWN
    assert made.detail == "the check does not run: silent for 20 s"

    made.turn()  # the one that took so long
    made.working, made.trouble = always, lambda: None
    assert (made.health, made.detail) == (Health.UNKNOWN, "was -")
    for _ in range(2):
        made.turn()
    assert [health for health, _ in changes] == [Health.HEALTHY, Health.UNHEALTHY]
