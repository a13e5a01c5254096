"""`python -m tests.each_python`: what depends on the Python, on every other CPython that is here:
the unit tests, and those of the release without what Ruby and the BOSH CLI make of it.

Supported are 3.10 to 3.14; what runs this has its tests elsewhere. Looked for on the PATH and where
pyenv, uv and CI services keep theirs. Each gets a virtual environment in .cache/pythons.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.paths import ROOT

REQUIREMENTS = ROOT / "tools/requirements.txt"
TESTS = ("tests/unit", "tests/release")
OF_OTHER_PROGRAMS = (
    "build/test_with_real_cli.py",
    "own_release/test_addresses.py", "own_release/test_backend_link.py",
    "own_release/test_job_templates.py", "own_release/test_manifests.py",
    "own_release/test_ruby_reads_release.py",
    "render/interpolate/test_like_cli.py", "render/jobs/test_links.py",
    "render/manifest/test_addons.py", "render/manifest/test_arrival.py", "render/ruby",
)  # fmt: skip
"""What of tests/release is about what Ruby or the BOSH CLI make of something: whatever the Python
is, it hands over and takes back the same as in render/test_render.py."""
SUPPORTED = [(3, minor) for minor in range(10, 15)]
PLACES = (
    "~/.pyenv/versions/*/bin",
    "~/.local/share/uv/python/*/bin",
    "/opt/hostedtoolcache/Python/*/*/bin",
    "/opt/python/*/bin",
)
_ABOUT = """
import importlib.util, sys
print(sys.implementation.name, *sys.version_info[:3], sys.prefix == sys.base_prefix)
print(all(importlib.util.find_spec(name) for name in ("ensurepip", "venv")))
"""


class Python(NamedTuple):
    """An interpreter and its version."""

    path: Path
    version: tuple[int, int, int]
    complete: bool  # Debian's lacks what makes a virtual environment, without python3-venv

    def __str__(self) -> str:
        return f"Python {'.'.join(map(str, self.version))} ({self.path})"

    @property
    def environment(self) -> Path:
        return ROOT / ".cache/pythons" / "{}.{}".format(*self.version)


class Outcome(NamedTuple):
    """What came of one interpreter."""

    python: Python
    passed: bool
    output: str


def main() -> int:
    """Run the tests; 1 if any failed or could not be run."""
    every = [one for one in found() if one.version[:2] != sys.version_info[:2]]
    for python in every:
        if not python.complete:
            print(f"not on {python}: it cannot make a virtual environment")
    others = [python for python in every if python.complete]
    if not others:
        print("no other CPython from 3.10 to 3.14 was found")
        return 0
    print(f"{' '.join(TESTS)} on {', '.join(map(str, others))}", flush=True)
    failed = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the tests use all processors themselves
        environments = [pool.submit(_environment, python) for python in others]
        for outcome in map(tested, others, environments):
            lines = outcome.output.rstrip().splitlines()
            print(f"--- {outcome.python}")
            print("\n".join(lines[-2:] if outcome.passed else lines[-200:]), flush=True)
            failed += [] if outcome.passed else [outcome.python]
    for python in failed:
        print(f"failed on {python}")
    return 1 if failed else 0


def found() -> list[Python]:
    """Return one interpreter for each supported minor version: the newest that is complete."""
    every = {python for path in _candidates() if (python := _python_at(path)) is not None}
    newest: dict[tuple[int, ...], Python] = {}
    for python in sorted(every, key=lambda one: (one.complete, one.version, str(one.path))):
        newest[python.version[:2]] = python
    return [newest[version] for version in SUPPORTED if version in newest]


def _candidates() -> Iterator[Path]:
    folders = [Path(folder) for folder in os.get_exec_path() if folder]
    for place in PLACES:
        start, _, pattern = place.partition("/*")
        folders += Path(start).expanduser().glob(f"*{pattern}")
    names = ["python3", *(f"python{major}.{minor}" for major, minor in SUPPORTED)]
    return (folder / name for folder in folders for name in names if (folder / name).is_file())


def _python_at(path: Path) -> Python | None:
    """Return what it is, or None: a shim without a version, say, or a virtual environment."""
    asked = [path, "-I", "-c", _ABOUT]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None
    name, major, minor, micro, own, complete = done.stdout.split()
    if name != "cpython" or own != "True":
        return None
    return Python(path, (int(major), int(minor), int(micro)), complete == "True")


def tested(python: Python, environment: Future[str]) -> Outcome:
    """Run the tests on one interpreter, in its environment."""
    try:
        output = environment.result()
    except subprocess.CalledProcessError as error:
        return Outcome(python, False, f"{error.output}\nno virtual environment could be made")
    done = _run(
        [
            *(python.environment / "bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            "--numprocesses=auto",
            *TESTS,
            *(f"--ignore=tests/release/{place}" for place in OF_OTHER_PROGRAMS),
        ],
        check=False,
    )
    return Outcome(python, done.returncode == 0, output + done.stdout)


def _environment(python: Python) -> str:
    """Make the virtual environment unless it is there; raises CalledProcessError."""
    stamp = python.environment / "made-with"
    wanted = f"{python}\n{hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()}\n"
    if stamp.exists() and stamp.read_text() == wanted:
        return ""
    shutil.rmtree(python.environment, ignore_errors=True)
    made = _run([python.path, "-m", "venv", python.environment])
    pip = [python.environment / "bin/python", "-m", "pip", "--disable-pip-version-check"]
    installed = _run([*pip, "install", "--quiet", "--require-hashes", "-r", REQUIREMENTS])
    stamp.write_text(wanted)
    return made.stdout + installed.stdout


def _run(command: Sequence[str | Path], *, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'tools'}:{ROOT / 'src'}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=check,
    )


if __name__ == "__main__":
    sys.exit(main())
