"""Ctrl-C and SIGTERM at any moment: a soon end, the exit code of a shell, and nothing left.

More moments:
    INTERRUPTS=50 INTERRUPT_SEED=7 python -m pytest tests/release/command_line/test_interrupts.py
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.paths import ROOT

pytestmark = pytest.mark.thorough

MakeRelease = Callable[[dict[str, Any]], Path]
RELEASE_PY = ROOT / "tools" / "release.py"
TIMES = int(os.environ.get("INTERRUPTS", "4"))
SEED = os.environ.get("INTERRUPT_SEED", "1")
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}
# From the signal to the end; with a full machine it takes its time, so what is promised (one
# second) is doubled.
SOON_SECONDS = 2.0
STARTING = (b"Fatal Python error: init", b"Failed checking if argv[0] is an import path entry")

JOB = {
    "jobs/j/spec": "name: j\ntemplates: {t.erb: bin/t}\nproperties: {x: {}}\n",
    "jobs/j/templates/t.erb": "<%= `sleep 0.2; echo` %>it is <%= p('x') %>\n" * 3,
    "jobs/j/monit": "",
}
PACKAGE = {
    "packages/p/spec": "name: p\nfiles: ['app/**/*']\n",
    "packages/p/packaging": "true\n",
    "packages/p/pre_packaging": "sleep 0.5; echo made > made\n",
}


class Stage:
    """Runs release.py in an environment in which nothing that it leaves can hide."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.random = random.Random(SEED)
        self.usual_seconds = 0.0

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, str(RELEASE_PY), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(self.temporary), **environment},
            preexec_fn=_as_in_a_terminal,  # noqa: PLW1509 - there are no threads here
        )

    def run(self, *arguments: object, **environment: str) -> None:
        """Once to its end, to see how long that takes."""
        started = time.monotonic()
        process = self.start(*arguments, **environment)
        _, err = process.communicate(timeout=60)
        self.usual_seconds = time.monotonic() - started
        assert process.returncode == 0, err.decode()

    def interrupted(self, number: signal.Signals, *arguments: object, **environment: str) -> bool:
        """Run and interrupt at some moment; whether that was before the end."""
        process = self.start(*arguments, **environment)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self.random.uniform(0, self.usual_seconds))
        at = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - at < SOON_SECONDS
        if any(word in err for word in STARTING):
            return True  # Python itself was still starting, and says so in its own way
        assert b"Traceback" not in err, err.decode()
        assert list(self.temporary.iterdir()) == []
        assert self.still_running() == []
        # before Python itself has begun it is ended by the signal, as any program
        assert process.returncode in (0, SIGNALS[number], -number), err.decode()
        return process.returncode != 0

    def still_running(self) -> list[str]:
        """Programs that were started from here; those that have been killed may take a moment."""
        end = time.monotonic() + SOON_SECONDS
        while (found := self._running()) and time.monotonic() < end:
            pass
        return found

    def _running(self) -> list[str]:
        mark = f"TMPDIR={self.temporary}".encode()
        found = []
        for process in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if process.name.isdigit() and mark in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_text())
        return found


def _as_in_a_terminal() -> None:
    for number in SIGNALS:  # a shell's `&` has SIGINT ignored
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    folder = tmp_path / "stage"
    folder.mkdir()
    return Stage(folder)


def moments() -> Iterator[signal.Signals]:
    for number in range(TIMES):
        yield list(SIGNALS)[number % 2]


def snapshot(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_build(stage: Stage, make_release: MakeRelease) -> None:
    noise = random.Random(1).randbytes(8 << 20)
    folder = make_release({**JOB, **PACKAGE, "src/app/noise": noise})
    stage.run("build", "--release-dir", folder)
    versions = 1
    for number in moments():
        before = snapshot(folder)
        if stage.interrupted(number, "build", "--release-dir", folder):
            assert snapshot(folder) == before
            continue
        versions += 1
        assert (folder / f"dev_releases/t/t-0+dev.{versions}.tgz").exists()
        assert f"0+dev.{versions}" in (folder / "dev_releases/t/index.yml").read_text()


def test_a_build_into_a_new_folder_leaves_no_folder(
    stage: Stage, make_release: MakeRelease
) -> None:
    noise = random.Random(1).randbytes(8 << 20)
    folder = make_release({"LICENSE": noise})
    output = stage.folder / "new" / "er" / "o.tgz"
    build = ("build", "--release-dir", folder, "--version", "1", "--output")
    stage.run(*build, stage.folder / "o.tgz")
    for number in moments():
        assert stage.interrupted(number, *build, output) != output.exists()
        assert output.exists() == output.parent.parent.exists()
        if output.exists():
            output.unlink()
            output.parent.rmdir()
            output.parent.parent.rmdir()


def test_render(stage: Stage, make_release: MakeRelease) -> None:
    folder = make_release(JOB)
    manifest = stage.folder / "manifest.yml"
    manifest.write_text(
        "name: d\ninstance_groups:\n- name: g\n  jobs:\n  - {name: j, release: t, "
        "properties: {x: ((x))}}\n"
    )
    rendered = stage.folder / "rendered"
    render = ("render", "--release-dir", folder, "--manifest", manifest, "--output", rendered)
    stage.run(*render, "-v", "x=0")
    shown = 0
    for times, number in enumerate(moments(), 1):
        if not stage.interrupted(number, *render, "-v", f"x={times}"):
            shown = times
        assert f"it is {shown}\n" in (rendered / "j/bin/t").read_text()
        assert {path.name for path in stage.folder.iterdir()} == {"manifest.yml", "rendered", "tmp"}


def test_blobs(stage: Stage, make_release: MakeRelease) -> None:
    listed = ""
    for name in ("one", "two", "three"):
        wheel = stage.folder / "index" / f"{name}-1-py3-none-any.whl"
        wheel.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(wheel, "w") as file:
            file.writestr(f"{name}.py", b"#" * 1000)
            file.writestr(f"{name}-1.dist-info/METADATA", f"Name: {name}\nVersion: 1\n")
            file.writestr(f"{name}-1.dist-info/WHEEL", "Wheel-Version: 1.0\n")
            file.writestr(f"{name}-1.dist-info/RECORD", "")
        data = wheel.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        listed += f"w/{wheel.name}: {{size: {len(data)}, sha: 'sha256:{digest}'}}\n"
    folder = make_release({"config/blobs.yml": listed})
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(stage.folder / "index")}
    stage.run("blobs", "--release-dir", folder, **pip)
    whole = snapshot(folder / "blobs")
    assert len(whole) == 3
    for number in moments():
        for path in (folder / "blobs/w").iterdir():
            path.unlink()
        stage.interrupted(number, "blobs", "--release-dir", folder, **pip)
        assert snapshot(folder / "blobs").items() <= whole.items()


def test_verify(stage: Stage, make_release: MakeRelease) -> None:
    folder = make_release({"LICENSE": b"x" * (64 << 20)})
    tarball = stage.folder / "o.tgz"
    stage.run("build", "--release-dir", folder, "--version", "1", "--output", tarball)
    stage.run("verify", tarball)
    for number in moments():
        stage.interrupted(number, "verify", tarball)


@pytest.mark.parametrize("number", SIGNALS)
def test_what_waits_for_a_pipe_ends_too(number: signal.Signals, stage: Stage) -> None:
    pipe = stage.folder / "pipe"
    os.mkfifo(pipe)
    process = stage.start("verify", pipe, "--json")
    with pipe.open("wb"):  # it has opened its end, too, so it has begun
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (SIGNALS[number], b"Interrupted.\n")
    assert json.loads(out)["exit_code"] == SIGNALS[number]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_script_and_what_it_has_started_end_with_the_build(
    number: signal.Signals, stage: Stage, make_release: MakeRelease
) -> None:
    began = stage.folder / "began"
    os.mkfifo(began)
    script = f"(trap '' INT TERM; sleep 600) &\n(echo; sleep 600) > {began}\n"
    folder = make_release(
        {**PACKAGE, "src/app/x": "1", "packages/p/pre_packaging": f"trap '' INT TERM\n{script}"}
    )
    process = stage.start("build", "--release-dir", folder, "--version", "1")
    with began.open("rb") as file:
        assert file.read(1) == b"\n"
    at = time.monotonic()
    process.send_signal(number)
    process.communicate(timeout=30)
    assert time.monotonic() - at < SOON_SECONDS
    assert process.returncode == SIGNALS[number]
    assert stage.still_running() == []
    assert list(stage.temporary.iterdir()) == []


def test_a_signal_that_was_ignored_from_the_start_stays_ignored(
    stage: Stage, make_release: MakeRelease
) -> None:
    folder = make_release({})
    began, go_on = stage.folder / "began", stage.folder / "go-on"
    os.mkfifo(began)
    os.mkfifo(go_on)
    folder = make_release({**PACKAGE, "src/app/x": "1"})
    script = folder / "packages/p/pre_packaging"
    script.write_text(f"echo > {began}\nread x < {go_on}\n")
    command = (
        f"trap '' INT; exec {sys.executable} {RELEASE_PY} build --version 1 --release-dir {folder}"
    )
    process = subprocess.Popen(["bash", "-c", command], stdout=subprocess.PIPE)
    began.read_bytes()
    process.send_signal(signal.SIGINT)
    go_on.write_text("\n")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert b"Built t 1" in out
