"""What lasts is begun again where it breaks, and where that does not help the process ends."""

from __future__ import annotations

import ast
import json
import threading
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest

import slb_registration
from slb_registration.model.failure import Failure
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.supervision import vitals
from slb_registration.support.supervision.part import Part
from slb_registration.support.supervision.supervisor import HopelessError, Supervisor
from slb_registration.support.supervision.vitals import Vitals
from slb_registration.support.threads import NoThreadError, spawn

PATIENCE = 10.0  # for a machine under load


class Room:
    """A supervisor, what it says, and a clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lines = StringIO()
        self.troubled = threading.Event()
        self.supervisor = Supervisor(
            EventLog(self.lines), on_trouble=self.troubled.set, clock=lambda: self.now
        )

    def start(self, turn: Callable[[], float | None], name: str = "it", **how: object) -> Part:
        return self.supervisor.start(name, turn, **{"turn_seconds": 20.0, **how})  # type: ignore[arg-type]

    def said(self, message: str) -> list[dict]:
        events = [json.loads(line) for line in self.lines.getvalue().splitlines()]
        return [event for event in events if message in event["message"]]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    monkeypatch.setattr(vitals, "FIRST_DELAY_SECONDS", 0.001)  # nobody waits here
    monkeypatch.setattr(vitals, "LONGEST_DELAY_SECONDS", 0.001)
    room = Room()
    yield room
    room.supervisor.stop()


class Threads:
    """Lets threads be had or not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: BaseException | None = None
        real = threading.Thread.start

        def start(thread: threading.Thread) -> None:
            if self.error is not None:
                raise self.error
            real(thread)

        monkeypatch.setattr(threading.Thread, "start", start)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Threads:
    return Threads(monkeypatch)


class Turns:
    """Turns that break as often as they are told to, and are counted."""

    def __init__(self, *errors: BaseException, then: float | None = None) -> None:
        self.errors = list(errors)
        self.taken = 0
        self.then = then
        self.worked = threading.Event()

    def __call__(self) -> float | None:
        self.taken += 1
        if self.errors:
            raise self.errors.pop(0)
        self.worked.set()
        return self.then


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), MemoryError(), SystemExit(3), KeyboardInterrupt(), Failure("x"), OSError(5)],
)
def test_what_breaks_is_told_and_goes_on(room: Room, error: BaseException):
    turns = Turns(error)
    assert room.start(turns).join(PATIENCE)
    assert turns.taken == 2
    (told,) = room.said("broke")
    assert told["because"].startswith(f"{type(error).__name__} at __call__:")
    (again,) = room.said("works again")
    assert (again["part"], again["after_failures"]) == ("it", 1)
    assert room.supervisor.stuck is None


def test_what_an_exception_holds_is_not_shown_unless_it_is_the_systems(room: Room):
    turns = Turns(KeyError("secret"), OSError(28, "No space left on device", "/secret"))
    assert room.start(turns).join(PATIENCE)
    assert "secret" not in room.lines.getvalue()
    assert "OSError (No space left on device)" in room.said("broke")[1]["because"]


def test_the_same_reason_is_told_once_with_a_count(room: Room):
    assert room.start(Turns(*[ValueError() for _ in range(25)])).join(PATIENCE)
    assert [told["times"] for told in room.said("broke")] == [1, 10]
    assert room.said("works again")[0]["after_failures"] == 25


def test_what_breaks_now_and_then_floods_no_log(room: Room):
    turns = Turns(then=0.0)
    seen = [0]

    def now_and_then() -> float | None:
        seen[0] += 1
        if seen[0] % 2:
            raise ValueError
        return None if seen[0] == 60 else turns()

    assert room.start(now_and_then).join(PATIENCE)
    assert [told["times"] for told in room.said("broke")] == [1, 10]
    assert len(room.said("works again")) == 2


def test_what_breaks_for_half_a_minute_ends_the_process(room: Room):
    def broken() -> float:
        room.now += 10
        raise ValueError

    part = room.start(broken)
    assert room.troubled.wait(PATIENCE)
    part.join(PATIENCE)
    with pytest.raises(HopelessError, match=r"it breaks again and again \(ValueError at broken:"):
        room.supervisor.tend()


def test_what_works_in_between_never_ends_the_process(room: Room):
    seen = [0]

    def now_and_then() -> float | None:
        room.now += 10
        seen[0] += 1
        if seen[0] % 3:
            raise ValueError
        return None if seen[0] == 30 else 0.0

    assert room.start(now_and_then).join(PATIENCE)
    room.supervisor.tend()


def test_a_part_that_is_told_to_end_ends_no_process(room: Room):
    told = threading.Event()

    def broken() -> float:
        assert told.wait(PATIENCE)
        room.now += 100
        raise ValueError

    part = room.start(broken)
    part.stop()
    told.set()
    assert part.join(PATIENCE)
    room.supervisor.tend()


# Threads that cannot be had


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_a_part_without_a_thread_is_begun_as_soon_as_one_can_be_had(
    room: Room, threads: Threads, error: Exception
):
    threads.error = error
    turns = Turns()
    part = room.start(turns)
    assert room.supervisor.stuck == "it (no thread can be started)"
    threads.error = None
    room.now += 1
    room.supervisor.tend()
    assert turns.worked.wait(PATIENCE)
    assert part.join(PATIENCE)
    assert [told["because"] for told in room.said("broke")] == ["no thread can be started"]
    assert room.supervisor.stuck is None


def test_without_a_thread_for_half_a_minute_the_process_ends(room: Room, threads: Threads):
    threads.error = RuntimeError("can't start new thread")
    room.start(Turns())
    for _ in range(29):
        room.now += 1
        room.supervisor.tend()
    room.now += 1
    with pytest.raises(
        HopelessError, match=r"it breaks again and again \(no thread can be started"
    ):
        room.supervisor.tend()
    assert [told["times"] for told in room.said("broke")] == [1, 10]


def test_a_thread_that_died_although_all_is_caught_is_begun_anew(
    room: Room, monkeypatch: pytest.MonkeyPatch
):
    """As when there is no memory even to tell of it."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    real, told = Vitals.failed, [0]

    def no_memory(self: Vitals, reason: str) -> vitals.Failed:
        told[0] += 1
        if told[0] == 1:
            raise MemoryError
        return real(self, reason)

    monkeypatch.setattr(Vitals, "failed", no_memory)
    turns = Turns(ValueError())
    part = room.start(turns)
    assert part.thread is not None
    part.thread.join(PATIENCE)
    assert not turns.worked.is_set()
    room.supervisor.tend()
    assert turns.worked.wait(PATIENCE)
    assert room.said("broke")[0]["because"] == "its thread has ended"


def test_what_ends_by_itself_says_that_it_has_no_thread(threads: Threads):
    threads.error = RuntimeError("can't start new thread")
    with pytest.raises(NoThreadError, match="no thread can be started"):
        spawn("look-up", print)


def test_no_thread_is_started_in_any_other_way():
    """A new one must not be forgotten."""
    ways = ("Thread", "Timer", "start_new_thread", "ThreadPoolExecutor", "serve_forever")
    found = [
        f"{path.name}:{node.lineno}"
        for path in Path(slb_registration.__file__).parent.rglob("*.py")
        if path.name != "threads.py"
        for node in ast.walk(ast.parse(path.read_text()))
        for called in ([node.func] if isinstance(node, ast.Call) else getattr(node, "bases", ()))
        if ast.unparse(called).rpartition(".")[2] in ways
    ]
    assert found == []


def test_what_lasts_is_started_by_the_supervisor_alone():
    """Else `spawn` is for what ends by itself: a look-up, a request, an attempt, a count. And for
    the log's outlet, which begins its own again: a supervisor logs.
    """
    source = Path(slb_registration.__file__).parent
    found = {path.name for path in source.rglob("*.py") if "spawn(" in path.read_text()}
    assert found == {
        "threads.py", "supervisor.py", "dialing.py", "local_server.py", "drain.py", "outlet.py",
        "connection_counter.py",
    }  # fmt: skip


def test_a_process_that_persists_takes_the_turns_itself_where_it_gets_no_threads(
    room: Room, threads: Threads
):
    threads.error = RuntimeError("can't start new thread")
    room.supervisor.persist()
    turns, slow = Turns(then=5.0), Turns(then=600.0)
    part = room.start(turns, "one", alone=True)
    other = room.start(slow, "other")
    assert turns.taken == 0  # nobody has tended yet
    for _ in range(11):
        room.supervisor.tend()
        room.now += 1
    assert (turns.taken, slow.taken) == (3, 1)
    assert part.working
    assert room.supervisor.stuck is None
    other.hurry()
    room.supervisor.tend()
    assert slow.taken == 2
    part.stop()
    successor = Turns()
    room.start(successor, "one", alone=True)
    room.supervisor.tend()
    room.supervisor.tend()
    assert (turns.taken, successor.taken) == (3, 1)


def test_turns_by_hand_are_beside_those_of_the_main_loop(room: Room, threads: Threads):
    threads.error = RuntimeError("can't start new thread")
    room.supervisor.persist()
    by_hand = Turns(then=0.0)
    room.start(by_hand, "by hand")
    seen: list[float] = []

    def main() -> float | None:
        room.supervisor.tend()
        room.now += 5
        room.supervisor.beat()  # of the main loop
        seen.extend(one.silent_seconds for one in room.supervisor.signs if one.name == "main")
        return 0.0 if by_hand.taken < 3 else None

    room.supervisor.run("main", main, turn_seconds=30.0, wake=threading.Event())
    assert seen == [0.0] * 3


def test_a_process_that_persists_gives_nothing_up(room: Room, threads: Threads):
    threads.error = RuntimeError("can't start new thread")
    room.supervisor.persist()
    good = Turns(then=0.0)
    room.start(Turns(*[ValueError() for _ in range(100)]), "bad")
    room.start(good, "good")
    for _ in range(100):
        room.supervisor.tend()
        room.now += 1
    assert good.taken == 100


# Silence


def test_a_part_that_is_silent_for_too_long_is_named(room: Room):
    hanging, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        go_on.wait(PATIENCE)

    part = room.start(hang, "checker", turn_seconds=12.0)
    room.start(lambda: 5.0, "other")
    assert hanging.wait(PATIENCE)
    room.now = 12.0
    assert room.supervisor.stuck is None
    room.now = 13.0
    assert room.supervisor.stuck == "checker (silent for 13 s)"
    assert not part.working
    for _ in range(3):
        room.supervisor.tend()
    (told,) = room.said("is silent")
    assert (told["part"], told["silent_seconds"]) == ("checker", 13.0)
    go_on.set()
    assert part.join(PATIENCE)
    room.supervisor.tend()
    assert room.supervisor.stuck is None


def test_a_turn_of_many_calls_is_heard_of_at_each(room: Room):
    def calls() -> None:
        for _ in range(50):
            room.now += 10
            assert room.supervisor.stuck is None
            room.supervisor.beat()

    assert room.start(calls).join(PATIENCE)
    assert room.said("broke") == []


def test_who_is_no_part_has_nothing_to_beat_for(room: Room):
    room.supervisor.beat()


def test_a_rest_is_no_silence_and_what_does_not_wake_from_it_is(room: Room):
    made = Vitals("it", 20.0, lambda: room.now)
    made.rests(600.0)
    room.now = 600.0
    assert not made.sign.overdue
    made.expected()
    room.now = 621.0
    assert made.sign.overdue


def test_what_begins_again_proves_nothing_by_that(room: Room):
    made = Vitals("it", 20.0, lambda: room.now)
    made.failed("x")
    room.now = 21.0
    made.begins()
    assert made.sign.overdue
    made.rests(0.0)
    assert not made.sign.overdue


def test_signs_tell_of_every_part(room: Room):
    turns = Turns(then=600.0)
    room.start(turns, "one")
    assert turns.worked.wait(PATIENCE)
    room.now = 7.0
    (sign,) = room.supervisor.signs
    assert (sign.name, sign.silent_seconds, sign.error) == ("one", 7.0, None)


# One of a name


def test_a_successor_begins_when_the_part_before_it_has_ended(room: Room):
    begun, go_on, successor = threading.Event(), threading.Event(), Turns()

    def slow() -> None:
        begun.set()
        go_on.wait(PATIENCE)

    old = room.start(slow, "clb/a", alone=True)
    assert begun.wait(PATIENCE)
    old.stop()
    never = room.start(Turns(), "clb/a", alone=True)
    never.stop()
    new = room.start(successor, "clb/a", alone=True)
    other = Turns()
    room.start(other, "clb/b", alone=True)
    assert other.worked.wait(PATIENCE)
    room.supervisor.tend()
    assert successor.taken == 0
    room.now = 1000.0
    assert room.supervisor.stuck == "clb/a (silent for 1000 s)"  # the old one, and it alone
    go_on.set()
    assert successor.worked.wait(PATIENCE)
    assert new.join(PATIENCE)
    assert never.turn.taken == 0  # type: ignore[attr-defined]


def test_a_successor_that_is_stopped_before_it_begins_never_does(room: Room):
    begun, go_on, successor = threading.Event(), threading.Event(), Turns()

    def slow() -> None:
        begun.set()
        go_on.wait(PATIENCE)

    old = room.start(slow, "clb/a", alone=True)
    assert begun.wait(PATIENCE)
    new = room.start(successor, "clb/a", alone=True)
    room.supervisor.stop()
    assert new.join(0.0)
    go_on.set()
    assert old.join(PATIENCE)
    room.supervisor.tend()
    assert successor.taken == 0


def test_after_the_end_nothing_begins(room: Room):
    room.supervisor.stop()
    turns = Turns()
    assert room.start(turns).join(0.0)
    room.supervisor.tend()
    assert turns.taken == 0


# The main thread


def test_the_main_loop_goes_on_after_a_mistake(room: Room):
    turns = Turns(ValueError())
    room.supervisor.run("main loop", turns, turn_seconds=30.0, wake=threading.Event())
    assert turns.taken == 2


def test_a_main_loop_that_breaks_for_half_a_minute_ends(room: Room):
    def broken() -> float:
        room.now += 10
        raise ValueError

    with pytest.raises(HopelessError, match="main loop breaks again and again"):
        room.supervisor.run("main loop", broken, turn_seconds=30.0, wake=threading.Event())


@pytest.mark.parametrize("error", [Failure("the lock is lost"), KeyboardInterrupt()])
def test_what_is_meant_for_the_caller_of_the_main_loop_reaches_it(room: Room, error: BaseException):
    with pytest.raises(type(error)):
        room.supervisor.run("main loop", Turns(error), turn_seconds=30.0, wake=threading.Event())
