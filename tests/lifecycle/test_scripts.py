"""The job's scripts, with a stand-in for the agent that says what it was called with."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import waiting
from tests.lifecycle.machine import write_program
from tests.lifecycle.stand_in import LAUNCHER, put_agent
from tests.pipes import fill

from demo.installation import BIN, JOB, install, logs
from demo.vm import Vm

SCRIPTS = ["pre-start", "post-start", "pre-stop", "post-stop", "drain", "dns/healthy", "run"]


def script(vm: Vm, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return vm.run(f"{BIN}/{name}", *arguments, environment={"SECRET_OF_BOSH": "x", "PATH": "/nope"})


def agents(vm: Vm) -> list[str]:
    """Return the agents, once none is still on the way from the script to the program."""
    eventually(lambda: not any(map(on_the_way, vm.processes().values())))
    return list(agent_pids(vm).values())


def agent_pids(vm: Vm) -> dict[int, str]:
    """Return the agents by their numbers, without what an agent has just forked."""
    return {
        pid: line
        for pid, line in vm.processes().items()
        if "slb-registration run" in line and leads_a_session(pid)
    }


def on_the_way(line: str) -> bool:
    """Whether a process is still the script, or `setsid` before it has become the program."""
    return "bin/run start" in line or line.startswith("setsid ")


def leads_a_session(pid: int) -> bool:
    """Whether this is the stand-in itself, and not its child on the way to `sleep`."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[3] == str(pid)


def replace_in(vm: Vm, name: str, old: str, new: str) -> None:
    path = vm.vcap / "data/jobs" / JOB / "bin" / name
    write_program(path, path.read_text().replace(old, new))


def start_with(vm: Vm, trap: str) -> Path:
    """Start an agent with a trap, and wait until it has set that; returns its log."""
    put_agent(vm, trap=trap)
    script(vm, "run", "start")
    out = logs(vm.sandbox) / "agent.stdout.log"
    eventually(lambda: out.exists() and out.read_text().startswith("out of"))
    return out


def start_deaf(vm: Vm) -> None:
    """Start an agent that no SIGTERM ends."""
    start_with(vm, "trap '' TERM")


def pidfile(vm: Vm) -> Path:
    return vm.vcap / "sys/run" / JOB / "agent.pid"


def eventually(condition: Callable[[], bool]) -> None:
    waiting.eventually(condition, within=10)


def test_start_makes_the_folders_and_returns_with_the_agent_in_the_background_as_vcap(
    job: Vm,
) -> None:
    done = script(job, "run", "start")

    assert (done.returncode, done.stderr) == (0, "")
    assert len(agents(job)) == 1
    pid = pidfile(job).read_text().strip()
    answer = job.run("sh", "-c", f"stat -c '%U %G %a' /proc/{pid} /var/vcap/*/*/{JOB}")
    assert answer.stdout.splitlines()[0].startswith("vcap vcap")
    folders = job.run(
        *("stat", "-c", "%U %G %a", f"/var/vcap/sys/run/{JOB}", f"/var/vcap/sys/log/{JOB}"),
        f"/var/vcap/data/{JOB}",
    )
    assert folders.stdout.splitlines() == ["vcap vcap 750", "vcap vcap 750", "vcap vcap 700"]


def test_starting_twice_leaves_one_agent(job: Vm) -> None:
    script(job, "run", "start")
    first = pidfile(job).read_text()

    done = script(job, "run", "start")

    assert done.returncode == 0
    assert "already running" in done.stdout
    assert pidfile(job).read_text() == first
    assert len(agents(job)) == 1


def test_starting_many_times_at_once_leaves_one_agent(job: Vm) -> None:
    starts = [subprocess.Popen(job.command(f"{BIN}/run", "start")) for _ in range(8)]

    assert [start.wait(timeout=30) for start in starts] == [0] * 8
    assert len(agents(job)) == 1


def test_stop_ends_the_agent_and_removes_the_pidfile(job: Vm) -> None:
    script(job, "run", "start")

    done = script(job, "run", "stop")

    assert (done.returncode, done.stderr) == (0, "")
    assert agents(job) == []
    eventually(lambda: job.processes() == {})
    assert not pidfile(job).exists()


def test_stop_right_after_start_ends_the_agent(job: Vm) -> None:
    both = f"{BIN}/run start; {BIN}/run stop"

    for _ in range(5):
        assert job.run("sh", "-c", both).returncode == 0
        assert agents(job) == []


def test_stop_of_what_does_not_run_is_fine(job: Vm) -> None:
    assert script(job, "run", "stop").returncode == 0
    assert script(job, "run", "stop").returncode == 0


def test_stop_kills_an_agent_that_does_not_end(job: Vm) -> None:
    replace_in(job, "run", "STOP_SECONDS=15", "STOP_SECONDS=1")
    start_deaf(job)

    done = script(job, "run", "stop")

    assert done.returncode == 0
    assert "s; killed" in done.stderr
    assert agents(job) == []
    assert not pidfile(job).exists()


def test_an_agent_that_was_stopped_as_by_ctrl_z_ends_by_itself_and_the_next_starts(job: Vm) -> None:
    out = start_with(job, "trap 'echo ended; exit 0' TERM")
    (frozen,) = agent_pids(job)
    os.kill(frozen, signal.SIGSTOP)

    done = script(job, "run", "stop")

    assert (done.returncode, done.stderr) == (0, "")
    assert out.read_text().endswith("ended\n")
    assert agents(job) == []
    script(job, "run", "start")
    assert len(agents(job)) == 1


def test_stop_keeps_within_the_30_seconds_that_monit_gives(job: Vm) -> None:
    text = (job.vcap / "data/jobs" / JOB / "bin/run").read_text()
    limits = [int(line.rpartition("=")[2]) for line in text.splitlines() if "_SECONDS=" in line]

    assert len(limits) == 3
    assert sum(limits) < 30


@pytest.mark.parametrize("content", ["999999\n", "", "nonsense\n", "-1\n", "1\n"])
def test_a_stale_pidfile_does_not_hinder_a_start(job: Vm, content: str) -> None:
    script(job, "run", "start")
    script(job, "run", "stop")
    pidfile(job).write_text(content)

    assert script(job, "run", "start").returncode == 0
    assert len(agents(job)) == 1


def test_a_pid_that_another_process_has_now_is_neither_taken_for_ours_nor_killed(job: Vm) -> None:
    script(job, "run", "start")
    script(job, "run", "stop")
    shell = "sleep 1000 >/dev/null 2>&1 & echo $!"
    other = job.run("sh", "-c", shell).stdout
    pidfile(job).write_text(other)

    stopped = script(job, "run", "stop")
    pidfile(job).write_text(other)
    started = script(job, "run", "start")

    assert (stopped.returncode, started.returncode) == (0, 0)
    assert any("sleep 1000" in line for line in job.processes().values())
    assert pidfile(job).read_text() != other
    assert len(agents(job)) == 1


def test_an_agent_that_was_killed_is_started_again(job: Vm) -> None:
    script(job, "run", "start")
    # the shell's own kill: a small Debian has no other
    assert job.run("sh", "-c", f"kill -9 {pidfile(job).read_text()}").returncode == 0
    eventually(lambda: agents(job) == [])

    assert script(job, "run", "start").returncode == 0
    assert len(agents(job)) == 1


def test_no_agent_is_left_without_a_pidfile(job: Vm) -> None:
    (pidfile(job).parent / "agent.pid.new").mkdir(parents=True)

    assert script(job, "run", "start").returncode == 1
    eventually(lambda: job.processes() == {})


def test_the_agent_has_a_session_of_its_own(job: Vm) -> None:
    script(job, "run", "start")

    pid = pidfile(job).read_text().strip()
    stat = job.run("cat", f"/proc/{pid}/stat").stdout.rpartition(")")[2].split()
    assert stat[3] == pid


def test_logs_are_appended_to_and_go_on_after_copytruncate(job: Vm) -> None:
    out = start_with(job, "trap 'echo told; exit 0' TERM")
    err = logs(job.sandbox) / "agent.stderr.log"
    eventually(lambda: err.read_text().startswith("err of"))
    out.write_text("")

    script(job, "run", "stop")

    assert out.read_text() == "told\n"
    assert {log.suffix for log in logs(job.sandbox).iterdir()} == {".log"}


def test_an_unknown_argument_is_refused(job: Vm) -> None:
    done = script(job, "run", "restart")

    assert done.returncode == 64
    assert "'restart' is not start or stop" in done.stderr


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        (
            "pre-start",
            f"validate --pre-start --log-file /var/vcap/sys/log/{JOB}/agent.stderr.log",
        ),
        ("post-start", "wait"),
        ("post-stop", "drain --quick"),
        ("dns/healthy", "healthy"),
        ("run", "check"),
    ],
)
def test_a_script_asks_the_agent_as_vcap_in_a_clean_environment(
    job: Vm, name: str, arguments: str
) -> None:
    done = script(job, name)

    assert done.returncode == 0
    assert f"user=vcap arguments={arguments}" in done.stdout
    assert "SECRET_OF_BOSH" not in done.stdout
    assert "PATH=/usr/sbin:/usr/bin:/sbin:/bin" in done.stdout
    assert done.stderr == "noise\n"


@pytest.mark.parametrize("told", [{}, {"TERM": "xterm -i A=b", "NO_COLOR": "1"}])
def test_how_the_terminal_shows_text_is_all_that_is_left_of_the_environment(
    job: Vm, told: dict[str, str]
) -> None:
    names = ("TERM", "NO_COLOR", "LANG", "COLUMNS", "LD_PRELOAD")
    environment = {"LANG": "de_DE", "COLUMNS": "40", "LD_PRELOAD": "/nowhere.so", **told}
    done = job.run(f"{BIN}/post-start", environment=environment)

    assert done.returncode == 0
    kept = [line for line in done.stdout.splitlines() if line.partition("=")[0] in names]
    expected = {"LANG": "C.UTF-8", "TERM": "dumb", **told}  # bash's own, where there is none
    assert sorted(kept) == sorted(f"{name}={value}" for name, value in expected.items())


@pytest.mark.parametrize("name", ["pre-start", "post-start", "run"])
def test_a_refusal_of_the_agent_is_the_scripts_own(job: Vm, name: str) -> None:
    put_agent(job, code=1)

    assert script(job, name).returncode == 1


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (69, 1), (1, 0), (2, 0), (127, 0)])
def test_dns_healthy_says_no_only_if_the_agent_does(job: Vm, code: int, expected: int) -> None:
    put_agent(job, code=code)

    assert script(job, "dns/healthy").returncode == expected


def test_dns_healthy_does_not_say_no_where_the_package_is_missing(installed: Vm) -> None:
    assert script(installed, "dns/healthy").returncode == 0


@pytest.mark.parametrize("name", ["drain", "pre-stop"])
@pytest.mark.parametrize("code", [0, 1, 3])
def test_drain_prints_0_and_nothing_else_and_succeeds(job: Vm, name: str, code: int) -> None:
    put_agent(job, code=code)

    done = script(job, name, "job_shutdown", "hash_unchanged")

    assert (done.stdout, done.returncode) == ("0\n", 0)
    assert done.stderr.startswith("noise\n")
    assert ("may still be in rotation" in done.stderr) == (code != 0)
    assert (logs(job.sandbox) / "drain.stderr.log").read_text() == "noise\n"


@pytest.mark.parametrize("reader", ["has gone", "does not read"])
def test_drain_prints_0_though_nobody_reads_its_stderr(job: Vm, reader: str) -> None:
    put_agent(job, code=3)
    launcher = job.vcap / LAUNCHER
    write_program(launcher, launcher.read_text().replace('echo "noise" >&2', ":"))
    reading, writing = os.pipe()
    if reader == "has gone":
        os.close(reading)
    else:
        fill(writing)

    done = subprocess.run(
        job.command(f"{BIN}/drain"), stdout=subprocess.PIPE, stderr=writing, check=False, timeout=30
    )

    assert (done.stdout, done.returncode) == (b"0\n", 0)
    os.close(writing)
    if reader != "has gone":
        os.close(reading)


def test_drain_prints_0_where_the_package_is_missing(installed: Vm) -> None:
    done = script(installed, "drain")

    assert (done.stdout, done.returncode) == ("0\n", 0)


@pytest.mark.parametrize("name", ["drain", "pre-stop"])
@pytest.mark.parametrize(("code", "printed"), [(0, "0\n"), (1, ""), (3, ""), (127, "")])
def test_drain_prints_no_integer_and_fails_with_the_agent_where_on_error_says_so(
    vm: Vm, render: Callable[..., Path], name: str, code: int, printed: str
) -> None:
    """BOSH takes 0 on stdout for success, whatever the exit code."""
    install(vm.sandbox, render(drain={"on_error": "fail"}))
    put_agent(vm, code=code)

    done = script(vm, name)

    assert (done.stdout, done.returncode) == (printed, code)


@pytest.mark.parametrize("missing", ["setpriv", "timeout", "package"])
@pytest.mark.parametrize(("on_error", "printed"), [("continue", "0\n"), ("fail", "")])
def test_a_drain_that_lacks_a_program_is_one_that_failed(
    vm: Vm, render: Callable[..., Path], on_error: str, printed: str, missing: str
) -> None:
    install(vm.sandbox, render(drain={"on_error": on_error}))
    if missing != "package":
        put_agent(vm)
        for name in ("drain", "as-vcap"):
            replace_in(vm, name, f"{missing} --", f"/no/{missing} --")

    done = script(vm, "drain")

    assert (done.stdout, done.returncode == 0) == (printed, on_error == "continue")
    assert "this VM may still be in rotation" in done.stderr


BASH = f"/bin/bash {BIN}/drain"
HANGS = "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.05; done\n"


@pytest.mark.parametrize(
    ("on_error", "printed", "codes"), [("continue", "0\n", {0}), ("fail", "", {124, 137})]
)
def test_drain_ends_in_time_whatever_hangs(
    vm: Vm, render: Callable[..., Path], on_error: str, printed: str, codes: set[int]
) -> None:
    install(vm.sandbox, render(drain={"timeout": 0.5, "on_error": on_error}))
    put_agent(vm)
    write_program(vm.vcap / LAUNCHER, HANGS)

    started = time.monotonic()
    done = script(vm, "drain")

    assert (done.stdout, done.returncode in codes) == (printed, True)
    assert time.monotonic() - started < 10
    assert "broken off after 1 s: this VM may still be in rotation" in done.stderr
    eventually(lambda: vm.processes() == {})


@pytest.mark.parametrize("hears", ["", "trap '' TERM\n"])
@pytest.mark.parametrize(
    ("on_error", "printed", "codes"), [("continue", "0\n", {0}), ("fail", "", {137, 143})]
)
def test_a_drain_that_is_told_to_end_leaves_nothing_behind(
    vm: Vm, render: Callable[..., Path], on_error: str, printed: str, codes: set[int], hears: str
) -> None:
    install(vm.sandbox, render(drain={"on_error": on_error}))
    put_agent(vm)
    hangs = f"/var/vcap/sys/run/{JOB}/hangs"
    write_program(vm.vcap / LAUNCHER, HANGS.replace("trap '' TERM\n", f"{hears}>{hangs}\n"))

    with vm.popen(f"{BIN}/drain") as drain:
        eventually(lambda: vm.run("test", "-e", hangs).returncode == 0)
        (script_itself,) = (pid for pid, line in vm.processes().items() if line.startswith(BASH))
        os.kill(script_itself, signal.SIGTERM)
        out, _ = drain.communicate(timeout=10)

    assert (out, drain.returncode in codes) == (printed, True)
    eventually(lambda: vm.processes() == {})


def test_a_folder_that_cannot_be_made_stops_no_drain(job: Vm) -> None:
    logs(job.sandbox).mkdir()
    (job.vcap / "data" / JOB).write_text("not a folder")

    done = script(job, "drain")

    assert (done.stdout, done.returncode) == ("0\n", 0)
    assert "noise" in done.stderr  # the agent's own


def test_post_stop_ends_an_agent_that_monit_did_not(job: Vm) -> None:
    start_deaf(job)

    started = time.monotonic()
    done = script(job, "post-stop")

    assert done.returncode == 0
    assert "s; killed" in done.stderr
    assert agents(job) == []
    eventually(lambda: job.processes() == {})
    assert time.monotonic() - started < 10


def test_post_stop_lets_an_agent_end_by_itself(job: Vm) -> None:
    """bosh create-env does not wait for monit: its stop and post-stop begin together."""
    out = start_with(job, "trap 'sleep 1; echo ended; exit 0' TERM")

    done = script(job, "post-stop")

    assert "killed" not in done.stderr
    assert out.read_text().endswith("ended\n")
    assert agents(job) == []


def test_post_stop_ends_in_time_whatever_hangs(job: Vm) -> None:
    replace_in(job, "post-stop", "left=$((9 -", "left=$((2 -")
    write_program(job.vcap / LAUNCHER, HANGS)

    started = time.monotonic()
    done = script(job, "post-stop")

    assert done.returncode == 0
    assert time.monotonic() - started < 8
    eventually(lambda: job.processes() == {})


def test_post_stop_holds_nothing_up_where_the_agent_fails(job: Vm) -> None:
    put_agent(job, code=1)

    assert script(job, "post-stop").returncode == 0


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_is_executable_and_closed_to_others(job: Vm, name: str) -> None:
    listed = job.run("stat", "-c", "%G %a", f"{BIN}/{name}")

    assert listed.stdout == "vcap 750\n"
