"""What the BOSH agent does with a rendered job: where its files go, and whose they are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from shutil import rmtree

from demo.sandbox import Sandbox

JOB = "slb-registration-test"
BIN = f"/var/vcap/jobs/{JOB}/bin"


def install(sandbox: Sandbox, rendered: Path) -> None:
    """Put a rendered job into the sandbox's /var/vcap, in place of what was there."""
    installed = sandbox.vcap / "data/jobs" / JOB
    rmtree(installed, ignore_errors=True)
    installed.mkdir(parents=True)
    # By a process of its own: one that another thread starts meanwhile would inherit the open files
    # of this one, and Linux runs no program that is open for writing (ETXTBSY).
    subprocess.run(["cp", "-R", f"{rendered}/.", str(installed)], check=True)
    for path in (installed, *installed.rglob("*")):
        path.chmod(_mode(installed, path))
        if not sandbox.own_users:
            os.chown(path, 0, sandbox.vcap_uid)  # root:vcap
    _link(sandbox.vcap / "jobs" / JOB, f"/var/vcap/data/jobs/{JOB}")
    # These folders are on every BOSH VM.
    for folder in ("sys/run", "sys/log"):
        (sandbox.vcap / folder).mkdir(parents=True, exist_ok=True)


def logs(sandbox: Sandbox) -> Path:
    """Return the job's log folder."""
    return sandbox.vcap / "sys/log" / JOB


def _mode(installed: Path, path: Path) -> int:
    executable = path.is_dir() or path.is_relative_to(installed / "bin")
    return 0o750 if executable else 0o640


def _link(link: Path, target: str) -> None:
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(target)
