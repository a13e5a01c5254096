"""Whole processes: run to their end, or looked at from outside while they run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def run(*command: object, home: Path | None = None) -> str:
    """Run to the end and return what was printed; raises CalledProcessError."""
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # figures are for Python as it usually runs
    if home is not None:
        home.mkdir(exist_ok=True)
        environment["HOME"] = str(home)
    done = subprocess.run(
        [str(word) for word in command],
        check=True,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return done.stdout


def resident_mib(pid: int) -> float:
    """Resident memory of a process."""
    lines = (Path("/proc") / str(pid) / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def cpu_seconds(pid: int) -> float:
    """CPU time of all living threads of a process, to the nanosecond: proc_pid_schedstat.

    /proc/PID/stat counts in hundredths of a second, of which an agent at rest takes six a minute.
    """
    threads = (Path("/proc") / str(pid) / "task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9
