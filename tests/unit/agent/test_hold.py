"""An operator's hold: what its marker tells, when it ends, and what may be ordered."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import threading
from io import StringIO
from pathlib import Path

import pytest
from tests.unit.agent.drain_surroundings import HIGH, WALL, Agent, follow

from slb_registration.agent.holding import Holding
from slb_registration.commands import hold_options
from slb_registration.instance import markers
from slb_registration.instance.markers import UNKNOWN_SINCE, Held, HoldMarker
from slb_registration.model.desired import Phase
from slb_registration.support.logs.event_log import EventLog

NOW = 1_763_913_600.0
HOUR = 3600.0


@pytest.fixture
def marker(tmp_path: Path) -> HoldMarker:
    return markers.hold(tmp_path)


# The marker


@pytest.mark.parametrize(
    ("until", "reason"),
    [(None, None), (NOW + 60, None), (None, "kernel"), (NOW + 60.5, "kernel update, see #7")],
)
def test_a_marker_tells_until_when_and_why(marker: HoldMarker, until, reason):
    marker.begin(NOW, until, reason)
    assert marker.held() == Held(NOW, until, reason)
    assert marker.since() == NOW


def test_the_longest_reason_is_kept_whole(marker: HoldMarker):
    reason = "\U0001f6a7" * markers.REASON_LONGEST  # four bytes each
    marker.begin(NOW, NOW + HOUR, reason)
    assert marker.held() == Held(NOW, NOW + HOUR, reason)


def test_a_hold_in_place_of_another_goes_on_with_its_own_end_and_reason(marker: HoldMarker):
    marker.begin(NOW, NOW + HOUR, "first")
    marker.begin(NOW + 60, NOW + 3 * HOUR, None)
    assert marker.held() == Held(NOW, NOW + 3 * HOUR)
    marker.begin(NOW + 120, None, "for good")
    assert marker.held() == Held(NOW, None, "for good")


def test_a_hold_after_the_end_of_another_begins_anew(marker: HoldMarker):
    marker.begin(NOW, NOW + HOUR, "first")
    marker.begin(NOW + 2 * HOUR, None, None)
    assert marker.held() == Held(NOW + 2 * HOUR)


def test_a_clock_that_was_set_back_makes_no_hold_without_an_end(marker: HoldMarker):
    marker.begin(NOW, NOW + HOUR, None)
    marker.begin(NOW - 10 * HOUR, NOW - 9 * HOUR, None)
    assert marker.held() == Held(NOW - 10 * HOUR, NOW - 9 * HOUR)


@pytest.mark.parametrize(
    ("content", "held"),
    [
        (b"1763913600.250\n", Held(1763913600.25)),  # as an earlier version wrote it
        (b"1763913600.250", Held(1763913600.25)),
        (b"", Held(UNKNOWN_SINCE)),
        (b"soon 1763913600\nwhy\n", Held(UNKNOWN_SINCE)),
        (b"\xff\xfe", Held(UNKNOWN_SINCE)),
        (b"100 later\n", Held(100)),
        (b"100 nan\nwhy\n", Held(100, None, "why")),
        (b"100 inf\n", Held(100)),
        (b"100 1e300\n", Held(100)),
        (b"100 200 300\n", Held(100)),
        (b"100 100\n", Held(100)),
        (b"100 50\n", Held(100)),  # no hold ends before it begins
        (b"100 200\nwh\x1b[2Jy\n", Held(100, 200, "wh\\x1b[2Jy")),
        (b"100 200\nwhy\nand more\n", Held(100, 200, "why\\nand more")),
        (b"100 200\n" + b"x" * 5000, Held(100, 200, "x" * markers.REASON_LONGEST)),
    ],
)
def test_what_cannot_be_read_is_a_hold_without_an_end(marker: HoldMarker, content, held):
    marker.path.write_bytes(content)
    assert marker.held() == held


def test_only_the_hold_that_has_ended_is_removed(marker: HoldMarker):
    """An operator may hold the VM anew while the agent finds that the time is over."""
    marker.begin(NOW, NOW + HOUR, None)
    ended = marker.held()
    marker.begin(NOW + HOUR, NOW + 2 * HOUR, None)
    marker.end(ended)
    assert marker.held() == Held(NOW + HOUR, NOW + 2 * HOUR)
    marker.end(marker.held())
    assert marker.held() is None


def test_a_marker_is_not_removed_while_another_is_written(marker: HoldMarker):
    marker.begin(NOW, NOW + HOUR, None)
    folder = os.open(marker.path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):  # the agent does not wait
            marker.end(marker.held())
        writer = threading.Thread(target=marker.begin, args=(NOW, NOW + 2 * HOUR, None))
        writer.start()
        assert marker.held() == Held(NOW, NOW + HOUR)
    finally:
        os.close(folder)
    writer.join()
    assert marker.held() == Held(NOW, NOW + 2 * HOUR)


# What ends it


class Vm:
    """A VM with two clocks, and agents on it, one after the other."""

    def __init__(self, marker: HoldMarker) -> None:
        self.marker = marker
        self.now, self.wall = 5000.0, NOW
        self.lines = StringIO()
        self.agent = self.restart()

    def restart(self) -> Holding:
        self.agent = Holding(
            self.marker, EventLog(self.lines), clock=lambda: self.now, wall=lambda: self.wall
        )
        return self.agent

    def passes(self, seconds: float) -> Held | None:
        self.now += seconds
        self.wall += seconds
        return self.agent.follow()

    def said(self) -> list[dict]:
        return [json.loads(line) for line in self.lines.getvalue().splitlines()]


@pytest.fixture
def vm(marker: HoldMarker) -> Vm:
    return Vm(marker)


def test_at_its_end_the_agent_resumes_by_itself_and_says_so_once(vm: Vm):
    vm.marker.begin(NOW, NOW + 2 * HOUR, "kernel")
    vm.agent.order()
    assert vm.passes(1) == Held(NOW, NOW + 2 * HOUR, "kernel")
    assert vm.passes(2 * HOUR - 2) is not None
    assert [vm.passes(1), vm.passes(1), vm.passes(HOUR)] == [None, None, None]
    assert not vm.marker.path.exists()
    assert [(one["message"], one["until"], one["reason"]) for one in vm.said()] == [
        ("held by an operator", "2025-11-23T18:00:00Z", "kernel"),
        ("the hold has ended by itself", "2025-11-23T18:00:00Z", "kernel"),
    ]


@pytest.mark.parametrize("restarts", [False, True])
def test_without_an_end_it_lasts(vm: Vm, restarts: bool):
    vm.marker.begin(NOW, None, None)
    vm.agent.order()
    for _ in range(3):
        assert vm.passes(1000 * HOUR) == Held(NOW)
        if restarts:
            vm.restart()


def test_a_restart_takes_nothing_of_its_time_and_adds_none(vm: Vm):
    vm.marker.begin(NOW, NOW + 2 * HOUR, None)
    for _ in range(3):
        vm.restart()
        assert vm.passes(0.5 * HOUR) is not None
    vm.restart()
    assert vm.passes(0.5 * HOUR) is None


def test_one_that_ends_while_no_agent_runs_is_over_at_the_next_start(vm: Vm):
    vm.marker.begin(NOW, NOW + HOUR, None)
    vm.wall += HOUR
    vm.restart()
    assert vm.agent.follow() is None
    assert [one["message"] for one in vm.said()] == ["the hold has ended by itself"]


@pytest.mark.parametrize("jump", [-10 * 365 * 24 * HOUR, -HOUR, HOUR, 10 * 365 * 24 * HOUR])
def test_a_clock_that_jumps_while_the_agent_runs_changes_nothing(vm: Vm, jump: float):
    vm.marker.begin(NOW, NOW + 2 * HOUR, None)
    assert vm.passes(HOUR) is not None
    vm.wall += jump
    assert vm.passes(HOUR - 1) is not None
    assert vm.passes(1) is None


def test_a_clock_that_is_wrong_at_the_start_draws_it_out_by_its_length_at_most(vm: Vm):
    vm.marker.begin(NOW, NOW + 2 * HOUR, None)
    vm.wall -= 10 * 365 * 24 * HOUR  # as after a boot without a battery
    vm.restart()
    assert vm.passes(0) is not None
    vm.wall = NOW + 10
    assert vm.passes(2 * HOUR) is None


def test_an_end_that_is_put_off_or_taken_away_counts(vm: Vm):
    vm.marker.begin(NOW, NOW + HOUR, None)
    vm.agent.order()
    vm.passes(10)
    vm.marker.begin(vm.wall, NOW + 3 * HOUR, None)
    vm.agent.order()
    assert vm.passes(2 * HOUR) is not None
    vm.marker.begin(vm.wall, None, None)
    vm.agent.order()
    assert vm.passes(10 * HOUR) == Held(NOW)


def test_an_end_that_is_brought_forward_counts(vm: Vm):
    vm.marker.begin(NOW, NOW + 10 * HOUR, None)
    vm.agent.order()
    vm.passes(10)
    vm.marker.begin(vm.wall, vm.wall + 60, None)
    vm.agent.order()
    assert vm.passes(59) is not None
    assert vm.passes(1) is None


def test_a_marker_that_cannot_be_read_for_a_moment_keeps_its_end(vm: Vm):
    vm.marker.begin(NOW, NOW + HOUR, None)
    vm.passes(10)
    text = vm.marker.path.read_bytes()
    vm.marker.path.write_bytes(b"")
    assert vm.passes(10) == Held(NOW, NOW + HOUR)
    vm.marker.path.write_bytes(text)
    assert vm.passes(HOUR) is None


def test_a_hold_of_which_there_is_no_marker_lasts_until_resume(vm: Vm):
    vm.agent.order()
    assert vm.passes(1000 * HOUR) == Held(NOW)
    vm.agent.resume()
    assert vm.passes(1) is None


def test_a_marker_that_cannot_be_removed_is_over_all_the_same(vm: Vm, monkeypatch):
    vm.marker.begin(NOW, NOW + HOUR, None)
    vm.agent.order()
    vm.passes(0)

    def refuse(held: Held) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(vm.marker, "end", refuse)
    assert [vm.passes(HOUR), vm.passes(1), vm.passes(1)] == [None, None, None]
    assert [one["level"] for one in vm.said()] == ["info", "info", "warning"]
    vm.agent.order()  # for which no marker could be written either
    assert vm.passes(1) is not None
    monkeypatch.undo()
    vm.passes(1)
    assert not vm.marker.path.exists()


def test_resume_ends_it_early(vm: Vm):
    vm.marker.begin(NOW, NOW + HOUR, None)
    vm.agent.order()
    vm.passes(10)
    vm.marker.clear()
    vm.agent.resume()
    assert vm.passes(10) is None


# What may be ordered


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("90s", 90), ("45m", 2700), ("2h", 7200), ("007h", 25200), ("3d", 259200),
     ("365d", 31536000), ("31536000s", 31536000)],
)  # fmt: skip
def test_a_length_of_time(text: str, seconds: int):
    assert hold_options.length(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "h", "2", "2 h", " 2h", "2h ", "2h\n", "2H", "2hours", "1h30m", "1.5h", "1e3s", "+2h",
     "-2h", "0s", "0d", "366d", "31536001s", "9999999999s", "9" * 5000 + "d", "٢h", "²h", "2w",
     "2y", "2\u200bh", "2h\x1b[2J"],
)  # fmt: skip
def test_what_is_no_length_of_time_is_refused_with_what_to_give(text: str):
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        hold_options.length(text)
    told = str(refused.value)
    assert "from 1s to 365d" in told
    assert told.isprintable()
    assert len(told) < 250


@pytest.mark.parametrize(
    "text", ["x", "kernel update", "升级内核", "é" * 200, "a: 'b' \"c\" #7 %s {0}"]
)
def test_a_reason(text: str):
    assert hold_options.reason(text) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", "x" * 201, "two\nlines", "tab\t", "\x1b[2J", "\u202egnirts", "\u2028", "\udc80", "\0",
     "\u200b"],
)  # fmt: skip
def test_a_reason_that_might_not_be_shown_is_refused_and_not_repeated(text: str):
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        hold_options.reason(text)
    told = str(refused.value)
    assert "1 to 200 characters" in told
    assert told.isprintable()


def test_phases_follow_it(tmp_path: Path):
    """The phase is that of a hold until then, and after it this VM serves."""
    markers.hold(tmp_path).begin(WALL, WALL + HOUR, None)
    agent = Agent(tmp_path)
    one = agent.start()
    assert follow(one, HIGH) is Phase.HOLD
    agent.now += HOUR
    assert follow(one, HIGH) is Phase.SERVE
    assert one.held is None
