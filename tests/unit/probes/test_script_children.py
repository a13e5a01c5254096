"""What a health script leaves behind is ended with it, wherever it goes, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import slb_registration
from slb_registration.probes import script, script_children
from slb_registration.probes.script import run_script

TELL = "echo $$ >> {pids}; exec sleep 60"
DAEMON = """
import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.closerange(0, 1000)
open({pids!r}, "a").write(f"{{os.getpid()}}\\n")
time.sleep(60)
"""
LEAVES: dict[str, str] = {
    "setsid": "setsid sh -c '{tell}' &",
    "setsid that forks": "setsid -f sh -c '{tell}'",
    "in a session of a session": "setsid -f setsid -f sh -c '{tell}'",
    "by a double fork": "{python} {daemon}",
    "without our environment": "env -i setsid -f /bin/sh -c '{tell}'",
    "whose parent stays": "setsid -f sh -c 'setsid sh -c \"{tell}\" & {tell}'",
    "that ignores signals": "setsid -f sh -c 'trap \"\" HUP TERM INT; {tell}'",
    "that stands still": "setsid -f sh -c 'echo $$ >> {pids}; kill -STOP $$'",
}


class Scripts:
    """Scripts that have something leave their session, and note its process ids."""

    def __init__(self, folder: Path) -> None:
        self.pids = folder / "pids"
        self._folder = folder

    def write(self, leave: str, then: str, *, count: int = 1, name: str = "check") -> str:
        """`then` follows once as many process ids as `count` are noted."""
        daemon = self._folder / "daemon.py"
        daemon.write_text(DAEMON.format(pids=str(self.pids)))
        tell = TELL.format(pids=self.pids)
        leave = leave.format(tell=tell, pids=self.pids, python=sys.executable, daemon=daemon)
        wait = (
            f'until [ "$(cat {self.pids} 2>/dev/null | wc -l)" -ge {count} ]; do sleep 0.01; done'
        )
        path = self._folder / name
        path.write_text(f"#!/bin/sh\n{leave}\n{wait}\n{then}\n")
        path.chmod(0o755)
        return str(path)

    def left(self) -> list[int]:
        """Those that are still there."""
        pids = map(int, self.pids.read_text().split())
        return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.fixture
def scripts(tmp_path: Path) -> Iterator[Scripts]:
    made = Scripts(tmp_path)
    yield made
    for pid in made.left() if made.pids.exists() else ():
        os.kill(pid, signal.SIGKILL)


def never() -> bool:
    return False


@pytest.mark.parametrize("how", LEAVES)
def test_what_leaves_its_session_ends_with_the_script(scripts: Scripts, how: str):
    path = scripts.write(LEAVES[how], "exit 0", count=2 if how == "whose parent stays" else 1)

    assert run_script(path, 20, never)[0]

    assert scripts.left() == []


def test_also_with_one_that_is_killed_since_it_hangs(scripts: Scripts):
    path = scripts.write(LEAVES["setsid"], "sleep 60")

    assert not run_script(path, 1, never)[0]

    assert scripts.left() == []


def test_nothing_piles_up(scripts: Scripts):
    before = script_children._children()
    for number in range(1, 6):
        run_script(scripts.write(LEAVES["setsid that forks"], "exit 0", count=number), 20, never)
    assert scripts.left() == []
    assert script_children._children() == before


@pytest.fixture
def other() -> Iterator[Callable[[bool], subprocess.Popen[bytes]]]:
    """Processes that this one has started, for something else."""
    made: list[subprocess.Popen[bytes]] = []

    def start(own_session: bool) -> subprocess.Popen[bytes]:
        made.append(subprocess.Popen(["sleep", "60"], start_new_session=own_session))
        return made[-1]

    yield start
    for one in made:
        one.kill()
        one.wait()


@pytest.mark.parametrize("own_session", [True, False])
def test_what_no_script_has_started_stays(
    scripts: Scripts, other: Callable[[bool], subprocess.Popen[bytes]], own_session: bool
):
    process = other(own_session)

    run_script(scripts.write(LEAVES["setsid"], "exit 0"), 20, never)

    assert process.poll() is None
    assert scripts.left() == []


def test_what_may_be_of_a_script_that_still_runs_stays_until_that_has_ended(
    scripts: Scripts, tmp_path: Path
):
    go = tmp_path / "go"
    os.mkfifo(go)
    path = scripts.write(LEAVES["setsid that forks"], f"read line < {go}", name="slow")
    results: list[tuple[bool, str]] = []
    slow = threading.Thread(target=lambda: results.append(run_script(path, 20, never)))
    slow.start()
    with go.open("w") as writer:  # which opens once it reads: its helper is there
        quick = tmp_path / "quick"
        quick.write_text("#!/bin/sh\nexit 0\n")
        quick.chmod(0o755)

        assert run_script(str(quick), 20, never)[0]

        assert len(scripts.left()) == 1
        writer.write("go\n")
    slow.join(20)
    assert results == [(True, "exit status 0")]
    assert scripts.left() == []


def test_what_another_user_owns_by_now_is_not_waited_for(
    scripts: Scripts, monkeypatch: pytest.MonkeyPatch
):
    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(script_children.os, "kill", refuse)
    path = scripts.write(LEAVES["setsid that forks"], "exit 0")

    assert run_script(path, 20, never)[0]

    monkeypatch.undo()
    assert len(scripts.left()) == 1
    run_script(path, 20, never)
    assert scripts.left() == []


AGENT = """
import sys, threading
from slb_registration.probes.script import run_script
for path in sys.argv[1:]:
    print(run_script(path, 60, lambda: False)[1], flush=True)
"""


def an_agent(*paths: str) -> subprocess.Popen[str]:
    folder = Path(slb_registration.__file__).parents[1]
    command = [sys.executable, "-c", AGENT, *paths]
    return subprocess.Popen(
        command, env={"PYTHONPATH": str(folder)}, stdout=subprocess.PIPE, text=True
    )


def running(path: str, fifo: Path) -> subprocess.Popen[str]:
    """An agent whose script has begun, and goes on for a minute."""
    os.mkfifo(fifo)
    Path(path).write_text(f"#!/bin/sh\necho $$ > {fifo}\nsleep 60\ntrue\n")
    agent = an_agent(path)
    fifo.with_suffix(".pid").write_text(fifo.read_text())
    return agent


def pid_of(fifo: Path) -> Path:
    return Path("/proc") / fifo.with_suffix(".pid").read_text().strip()


def test_a_script_of_an_agent_that_was_killed_ends_before_the_next_begins(tmp_path: Path):
    path, fifo = tmp_path / "check", tmp_path / "fifo"
    path.touch(0o755)
    killed = running(str(path), fifo)
    killed.kill()
    killed.communicate()
    assert pid_of(fifo).exists()
    path.write_text("#!/bin/sh\necho next\n")

    said, _ = an_agent(str(path)).communicate(timeout=30)

    assert said == "exit status 0: next\n"
    status = pid_of(fifo) / "stat"
    assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


def test_one_whose_agent_lives_goes_on(tmp_path: Path):
    path, fifo = tmp_path / "check", tmp_path / "fifo"
    path.touch(0o755)
    lives = running(str(path), fifo)
    path.write_text("#!/bin/sh\necho next\n")

    said, _ = an_agent(str(path)).communicate(timeout=30)

    assert said == "exit status 0: next\n"
    assert pid_of(fifo).exists()
    os.killpg(int(pid_of(fifo).name), signal.SIGKILL)
    lives.communicate(timeout=30)


def test_where_there_is_no_linux_it_is_said(scripts: Scripts, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(script_children, "_adopt", lambda: False)
    path = scripts.write("echo 1 > {pids}", "exit 0")
    assert run_script(path, 20, never) == (True, f"exit status 0{script.NOT_ADOPTED}")


def test_a_zombie_that_was_adopted_is_reaped(scripts: Scripts, tmp_path: Path):
    path = scripts.write("setsid -f sh -c 'echo $$ >> {pids}; exit 3'", "sleep 0.1")

    assert run_script(path, 20, never)[0]

    (pid,) = map(int, scripts.pids.read_text().split())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
