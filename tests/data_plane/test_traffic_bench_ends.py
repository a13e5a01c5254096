"""Whatever ends the bench of traffic, none of its processes, namespaces and files stays."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.data_plane.backends import NEEDS_HAPROXY
from tests.integration.vm import ROOT, processes_below
from tests.waiting import DEADLINE_SECONDS, eventually

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("namespaced"), NEEDS_HAPROXY]
BEGINS = ("--quick", "--vms", "2", "--methods", "lb-check", "--rate", "20")


def networks() -> set[str]:
    run = Path("/run/netns")
    names = {one.name for one in run.iterdir()} if run.is_dir() else set()
    return names | {one.name for one in Path("/sys/class/net").iterdir()}


def asking(bench: int) -> list[int]:
    """The processes of a bench, once its client is one of them."""
    found = processes_below(bench)
    lines = []
    for pid in found:
        with contextlib.suppress(OSError):  # it has just ended
            lines.append((Path("/proc") / str(pid) / "cmdline").read_bytes())
    return found if any(b"traffic.client" in line for line in lines) else []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_a_bench_that_is_ended_leaves_nothing(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    before = networks()
    with (tmp_path / "out").open("w") as out:
        bench = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.traffic", *BEGINS],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": "tools:src", "TMPDIR": str(tmp_path)},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            processes = eventually(lambda: asking(bench.pid))
            assert len(processes) > 6  # itself, its private part, HAProxy, services, client
            assert networks() == before
            bench.send_signal(number)
            assert bench.wait(DEADLINE_SECONDS) == code
        finally:
            bench.kill()
            bench.wait()
    eventually(lambda: not any((Path("/proc") / str(pid)).exists() for pid in processes))
    assert networks() == before
    said = (tmp_path / "out").read_text()
    assert len(said.splitlines()) == 1, said
    assert [one.name for one in tmp_path.iterdir()] == ["out"]
