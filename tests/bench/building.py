"""The tarball's build next to `bosh create-release`, where that is on PATH."""

from __future__ import annotations

import hashlib
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from rich.table import Table
from tests.bench import tables
from tests.bench.processes import run
from tests.paths import ROOT

RUNS = 11
OURS, UNCOMPILED = "release.py build", "release.py build, no bytecode yet"
COLD, WARM = "bosh create-release, cold", "bosh create-release, warm"
BALLAST = 12  # blobs
BALLAST_BYTES = 512 * 1024
Seconds = dict[str, dict[str, list[float]]]


def measure(folder: Path) -> Seconds:
    """Seconds of each run, by place and contestant; leaves a tarball as `ours.tgz` in `folder`."""
    shutil.copytree(ROOT / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    places = {
        "outside git": _release(folder / "outside"),
        "in git": _checkout(folder / "checkout"),
        f"+{BALLAST * BALLAST_BYTES >> 20} MiB blobs": _heavy(folder / "heavy"),
    }
    seconds = {name: _in_turn(release, folder) for name, release in places.items()}
    _ours(places["outside git"], folder)
    return seconds


def _release(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("dev_releases", ".dev_builds", "__pycache__")
    release = folder / "release"
    shutil.copytree(ROOT / "release", release, symlinks=True, ignore=ignored)
    if (release / "blobs").is_symlink():  # the CLI takes none
        (release / "blobs").unlink()
        shutil.copytree(ROOT / "release" / "blobs", release / "blobs")
    return release


def _checkout(folder: Path) -> Path:
    release = _release(folder)
    shutil.copy(ROOT / ".gitignore", folder)
    git = ("git", "-C", folder, "-c", "user.name=bench", "-c", "user.email=bench@localhost")
    run(*git, "init")
    run(*git, "add", "--all")
    run(*git, "commit", "--message", "bench")
    return release


def _heavy(folder: Path) -> Path:
    """With one more package, of blobs that cannot be compressed, as wheels and tarballs are."""
    release = _release(folder)
    package, blobs = release / "packages/ballast", release / "blobs/ballast"
    for path in (package, blobs):
        path.mkdir()
    (package / "packaging").write_text("true\n")
    (package / "spec").write_text("name: ballast\nfiles: ['ballast/*']\n")
    random = Random(0)
    with (release / "config/blobs.yml").open("a") as index:
        for number in range(BALLAST):
            data = random.randbytes(BALLAST_BYTES)
            (blobs / f"{number}.bin").write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
            index.write(f"ballast/{number}.bin:\n  size: {BALLAST_BYTES}\n  sha: sha256:{digest}\n")
    return release


def _in_turn(release: Path, folder: Path) -> dict[str, list[float]]:
    contestants: dict[str, Callable[[], None]] = {
        OURS: lambda: _ours(release, folder),
        UNCOMPILED: lambda: _ours(release, folder),
    }
    if shutil.which("bosh"):
        contestants[COLD] = contestants[WARM] = lambda: _theirs(release, folder)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(RUNS + 1):
        for name, contestant in contestants.items():
            if name == COLD:  # both or neither: without its cache the CLI does not find its builds
                shutil.rmtree(folder / "home", ignore_errors=True)
                shutil.rmtree(release / ".dev_builds", ignore_errors=True)
            if name == UNCOMPILED:
                for compiled in list((folder / "tools/bosh_release").rglob("__pycache__")):
                    shutil.rmtree(compiled)
            began = time.perf_counter()
            contestant()
            if number > 0:  # the first round warms the disk's cache
                seconds[name].append(time.perf_counter() - began)
            shutil.rmtree(release / "dev_releases", ignore_errors=True)
    return seconds


def _ours(release: Path, folder: Path) -> None:
    run(
        sys.executable, folder / "tools/release.py", "build", "--release-dir", release,
        "--version", "1.0.0", "--output", folder / "ours.tgz", "--force",
    )  # fmt: skip


def _theirs(release: Path, folder: Path) -> None:
    run(
        "bosh", "create-release", "--dir", release, "--force", "--version", "1.0.0",
        "--tarball", folder / "theirs.tgz", home=folder / "home",
    )  # fmt: skip


def table(seconds: Mapping[str, Mapping[str, list[float]]]) -> Table:
    """Medians of the times, and of their ratios to ours."""
    title = f"the tarball of release/: median seconds of {RUNS} runs in turn (and ÷ ours)"
    shown = tables.table(title, ("", *seconds))
    names = next(iter(seconds.values()))
    for name in names:
        cells = []
        for runs in seconds.values():
            # Round by round: a machine that is slower for a while is so for all of them.
            ratios = [theirs / ours for theirs, ours in zip(runs[name], runs[OURS], strict=True)]
            cells.append(f"{statistics.median(runs[name]):.3f} ({statistics.median(ratios):.2f})")
        shown.add_row(name, *cells)
    if COLD not in names:
        shown.caption = "bosh is not on the PATH: nothing to compare with"
    return shown
