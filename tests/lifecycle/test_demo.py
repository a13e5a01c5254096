"""The demo as its users run it: `python -m demo`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from demo.workshop import ROOT

LIMIT_SECONDS = 60


def environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": f"{ROOT / 'tools'}:{ROOT / 'src'}",
    }


def processes_with(text: str) -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


def test_the_demo_succeeds_and_leaves_nothing_behind(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo"],
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "8/8" in done.stdout
    assert "drain printed 0" in done.stdout
    assert "never touched" in done.stdout
    assert done.stderr == ""
    assert list(folder.iterdir()) == []
    assert processes_with(str(folder)) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_behind(folder: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "demo"],
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        watchdog = threading.Timer(LIMIT_SECONDS, demo.kill)
        watchdog.start()
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith("6/8"):
                break
        demo.send_signal(number)
        _, errors = demo.communicate(timeout=LIMIT_SECONDS)
        watchdog.cancel()

    assert demo.returncode == 128 + number
    assert errors == ""
    assert list(folder.iterdir()) == []
    assert processes_with(str(folder)) == []


def test_a_demo_without_namespaces_says_what_to_do(folder: Path) -> None:
    programs = folder / "bin"
    programs.mkdir()
    bwrap = programs / "bwrap"
    bwrap.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"
    )
    bwrap.chmod(0o755)

    done = subprocess.run(
        [sys.executable, "-m", "demo"],
        env={**environment(folder), "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )

    assert done.returncode == 1
    assert "No permissions to create new namespace" in done.stdout
    assert "Run it as root, or permit user namespaces" in done.stdout
    assert "Traceback" not in done.stderr
