"""An interrupt at the worst moment: as the main thread is about to wait."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.paths import ROOT

WAITS = {
    "for a thread": "threading.Event().wait()",
    "for a program": "children.run(['sleep', '60'], stdout=subprocess.PIPE)",
    "for a program that is given something": "children.run(['sleep', '60'], given=b'x' * 300_000)",
}
PROGRAM = """
import signal, subprocess, sys, threading
from bosh_release.command_line import process
from bosh_release.support import children

def main():
    # In a thread beside the main one it interrupts no call, as where it comes just before.
    threading.Timer(0.3, signal.raise_signal, [signal.SIGTERM]).start()
    {wait}
    return 0

sys.exit(process.run(main))
"""


@pytest.mark.parametrize("wait", WAITS)
def test_it_is_noticed(wait: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(wait=WAITS[wait])],
        env={"PYTHONPATH": str(ROOT / "tools"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (143, "Interrupted.\n")
