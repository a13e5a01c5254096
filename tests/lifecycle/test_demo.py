"""The demo as its users run it: `python -m demo`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.interpreter import Interpreter
from demo.sandbox import private_vcap
from demo.workshop import ROOT

pytestmark = pytest.mark.thorough

LIMIT_SECONDS = 60
# Of what root has in a container without privileges.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETPCAP", "SETUID")


def environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": f"{ROOT / 'tools'}:{ROOT / 'src'}",
    }


def processes_with(text: str) -> list[str]:
    """Those that have it among their arguments or in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:
            continue
        if any(text.encode() in one for one in told):
            found.append(told[0].replace(b"\0", b" ").decode(errors="replace"))
    return found


def test_the_demo_succeeds_and_leaves_nothing_behind(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo"],
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "8/8" in done.stdout
    assert "drain printed 0" in done.stdout
    assert "never touched" in done.stdout
    if "nobody asks" not in done.stdout:  # there is no HAProxy
        check_answers(done.stdout)
    assert done.stderr == ""
    assert list(folder.iterdir()) == []
    assert processes_with(str(folder)) == []


def check_answers(said: str) -> None:
    """A line in each step, and the number of requests at the end."""
    assert len(re.findall(r"^    \d+ answers", said, re.MULTILINE)) == 8
    last = re.fullmatch(r"✓ (\d+) requests, 0 failed", said.splitlines()[-1])
    assert last is not None, said
    assert int(last[1]) > 100


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_behind(folder: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "demo"],
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        watchdog = threading.Timer(LIMIT_SECONDS, demo.kill)
        watchdog.start()
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith("6/8"):
                break
        demo.send_signal(number)
        _, errors = demo.communicate(timeout=LIMIT_SECONDS)
        watchdog.cancel()

    assert demo.returncode == 128 + number
    assert errors == ""
    assert list(folder.iterdir()) == []
    assert processes_with(str(folder)) == []


def test_a_demo_without_namespaces_says_what_to_do(folder: Path) -> None:
    programs = folder / "bin"
    programs.mkdir()
    bwrap = programs / "bwrap"
    bwrap.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"
    )
    bwrap.chmod(0o755)

    done = subprocess.run(
        [sys.executable, "-m", "demo"],
        env={**environment(folder), "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )

    assert done.returncode == 1
    assert "No permissions to create new namespace" in done.stdout
    assert "Run it as root, or permit user namespaces" in done.stdout
    assert "make demo DEMO_IN_PLACE=1" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.fixture
def container(python: Interpreter, tmp_path: Path) -> Callable[..., list[str]]:
    """Run something where /var and /etc may be changed, and nothing else; no namespaces there."""
    with private_vcap(python) as sandbox:
        if sandbox.own_users:
            pytest.skip("needs root, which can have another user")
    etc = tmp_path / "etc"
    shutil.copytree("/etc", etc, symlinks=True)
    (tmp_path / "var").mkdir()

    def command(*argv: str) -> list[str]:
        capabilities = [word for one in CAPABILITIES for word in ("--cap-add", f"CAP_{one}")]
        return [
            *("bwrap", "--unshare-pid", "--die-with-parent", "--cap-drop", "ALL", *capabilities),
            *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
            *("--bind", str(etc), "/etc", "--bind", str(tmp_path / "var"), "/var"),
            *("--tmpfs", "/tmp", "--ro-bind", str(ROOT), str(ROOT), "--", *argv),
        ]

    return command


def in_place(container: Callable[..., list[str]], script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        container("bash", "-c", script),
        env={**environment(Path("/tmp")), "DEMO_IN_PLACE": "1", "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * LIMIT_SECONDS,
    )


def test_without_namespaces_the_demo_runs_in_place_and_removes_what_it_made(
    container: Callable[..., list[str]],
) -> None:
    done = in_place(
        container,
        'look() { ls /var /tmp; }; before=$(look); "$PYTHON" -m demo; echo "ended with $?"; '
        '[ "$before" = "$(look)" ] || look; getent passwd vcap; '
        "getent group vcap; cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '/aliyun_p[y]/'",
    )

    assert "8/8" in done.stdout, done.stdout + done.stderr
    assert done.stdout.endswith("ended with 0\n0\n"), done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("before", "there"),
    [
        ("mkdir -p /var/vcap/store", "/var/vcap"),
        ("useradd vcap", "user vcap and group vcap"),
        ("groupadd vcap; ln -s /nowhere /var/vcap", "/var/vcap and group vcap"),
    ],
)
def test_the_demo_in_place_touches_nothing_that_was_there(
    before: str, there: str, container: Callable[..., list[str]]
) -> None:
    look = "ls -ld /var/vcap* /var/vcap/*; getent passwd vcap; getent group vcap"
    script = f'{before}; one=$({look}); "$PYTHON" -m demo; echo "ended with $?"; '
    done = in_place(container, f'{script} [ "$one" = "$({look})" ] && echo the same')

    assert f"here is {there}. " in done.stdout
    assert done.stdout.endswith("ended with 1\nthe same\n")
