"""What a VM gets: the installed packages, and what it costs to import them."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from rich.table import Table
from tests.bench import tables

from demo import interpreter
from demo.compilation import compile_all, unpack
from demo.sandbox import Sandbox, private_vcap

RUNS = 7
PYTHON = "/var/vcap/packages/aliyun_python_sdk_slb/bin/python3"
IMPORT = (
    "import sys; sys.path[0:0] = ["
    "'/var/vcap/packages/aliyun_py/slb-registration', "
    "'/var/vcap/packages/aliyun_python_sdk_slb/lib']; import slb_registration.{module}; "
    "print(next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmRSS')))"
)
AGENT, COMMAND_LINE = (
    IMPORT.format(module=module) for module in ("commands.with_sdk", "commands.cli")
)


def measure(folder: Path) -> dict[str, float]:
    """Installed size and the time that imports take, in a private /var/vcap."""
    release = unpack(folder / "ours.tgz", folder / "unpacked")
    with private_vcap(interpreter.find()) as sandbox:
        compile_all(sandbox, release, lambda _name: None)
        size = sum(path.stat().st_size for path in sandbox.vcap.rglob("*") if path.is_file())
        runs = [
            [_timed(sandbox, code) for code in ("pass", COMMAND_LINE, AGENT)] for _ in range(RUNS)
        ]
    bare, command_line, agent = (
        statistics.median(run[number][0] for run in runs) for number in range(3)
    )
    return {
        "installed_mib": size / 2**20,
        "python_start_seconds": bare,
        "import_of_status_and_healthy_seconds": command_line - bare,
        "import_of_the_agent_seconds": agent - bare,
        "resident_after_import_mib": statistics.median(int(run[2][1]) for run in runs) / 1024,
    }


def _timed(sandbox: Sandbox, code: str) -> tuple[float, str]:
    """Run Python code in the sandbox; its seconds and output."""
    command = sandbox.command([PYTHON, "-I", "-S", "-c", code])
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - began, done.stdout


def table(figures: Mapping[str, float]) -> Table:
    """One figure a row."""
    shown = tables.table("the packages on a VM", ("", "figure"))
    for name, value in figures.items():
        shown.add_row(name.replace("_", " "), f"{value:.3f}")
    return shown
