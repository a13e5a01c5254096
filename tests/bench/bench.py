"""`make bench`: figures, never assertions. Both sides of a comparison run in turn, in one run.

Prints a table and writes bench.json. Times are wall-clock seconds of whole processes, medians;
ratios are what to compare, since machines are noisy.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from demo import interpreter
from demo.compilation import compile_all, unpack
from demo.sandbox import Sandbox, private_vcap

ROOT = Path(__file__).resolve().parents[2]
RUNS = 7
IMPORT = (
    "import sys; sys.path[0:0] = ["
    "'/var/vcap/packages/aliyun_py/slb-registration', "
    "'/var/vcap/packages/aliyun_python_sdk_slb/lib']; import slb_registration.cli; "
    "print(next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmRSS')))"
)


def main() -> None:
    """Measure, print, write."""
    console = Console()
    with TemporaryDirectory(prefix="slb-registration-bench-") as folder:
        builds = building(Path(folder))
        installed = packages(Path(folder))
    console.print(build_table(builds))
    console.print(package_table(installed))
    result = {"build_seconds": builds, "packages": installed}
    (ROOT / "bench.json").write_text(json.dumps(result, indent=1) + "\n")


def building(folder: Path) -> dict[str, list[float]]:
    """Seconds of each run of `build` and, where it is there, of `bosh create-release`."""
    release = folder / "release"
    ignored = shutil.ignore_patterns("dev_releases", ".dev_builds", "__pycache__")
    shutil.copytree(ROOT / "release", release, symlinks=True, ignore=ignored)
    output = folder / "ours.tgz"
    contestants: dict[str, Callable[[], None]] = {
        "tools/release.py build": lambda: run(
            sys.executable, ROOT / "tools/release.py", "build", "--release-dir", release,
            "--version", "1.0.0", "--output", output, "--force",
        )
    }  # fmt: skip
    if shutil.which("bosh"):
        contestants["bosh create-release, cold"] = lambda: create_release(release, folder)
        contestants["bosh create-release, warm"] = lambda: create_release(release, folder)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(RUNS + 1):
        for name, contestant in contestants.items():
            if name.endswith("cold"):
                forget(release, folder)
            began = time.perf_counter()
            contestant()
            if number > 0:  # the first round warms the disk's cache
                seconds[name].append(time.perf_counter() - began)
            shutil.rmtree(release / "dev_releases", ignore_errors=True)
    return seconds


def create_release(release: Path, folder: Path) -> None:
    """The real CLI; its cache is in its HOME."""
    run(
        "bosh", "create-release", "--dir", release, "--force", "--version", "1.0.0",
        "--tarball", folder / "theirs.tgz", home=folder / "home",
    )  # fmt: skip


def forget(release: Path, folder: Path) -> None:
    """Both or neither: the CLI does not find its builds without its cache."""
    shutil.rmtree(folder / "home", ignore_errors=True)
    shutil.rmtree(release / ".dev_builds", ignore_errors=True)


def packages(folder: Path) -> dict[str, float]:
    """Installed size and the time that an import takes, in a private /var/vcap."""
    release = unpack(folder / "ours.tgz", folder / "unpacked")
    with private_vcap(interpreter.find()) as sandbox:
        compile_all(sandbox, release, lambda _name: None)
        size = sum(path.stat().st_size for path in sandbox.vcap.rglob("*") if path.is_file())
        bare = [timed(sandbox, "pass")[0] for _ in range(RUNS)]
        whole = [timed(sandbox, IMPORT) for _ in range(RUNS)]
    return {
        "installed_mib": size / 2**20,
        "python_start_seconds": statistics.median(bare),
        "import_seconds": statistics.median(seconds for seconds, _ in whole)
        - statistics.median(bare),
        "resident_after_import_mib": statistics.median(int(out) for _, out in whole) / 1024,
    }


def timed(sandbox: Sandbox, code: str) -> tuple[float, str]:
    """Run Python code in the sandbox; its seconds and output."""
    python = "/var/vcap/packages/aliyun_python_sdk_slb/bin/python3"
    command = sandbox.command([python, "-I", "-S", "-c", code])
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - began, done.stdout


def run(*command: object, home: Path | None = None) -> None:
    """Run to the end; raises CalledProcessError."""
    environment = dict(os.environ)
    if home is not None:
        home.mkdir(exist_ok=True)
        environment["HOME"] = str(home)
    subprocess.run(
        [str(word) for word in command], check=True, env=environment, capture_output=True
    )


def build_table(seconds: dict[str, list[float]]) -> Table:
    """Medians, and ratios to ours."""
    table = Table(title=f"the tarball of release/, seconds ({RUNS} runs each, in turn)")
    for heading in ("", "median", "fastest", "slowest", "÷ ours"):
        table.add_column(heading, justify="left" if not heading else "right")
    ours = statistics.median(seconds["tools/release.py build"])
    for name, figures in seconds.items():
        median = statistics.median(figures)
        shown = [f"{value:.3f}" for value in (median, min(figures), max(figures))]
        table.add_row(name, *shown, f"{median / ours:.2f}")
    return table


def package_table(figures: dict[str, float]) -> Table:
    """What a VM gets."""
    table = Table(title="the packages on a VM")
    table.add_column("")
    table.add_column("", justify="right")
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), f"{value:.3f}")
    return table


if __name__ == "__main__":
    main()
