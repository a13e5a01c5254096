"""The agent's own log files, whatever another process has put in their place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import slb_registration

WRITES = """\
import os, sys
from pathlib import Path
from slb_registration.support.logs.log_files import become_output
become_output(Path(sys.argv[1]))
os.write(1, b"out\\n")
os.write(2, b"err\\n")
raise SystemExit(7)
"""


def run(folder: Path, stderr: int = subprocess.PIPE) -> str:
    """Let a process log to that folder; what its caller sees on stderr."""
    source = str(Path(slb_registration.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", WRITES, str(folder)],
        env={"PYTHONPATH": source},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (7, "")
    return done.stderr


def test_stdout_and_stderr_are_appended_to_the_files(tmp_path: Path):
    out, err = tmp_path / "agent.stdout.log", tmp_path / "agent.stderr.log"
    out.write_text("before\n")
    assert run(tmp_path) == ""
    assert (out.read_text(), err.read_text()) == ("before\nout\n", "err\n")
    assert err.stat().st_mode & 0o007 == 0


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_the_lines_of_a_file_that_cannot_be_opened_go_to_the_other(tmp_path: Path, name: str):
    pipe = tmp_path / f"agent.{name}.log"
    os.mkfifo(pipe)

    assert run(tmp_path) == f"slb-registration: cannot log to {pipe}: is no regular file\n"

    other = {"stdout": "stderr", "stderr": "stdout"}[name]
    assert (tmp_path / f"agent.{other}.log").read_text() == "out\nerr\n"
    assert pipe.is_fifo()


def test_where_no_file_can_be_opened_the_caller_is_told_and_nothing_else(tmp_path: Path):
    said = run(tmp_path / "nowhere")
    assert said.count("No such file or directory\n") == said.count("\n") == 2


def test_a_caller_that_does_not_listen_is_no_reason_to_end(tmp_path: Path):
    reading, writing = os.pipe()
    os.close(reading)
    run(tmp_path / "nowhere", writing)
    os.close(writing)


def test_files_that_were_moved_away_or_removed_are_opened_anew(tmp_path: Path):
    code = WRITES.replace(
        "raise SystemExit",
        "(Path(sys.argv[1]) / 'agent.stdout.log').rename(Path(sys.argv[1]) / 'old')\n"
        "(Path(sys.argv[1]) / 'agent.stderr.log').unlink()\n"
        "os.mkfifo(Path(sys.argv[1]) / 'agent.stderr.log')\n"
        "reopen(Path(sys.argv[1]))\n"
        "os.write(1, b'new\\n')\n"
        "raise SystemExit",
    ).replace("import become_output", "import become_output, reopen")
    source = str(Path(slb_registration.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={"PYTHONPATH": source},
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 7
    assert (tmp_path / "old").read_text() == "out\n"
    assert (tmp_path / "agent.stdout.log").read_text() == "new\n"
    assert (tmp_path / "agent.stderr.log").is_fifo()
