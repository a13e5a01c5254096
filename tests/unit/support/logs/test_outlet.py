"""Lines go out whole and in order, or are counted; whoever writes them never waits."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.paths import SOURCES
from tests.pipes import fill

from slb_registration.support.logs import outlet as outlets
from slb_registration.support.logs.command_streams import answer, patient_stderr
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.logs.outlet import Outlet

PAGE = 4096


@dataclass
class Pipe:
    """A pipe that is filled up, and what is read from it."""

    reading: int
    writing: int
    filler: int = 0

    def fill(self) -> None:
        """Leave no room for a byte."""
        self.filler += fill(self.writing)

    def read_until(self, end: str) -> list[str]:
        """The lines that come after what it was filled with."""
        found = b""
        while not found.endswith(end.encode()):
            piece = os.read(self.reading, 65536)
            skipped = min(len(piece), self.filler)
            self.filler -= skipped
            found += piece[skipped:]
        return found.decode().splitlines()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reading, writing = os.pipe()
    one = Pipe(reading, writing)
    try:
        yield one
    finally:
        for descriptor in (one.reading, one.writing):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def opened(descriptor: int) -> io.TextIOWrapper:
    return open(descriptor, "w", closefd=False)


def lines(first: int, last: int) -> list[str]:
    return [f"line {number}" for number in range(first, last + 1)]


def test_a_full_pipe_holds_up_nobody_and_loses_nothing_that_there_is_room_for(pipe: Pipe):
    pipe.fill()
    outlet = Outlet(opened(pipe.writing))
    for line in lines(1, 500):
        outlet.put(line + "\n")
    assert pipe.read_until("line 500\n") == lines(1, 500)
    assert outlet.dropped == 0


def test_lines_that_nothing_takes_are_stuck_until_something_does(pipe: Pipe, monkeypatch):
    monkeypatch.setattr(outlets, "STUCK_SECONDS", -1.0)
    pipe.fill()
    outlet = Outlet(opened(pipe.writing))
    assert outlet.stuck == 0
    for line in lines(1, 3):
        outlet.put(line + "\n")
    while outlet.stuck != 3:
        assert outlet.stuck in (0, 3)  # the thread begins
    monkeypatch.setattr(outlets, "STUCK_SECONDS", 3600.0)
    assert outlet.stuck == 0  # it may be written in a moment
    monkeypatch.setattr(outlets, "STUCK_SECONDS", -1.0)
    pipe.read_until("line 3\n")
    outlet.finish()
    assert outlet.stuck == 0


def test_what_there_is_no_room_for_is_counted_and_told_in_its_place(pipe: Pipe):
    pipe.fill()
    outlet = Outlet(opened(pipe.writing), room_bytes=100)
    for number in range(1, 101):
        outlet.put(f"line {number:05}\n")
    kept, dropped = [], 0
    while len(kept) + dropped < 100:
        for line in pipe.read_until("\n"):
            if found := re.fullmatch(r"slb-registration: (\d+) lines? dropped", line):
                dropped += int(found[1])
            else:
                kept.append(line)
                # After all that came before, whenever the thread made room for one more.
                assert line == f"line {len(kept) + dropped:05}"
    # The thread has taken one line, before or after there was no room for others.
    assert len(kept) in (10, 11)
    assert outlet.dropped == dropped
    outlet.put("after\n")
    assert pipe.read_until("after\n") == ["after"]


def test_a_line_longer_than_the_pipe_is_written_whole_whether_or_not_it_blocks(pipe: Pipe):
    for blocking in (True, False):
        os.set_blocking(pipe.writing, blocking)
        outlet = Outlet(opened(pipe.writing), room_bytes=1 << 21)
        outlet.put("x" * 1_000_000 + "\n")
        outlet.put("after\n")
        assert pipe.read_until("after\n") == ["x" * 1_000_000, "after"]


def test_lines_of_many_threads_stay_whole_on_a_pipe_of_one_page_that_does_not_block(pipe: Pipe):
    fcntl.fcntl(pipe.writing, fcntl.F_SETPIPE_SZ, PAGE)
    os.set_blocking(pipe.writing, False)
    outlet = Outlet(opened(pipe.writing), room_bytes=1 << 24)

    def write(number: int) -> None:
        for count in range(100):
            outlet.put(f"{number} {count} " + str(number) * 3000 + "\n")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    seen: dict[int, list[int]] = {number: [] for number in range(4)}
    found = []
    while len(found) < 400:
        found += pipe.read_until("\n")
    for thread in threads:
        thread.join()
    for line in found:
        number, count, rest = line.split()
        assert rest == number * 3000
        seen[int(number)].append(int(count))
    assert seen == {number: list(range(100)) for number in range(4)}


def test_a_pipe_without_a_reader_and_a_closed_stream_lose_lines_and_stop_nobody(
    pipe: Pipe, tmp_path: Path
):
    os.close(pipe.reading)
    outlet = Outlet(opened(pipe.writing))
    outlet.put("one\n")
    outlet.finish()
    assert outlet.dropped == 1

    with (tmp_path / "log").open("a") as file:
        outlet = Outlet(file)
        outlet.put("one\n")
        outlet.finish()
    outlet.put("two\n")
    outlet.finish()
    assert ((tmp_path / "log").read_text(), outlet.dropped) == ("one\n", 1)


def test_a_pipe_that_has_a_reader_again_goes_on(tmp_path: Path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with path.open("w") as stream:
        outlet = Outlet(stream)
        os.close(reading)
        outlet.put("one\n")
        outlet.finish()
        outlet.put("two\n")
        outlet.finish()
        with path.open("rb", buffering=0) as again:
            outlet.put("three\n")
            outlet.finish()
            assert again.read(PAGE) == b"slb-registration: 2 lines dropped\nthree\n"


class SmallDisk:
    """Stands for os.write to a file on a disk with so much room, of which a line takes its part."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = 0
        self._write = os.write
        monkeypatch.setattr(outlets.os, "write", self.write)

    def write(self, descriptor: int, data: bytes) -> int:
        taken = min(self.room, len(data))
        if not taken:
            raise OSError(28, "No space left on device")
        self.room -= taken
        return self._write(descriptor, data[:taken])


@contextlib.contextmanager
def cut_off(log: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Outlet, SmallDisk]]:
    """An outlet that was given three lines, and the disk, which had room for ten bytes."""
    disk = SmallDisk(monkeypatch)
    with log.open("a") as file:
        outlet = Outlet(file)
        disk.room = 10
        for line in lines(1, 3):
            outlet.put(line + "\n")
            outlet.finish()
        yield outlet, disk


def test_a_line_that_a_full_disk_has_cut_off_is_completed_before_the_next(
    tmp_path: Path, monkeypatch
):
    with cut_off(tmp_path / "log", monkeypatch) as (outlet, disk):
        assert (tmp_path / "log").read_text() == "line 1\nlin"
        disk.room = 1000
        outlet.put("line 4\n")
        outlet.finish()
    told = "slb-registration: 1 line dropped"
    assert (tmp_path / "log").read_text().splitlines() == ["line 1", "line 2", told, "line 4"]
    assert outlet.dropped == 1


def test_a_file_that_was_truncated_to_make_room_does_not_begin_with_half_a_line(
    tmp_path: Path, monkeypatch
):
    with cut_off(tmp_path / "log", monkeypatch) as (outlet, disk):
        os.truncate(tmp_path / "log", 0)
        disk.room = 1000
        outlet.put("line 4\n")
        outlet.finish()
    assert (tmp_path / "log").read_text() == "slb-registration: 2 lines dropped\nline 4\n"
    assert outlet.dropped == 2


def test_a_terminal_that_was_stopped_holds_up_nobody():
    ours, theirs = pty.openpty()
    try:
        termios.tcflow(theirs, termios.TCOOFF)  # as ^S does
        outlet = Outlet(opened(theirs))
        for line in lines(1, 3):
            outlet.put(line + "\n")
        termios.tcflow(theirs, termios.TCOON)
        found = b""
        while b"line 3\r\n" not in found:
            found += os.read(ours, PAGE)
    finally:
        os.close(ours)
        os.close(theirs)
    assert found.decode().split() == " ".join(lines(1, 3)).split()


def test_the_end_waits_once_and_not_for_long_for_a_stream_that_takes_nothing(
    pipe: Pipe, monkeypatch
):
    pipe.fill()
    monkeypatch.setattr(outlets, "FINISH_SECONDS", 0.05)
    outlet = Outlet(opened(pipe.writing))
    outlet.put("one\n")
    outlet.finish()
    assert outlet._patience_seconds == 0
    outlet.finish()
    assert pipe.read_until("one\n") == ["one"]


def test_without_a_thread_lines_wait_until_there_is_one(pipe: Pipe, monkeypatch):
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    outlet = Outlet(opened(pipe.writing))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        outlet.put("one\n")
    outlet.put("two\n")
    assert pipe.read_until("two\n") == ["one", "two"]


def test_what_waits_at_the_end_is_written_though_there_never_was_a_thread(pipe: Pipe, monkeypatch):
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    monkeypatch.setattr(outlets, "FINISH_SECONDS", 0.05)
    outlet = Outlet(opened(pipe.writing))
    outlet.put("one\n")
    outlet.put("two\n")
    outlet.finish()
    assert pipe.read_until("two\n") == ["one", "two"]

    pipe.fill()
    outlet.put("three\n")
    outlet.finish()


def test_a_disk_that_hangs_holds_up_neither_the_caller_nor_the_other_streams(
    tmp_path: Path, pipe: Pipe, monkeypatch
):
    goes_on = threading.Event()
    write = os.write

    def hang(descriptor: int, data: bytes) -> int:
        if descriptor == file.fileno():
            goes_on.wait()
        return write(descriptor, data)

    with (tmp_path / "log").open("a") as file:
        monkeypatch.setattr(outlets.os, "write", hang)
        log = EventLog(file, opened(pipe.writing), format="text", now=lambda: 0.0)
        log.info("one")
        log.info("two")
        said = pipe.read_until("two\n")
        assert [line.split()[-1] for line in said] == ["one", "two"]
        assert (tmp_path / "log").read_text() == ""
        goes_on.set()
        log.finish()
        assert (tmp_path / "log").read_text().splitlines() == said


def test_what_was_asked_for_is_printed_whole_on_a_pipe_that_does_not_block(pipe: Pipe, monkeypatch):
    os.set_blocking(pipe.writing, False)
    monkeypatch.setattr(sys, "stdout", opened(pipe.writing))
    text = "x" * 200_000 + "\nend\n"
    thread = threading.Thread(target=answer, args=(text,))
    thread.start()
    assert pipe.read_until("end\n") == text.splitlines()
    thread.join()


def test_what_is_written_in_pieces_goes_out_in_lines(pipe: Pipe):
    outlet = Outlet(opened(pipe.writing))
    print("one", 2, file=outlet)
    outlet.write("thr")
    outlet.put("between\n")
    outlet.write("ee\nfo")
    outlet.finish()
    assert pipe.read_until("fo\n") == ["one 2", "between", "three", "fo"]


def test_tracebacks_of_threads_and_warnings_do_not_wait_for_stderr(pipe: Pipe):
    pipe.fill()
    code = f"""
import logging, sys, threading, warnings
sys.stderr = open({pipe.writing}, "w")
from slb_registration.support.logs.command_streams import patient_stderr
with patient_stderr():
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    warnings.warn("odd")
    logging.getLogger("urllib3").warning("from a library")
    print("came through", flush=True)
    sys.stdin.read()
"""
    source = str(SOURCES)
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": source},
        pass_fds=(pipe.writing,),
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "came through\n"
        said = "\n".join(pipe.read_until("from a library\n"))
        process.stdin.close()
        assert process.wait(30) == 0
    assert re.search("(?s)ZeroDivisionError.*UserWarning: odd.*from a library", said)


def test_stderr_is_what_it_was_afterwards(capsys):
    before = sys.stderr
    with patient_stderr():
        assert sys.stderr is not before
        sys.stderr.write("half a line")
    assert sys.stderr is before
    assert capsys.readouterr().err == "half a line\n"
