"""Health scripts, when they do their worst: each ends in time, and nothing of it stays."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import time
from pathlib import Path

import pytest
from tests.unit.probes.checks import SLACK, SOON, timed

from slb_registration.probes.checker import Result
from slb_registration.probes.probing import ScriptCheck


def test_a_script_that_exits_with_0_is_fine(script):
    check = script("#!/bin/sh\necho starting\necho all fine\n")

    assert check.probe() == Result(True, f"{check.path}: exit status 0: all fine")


def test_a_script_that_exits_otherwise_is_not_and_its_last_words_are_told(script):
    check = script("#!/bin/sh\necho a\necho 'queue is full' >&2\necho\nexit 3\n")

    assert check.probe() == Result(False, f"{check.path}: exit status 3: queue is full")


def test_a_script_that_dies_of_a_signal_is_not(script):
    check = script("#!/bin/sh\nkill -TERM $$\n")

    assert check.probe() == Result(False, f"{check.path}: killed by signal 15")


def test_a_script_may_print_anything(script):
    check = script("#!/bin/sh\nprintf '\\377\\033[2J\\000ok'\n")

    result = check.probe()

    assert result.ok
    assert result.detail.isprintable()


def test_a_script_may_print_much_more_than_a_pipe_holds(script):
    result = script("#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\0' x\necho done\n").probe()

    assert result.ok
    assert result.detail.endswith("done")
    assert len(result.detail) < 400


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("#!/bin/sh\n", 0o644, "Permission denied"),
        ("#!/no/such/interpreter\n", 0o755, "No such file or directory"),
        ("garbage\n", 0o755, "Exec format error"),
    ],
)
def test_a_script_that_cannot_be_run_fails(script, text, mode, said):
    check = script(text, mode=mode)

    assert check.probe() == Result(False, f"{check.path}: cannot be run: {said}")


def test_a_script_that_is_not_there_fails():
    assert ScriptCheck("/no/such/check", SOON).probe().detail == (
        "/no/such/check: cannot be run: No such file or directory"
    )


def test_a_script_that_hangs_is_killed_in_time_with_its_children(script, tmp_path):
    pids = tmp_path / "pids"
    check = script(
        f"#!/bin/sh\nsleep 60 &\necho $! > {pids}\necho $$ >> {pids}\necho still here\nwait\n", SOON
    )

    result, seconds = timed(check)

    assert result == Result(False, f"{check.path}: no end within 0.1 s, killed: still here")
    assert seconds < SOON + SLACK
    assert_gone(pids)


def test_a_script_that_ignores_signals_or_closes_its_output_is_killed_in_time(script):
    for text in ("trap '' TERM INT HUP\nsleep 60", "exec >&- 2>&-\nsleep 60"):
        result, seconds = timed(script(f"#!/bin/sh\n{text}\n", SOON))
        assert not result.ok
        assert seconds < SOON + SLACK


def test_waiting_for_a_script_that_closed_its_output_is_no_busy_loop(script):
    before = time.thread_time()

    script("#!/bin/sh\nexec >&- 2>&-\nexec sleep 60\n", 0.25).probe()

    assert time.thread_time() - before < 0.03


def test_a_child_that_holds_the_pipe_does_not_hold_the_probe_and_does_not_stay(script, tmp_path):
    pids = tmp_path / "pids"
    check = script(f"#!/bin/sh\nsleep 60 &\necho $! > {pids}\nexit 0\n")

    result, seconds = timed(check)

    assert result.ok
    assert seconds < SLACK
    assert_gone(pids)


def test_a_script_that_prints_without_end_is_killed_in_time(script):
    result, seconds = timed(script("#!/bin/sh\nexec yes\n", SOON))

    assert not result.ok
    assert seconds < SOON + SLACK


def test_a_script_gets_none_of_our_environment_and_input(script, tmp_path, monkeypatch):
    monkeypatch.setenv("ALIYUN_ACCESS_KEY_SECRET", "hunter2")
    seen = tmp_path / "seen"
    reader, writer = os.pipe()
    os.write(writer, b"hunter2\n")
    before = os.dup(0)
    os.dup2(reader, 0)
    try:
        result = script(f"#!/bin/sh\nenv > {seen}\ncat >> {seen}\npwd >> {seen}\n", 2).probe()
    finally:
        os.dup2(before, 0)
        for descriptor in (before, reader, writer):
            os.close(descriptor)

    assert result.ok
    lines = seen.read_text().splitlines()
    assert {line.split("=")[0] for line in lines} == {"PATH", "PWD", "/"}
    assert "hunter2" not in seen.read_text()


def test_no_descriptor_and_no_process_is_left_behind(script):
    check = script("#!/bin/sh\nexit 1\n")
    check.probe()
    gc.collect()  # other tests may have left some, which could end meanwhile
    before = descriptors_and_children()

    for _ in range(5):
        check.probe()

    assert descriptors_and_children() == before


def descriptors_and_children() -> tuple[list[str], list[str]]:
    """Of this process, which may have those of other tests."""
    tasks = Path("/proc/self/task").iterdir()
    children = " ".join((task / "children").read_text() for task in tasks).split()
    return sorted(path.name for path in Path("/proc/self/fd").iterdir()), sorted(children)


def assert_gone(pids: Path) -> None:
    """Every process of the file ends; what was killed may take a moment to."""
    for pid in pids.read_text().split():
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(int(pid))
            ended, _, _ = select.select([descriptor], [], [], 2)
            os.close(descriptor)
            assert ended
