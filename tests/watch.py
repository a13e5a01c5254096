"""`make watch`: runs the tests that a change concerns, as soon as a file is saved; Ctrl-C ends it.

Those are the nearest tests: they have the changed module's name or import it, or else import what
does. They run in a fork of a process that has loaded the packages of others already. None is begun
after so many seconds, and what only processes that tests start run is not seen: `make test` has it.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from tests.paths import ROOT

from terminal import COLUMNS, HelpFormatter, wrapped

SOURCES = (ROOT / "release/src", ROOT / "tools", ROOT)
"""Where modules are named from, the nearest first."""
WATCHED = ("release", "tools", "tests", "docs", "Makefile", "pyproject.toml", "README.md")
QUICK = ("unit", "release", "docs")
"""Folders of tests that are run for what they import; others only when they are edited."""
MOST_FILES = 6
SECONDS = 2.0
"""By default: the answer is there before one has looked away."""
LOOK_SECONDS = 0.1
WARM = (
    *("aliyunsdkcore.client", "cryptography.x509", "hypothesis"),
    *("responses", "rich.console", "werkzeug.serving", "yaml"),
)
_OPTIONS = (
    *("-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
    "-Wignore::pytest.PytestAssertRewriteWarning",  # of what is loaded already
)


@dataclass(frozen=True)
class Choice:
    """Test files to run, the nearest first; and how many others have to do with the change."""

    files: tuple[Path, ...]
    others: int


# Which tests


def concerned(changed: Collection[Path]) -> Choice:
    """Choose the tests of some files, which may be gone."""
    chosen: dict[Path, None] = {}
    others = 0
    for path in sorted(changed):
        found = _of_one(path)
        chosen |= dict.fromkeys(found[:MOST_FILES])
        others += len(found[MOST_FILES:])
    return Choice(tuple(chosen), others)


def _of_one(path: Path) -> list[Path]:
    """The tests of one file, those that have the most to do with it first."""
    if path.suffix != ".py":
        return [test for test in quick_tests() if path.name in test.read_text()]
    if path.name.startswith("test_"):
        return [path] if path.exists() else []
    named = [test for test in quick_tests() if _is_namesake(test, path)]
    return [*named, *(test for test in _nearest_importers(path) if test not in named)]


def _nearest_importers(path: Path) -> list[Path]:
    """The tests that import a module, or else those that import what does, and so on."""
    importers = graph()
    near = {module_of(path)}
    seen = set(near)
    while near:
        near = {one for module in near for one in importers[module]} - seen
        seen |= near
        tests = [test for test in quick_tests() if module_of(test) in near]
        if tests:
            return sorted(tests, key=lambda test: (len(_imports(test)), test))
    return []


def _is_namesake(test: Path, path: Path) -> bool:
    """Whether a test has the name of a module, and is in the room of its name."""
    is_named = f"{test.stem}_".startswith(f"test_{path.stem}_")
    return is_named and test.parent.name == path.parent.name


def quick_tests() -> list[Path]:
    """All test files that are run for what they import."""
    return sorted(test for name in QUICK for test in (ROOT / "tests" / name).rglob("test_*.py"))


def graph() -> Mapping[str, set[str]]:
    """Who imports each module."""
    importers = defaultdict(set)
    for folder in ("release/src", "tools", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            for name in _imports(path):
                importers[name].add(module_of(path))
    return importers


def module_of(path: Path) -> str:
    """A module's whole name: a folder has that of its __init__."""
    source = next(one for one in SOURCES if path.is_relative_to(one))
    return ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__")


def _imports(path: Path) -> frozenset[str]:
    return _imports_at(path, path.stat().st_mtime_ns)


@cache
def _imports_at(path: Path, _modified: int) -> frozenset[str]:
    """All names that a file imports, wherever it does."""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:  # it is being written
        return frozenset()
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    return frozenset(names)


# When


def saved() -> dict[Path, int]:
    """When each file was modified, in ns."""
    found = {}
    for name in WATCHED:
        for path in _files(ROOT / name):
            try:
                found[path] = path.stat().st_mtime_ns
            except FileNotFoundError:  # an editor has replaced it
                continue
    return found


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    for folder, folders, names in os.walk(place):
        folders[:] = [one for one in folders if one not in ("__pycache__", "blobs", "golden")]
        yield from (Path(folder, one) for one in names if not one.startswith("."))


def uncommitted() -> set[Path]:
    """What differs from the last commit."""
    git = ("git", "-C", str(ROOT), "status", "--porcelain", "-z", "--no-renames", "-uall")
    told = subprocess.run(git, capture_output=True, text=True, check=True).stdout
    return {ROOT / entry[3:] for entry in told.split("\0") if entry}


# Running them


class Until:
    """Begins no test after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends = time.monotonic() + seconds

    def pytest_runtest_makereport(self, item: pytest.Item) -> None:
        """Look at the clock in each test; its outcome is others' matter."""
        if time.monotonic() > self._ends:
            item.session.shouldstop = f"{self._seconds:g} s are over; make test has the rest"


def run(choice: Choice, seconds: float) -> int:
    """Run the tests in a process of their own; returns pytest's exit code."""
    began = time.monotonic()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os._exit(_tested(choice.files, seconds))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = f"; {choice.others} more test files import it: make test" if choice.others else ""
    print(f"{time.monotonic() - began:.1f} s{left}", flush=True)
    return code


def _tested(files: Collection[Path], seconds: float) -> int:
    names = [str(path.relative_to(ROOT)) for path in files]
    print("\n".join(wrapped(" ".join(names), COLUMNS)), flush=True)
    code = int(pytest.main([*_OPTIONS, *names], [Until(seconds)]))
    sys.stdout.flush()
    return code


def watch(seconds: float) -> None:
    """Run the tests of whatever is saved, until Ctrl-C."""
    before = saved()
    graph()  # so that the first time is as fast as the next
    print("waiting for a file to be saved", flush=True)
    while True:
        time.sleep(LOOK_SECONDS)
        now = saved()
        changed = {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}
        before = now
        choice = concerned(changed)
        if choice.files:
            run(choice, seconds)


def main() -> int:
    """Watch, or run once."""
    parser = argparse.ArgumentParser(
        prog="make watch", description=__doc__, formatter_class=HelpFormatter
    )
    parser.add_argument(
        "--once", action="store_true", help="only run the tests of what is not committed yet"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        help="after so many no further test is begun (%(default)g)",
    )
    options = parser.parse_args()
    for name in WARM:
        importlib.import_module(name)
    try:
        if options.once:
            choice = concerned(uncommitted())
            return run(choice, options.seconds) if choice.files else 0
        watch(options.seconds)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
