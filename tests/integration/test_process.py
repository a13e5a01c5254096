"""The process itself: one at a time, ends promptly, and bears a bad disk and a rotated log."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.cloud import Cloud
from tests.integration.service import Service
from tests.integration.vm import Vm
from tests.pipes import fill
from tests.ports import free_port
from tests.waiting import eventually

from mock_slb.gateway.faults import Delay, Rule


def test_a_second_start_refuses_clearly_and_leaves_the_first_alone(vm: Vm, cloud: Cloud) -> None:
    first = vm.start()
    vm.until("in service")
    mark = cloud.mark

    second = vm.begin("run").done()

    assert second.code == 1
    lock = vm.run_dir / "agent.lock"
    assert second.err == f"slb-registration: another agent is running (it holds {lock})\n"
    assert first.running
    assert (vm.status()["state"], cloud.writes(mark)) == ("in service", [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_agent_promptly_while_every_call_hangs(
    vm: Vm, cloud: Cloud, number: signal.Signals
) -> None:
    vm.configure(metrics={"port": free_port()})
    agent = vm.start()
    vm.until("in service")
    cloud.inject(Rule(Delay(60)))
    mark = len(cloud.gateway.faults.view())
    cloud.balancer.default_group.set_weight("i-bp1first", 99)
    eventually(lambda: sum(int(rule["hits"]) for rule in cloud.gateway.faults.view()) >= mark)

    agent.signal(number)
    assert agent.wait(within=5) == 0  # a call would take 10 s, and the answer 60

    assert cloud.weight == 100


def test_a_signal_ends_the_agent_promptly_while_the_metadata_service_hangs(
    vm: Vm, cloud: Cloud
) -> None:
    cloud.inject(Rule(Delay(60)))
    agent = vm.start()
    eventually(lambda: vm.status() is not None and cloud.gateway.faults.view()[0]["hits"])

    assert agent.terminate() == 0
    assert vm.events("agent stopped, registrations stay as they are")


def test_a_signal_ends_the_agent_in_the_middle_of_a_drain(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    vm.configure(
        drain={"ignore_cidrs": [], "connections_port": vm.port},
        health_check={"type": "none", "port": None, "path": None},
    )
    agent = vm.start()
    vm.until("in service")
    with service.clients(1):
        vm.mark_draining()
        eventually(lambda: cloud.weight == 0)
        assert agent.terminate() == 0

    assert cloud.weight == 0


def test_many_signals_end_the_agent_as_one_does(vm: Vm, cloud: Cloud) -> None:
    agent = vm.start()
    vm.until("in service")

    for _ in range(20):
        agent.signal(signal.SIGTERM)
        agent.signal(signal.SIGINT)

    assert agent.wait() == 0
    assert len(vm.events("agent stopped, registrations stay as they are")) == 1
    assert cloud.weight == 100


def test_an_agent_that_was_stopped_and_goes_on_hears_the_signal_of_before(vm: Vm) -> None:
    agent = vm.start()
    vm.until("in service")
    agent.signal(signal.SIGSTOP)

    agent.signal(signal.SIGCONT)
    assert agent.terminate() == 0
    vm.start()
    vm.until("in service")


def test_a_hangup_ends_an_agent_in_a_terminal_and_opens_the_logs_of_one_that_has_them(
    vm: Vm,
) -> None:
    agent = vm.start()
    vm.until("in service")
    agent.signal(signal.SIGHUP)
    assert agent.wait() == 0

    vm.log_file.unlink()
    agent = vm.begin("run", "--log-dir", str(vm.logs))
    vm.until("in service")
    vm.log_file.rename(vm.logs / "old")
    agent.signal(signal.SIGHUP)
    eventually(lambda: vm.events("SIGHUP: logs were opened anew"))
    assert agent.terminate() == 0
    assert vm.events("agent stopped, registrations stay as they are")


def test_the_log_goes_on_at_its_beginning_after_it_was_copied_and_truncated(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    vm.start()
    vm.until("in service")

    os.truncate(vm.log_file, 0)
    service.healthy = False
    eventually(lambda: vm.events("weight changed"))

    assert b"\0" not in vm.log_file.read_bytes()
    assert vm.events("agent started") == []


@pytest.mark.thorough
def test_a_log_on_a_full_disk_stops_nothing(vm: Vm, cloud: Cloud) -> None:
    agent = vm.start(prefix=("sh", "-c", 'exec "$@" >/dev/full 2>&1', "sh"))
    status = vm.until("in service")
    assert status["log_lines_dropped"] > 0

    done = vm.command("drain")

    assert (done.code, cloud.me) == (0, None)
    assert agent.terminate() == 0


def test_a_log_that_nobody_reads_any_more_stops_nothing(vm: Vm, cloud: Cloud) -> None:
    agent = vm.start(prefix=("sh", "-c", 'exec "$@" 2>&1 | exec head -n 1', "sh"))
    status = vm.until("in service")

    assert cloud.weight == 100
    assert status["state"] == "in service"
    assert agent.running


@contextlib.contextmanager
def unread(vm: Vm) -> Iterator[Path]:
    """A named pipe that is full, and that nobody reads from."""
    path = vm.folder / "pipe"
    os.mkfifo(path)
    both = os.open(path, os.O_RDWR)
    fill(both)
    try:
        yield path
    finally:
        os.close(both)


def to(path: Path, *numbers: int) -> tuple[str, ...]:
    """What runs a program with these descriptors open to a file."""
    redirected = "".join(f" {number}>>{path}" for number in numbers)
    return ("sh", "-c", f'exec "$@"{redirected}', "sh")


def test_a_log_that_is_a_full_pipe_stops_nothing(vm: Vm, cloud: Cloud, service: Service) -> None:
    with unread(vm) as pipe:
        agent = vm.start(prefix=to(pipe, 1, 2))
        vm.until("in service")
        service.healthy = False
        eventually(lambda: cloud.weight == 0)
        service.healthy = True
        vm.until("in service")
        assert eventually(lambda: (vm.status() or {})["log_lines_stuck"])
        assert ask(vm, b"GET /healthz HTTP/1.0\r\n\r\n").endswith(b"ok\n")

        done = vm.begin("drain", prefix=to(pipe, 2)).done()

        assert (done.code, cloud.me) == (0, None)
        assert agent.terminate() == 0


def test_a_refusal_that_nobody_reads_ends_the_second_agent_all_the_same(vm: Vm) -> None:
    vm.start()
    eventually(vm.status)

    with unread(vm) as pipe:
        assert vm.begin("run", prefix=to(pipe, 1, 2)).done().code == 1


def test_a_drain_without_the_agent_is_done_though_nobody_reads_its_stderr(
    vm: Vm, cloud: Cloud
) -> None:
    agent = vm.start()
    vm.until("in service")
    agent.kill()
    log = vm.folder / "drain.log"

    with unread(vm) as pipe:
        done = vm.begin("drain", "--log-file", str(log), prefix=to(pipe, 2)).done()

    assert (done.code, cloud.me) == (0, None)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert events[-1]["message"] == "drained"


def test_a_wait_for_an_agent_that_hangs_ends_in_its_time(vm: Vm) -> None:
    vm.configure(post_start={"timeout": 2})
    agent = vm.start()
    vm.until("in service")
    agent.signal(signal.SIGSTOP)

    began = time.monotonic()
    done = vm.command("wait")

    assert done.code == 1
    assert "no agent answers" in done.err
    assert time.monotonic() - began < 30  # not for ever, however busy the machine is


DISKS = {
    "full": ("size=4k", "head -c 4096 /dev/zero", "No space left on device"),
    "read-only": ("ro", "true", "Read-only file system"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("disk", DISKS)
def test_a_data_folder_that_cannot_be_written_is_told_once_and_the_vm_serves_and_drains(
    vm: Vm, cloud: Cloud, service: Service, disk: str
) -> None:
    namespace = ("unshare", "--map-root-user", "--mount")
    if subprocess.run([*namespace, "true"], check=False, capture_output=True).returncode:
        pytest.skip("mount namespaces are not allowed here")
    options, fill, reason = DISKS[disk]
    script = f"mount -t tmpfs -o {options} none {vm.data_dir} && "
    script += f'{fill} >/dev/null 2>&1; {fill} 2>/dev/null | cat >{vm.data_dir}/fill; exec "$@"'
    prefix = (*namespace, "sh", "-c", script, "sh")

    vm.start(prefix=prefix)
    vm.until("in service")
    service.healthy = False
    eventually(lambda: cloud.weight == 0)
    service.healthy = True
    vm.until("in service")
    done = vm.begin("drain", prefix=prefix).done()

    (event,) = [e for e in vm.events() if "journal" in e["message"]]
    journal = vm.data_dir / "journal.json"
    assert event["level"] == "warning"
    assert event["message"] == f"cannot write the journal {journal}: {reason}; going on"
    assert (done.code, cloud.me) == (0, None)
    told = f"cannot write {vm.data_dir / 'draining'}: {reason}; a reboot will not know of it"
    assert told in done.err


def test_a_journal_that_is_damaged_is_set_aside_and_the_vm_serves(vm: Vm, cloud: Cloud) -> None:
    (vm.data_dir / "journal.json").write_text('{"version": 1, "instan')

    vm.start()
    vm.until("in service")

    assert (vm.data_dir / "journal.json.set-aside").exists()
    assert json.loads((vm.data_dir / "journal.json").read_text())["registrations"]


def test_a_run_folder_that_is_not_there_is_said_in_one_line(vm: Vm) -> None:
    vm.run_dir.rmdir()

    done = vm.begin("run").done()

    assert done.code == 1
    lock = vm.run_dir / "agent.lock"
    assert done.err == f"slb-registration: {lock}: No such file or directory\n"


def test_an_agent_whose_run_folder_was_removed_makes_room_for_the_next(
    vm: Vm, cloud: Cloud
) -> None:
    # Found on a VM: it went on beside the one that monit started, until it was killed by hand.
    first = vm.start()
    vm.until("in service")
    mark = cloud.mark
    shutil.rmtree(vm.run_dir)
    vm.run_dir.mkdir(mode=0o750)

    second = vm.start()

    assert first.wait() == 1
    assert f"{vm.run_dir / 'agent.lock'} was removed" in vm.output()
    vm.until("in service")
    assert second.running
    assert cloud.writes(mark) == []


def test_a_run_folder_whose_path_is_too_long_for_a_socket_is_said(vm: Vm) -> None:
    vm.run_dir = vm.folder / ("long" * 30)
    vm.run_dir.mkdir()
    vm.configure()

    done = vm.begin("run").done()

    assert done.code == 1
    assert str(vm.run_dir / "agent.sock") in done.err
    assert len(done.err.splitlines()) == 1


# The control socket


def ask(vm: Vm, request: bytes) -> bytes:
    """Send bytes to the control socket; returns all that comes back."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(vm.socket))
        client.sendall(request)
        parts = []
        while part := client.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_liveness_is_answered_in_http_1_0_to_what_monit_asks(vm: Vm) -> None:
    vm.start()
    eventually(vm.status)

    for request in (
        b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        b"GET /healthz HTTP/1.0\r\n\r\n",
    ):
        head, _, body = ask(vm, request).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.0 200 OK\r\n")
        assert body == b"ok\n"


REFUSED = {
    b"GET /nothing HTTP/1.0": b"404",
    b"GET /drain HTTP/1.0": b"404",
    b"POST /status HTTP/1.0": b"404",
    b"DELETE /drain HTTP/1.0": b"501",
    b"GET /" + b"x" * 70_000 + b" HTTP/1.0": b"414",
    b"nonsense": b"400",
}


def test_a_wrong_request_is_refused_and_the_agent_goes_on(vm: Vm, cloud: Cloud) -> None:
    vm.start()
    vm.until("in service")

    for request_line, status in REFUSED.items():
        assert status in ask(vm, request_line + b"\r\n\r\n")[:200], request_line[:40]

    assert (vm.status()["state"], cloud.weight) == ("in service", 100)


def test_a_client_that_says_nothing_keeps_nobody_else_waiting(vm: Vm) -> None:
    vm.start()
    eventually(vm.status)

    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(vm.socket))
        assert vm.status() is not None


def test_only_the_owner_may_use_the_socket_and_read_the_files(vm: Vm) -> None:
    vm.start()
    vm.until("in service")

    assert stat.S_IMODE(vm.socket.stat().st_mode) == 0o600
    assert stat.S_ISSOCK(vm.socket.stat().st_mode)
    journal = vm.data_dir / "journal.json"
    assert stat.S_IMODE(journal.stat().st_mode) & 0o007 == 0


def test_the_socket_is_gone_after_the_end_and_one_left_by_a_kill_is_replaced(vm: Vm) -> None:
    agent = vm.start()
    eventually(vm.status)
    agent.kill()
    assert vm.socket.exists()

    agent = vm.start()
    eventually(vm.status)
    assert agent.terminate() == 0
    assert not vm.socket.exists()


def test_a_script_that_hangs_does_not_outlive_the_agent(vm: Vm, cloud: Cloud) -> None:
    script, started = vm.folder / "check.sh", vm.folder / "started"
    script.write_text(
        f"#!/bin/sh\necho $$ >{started}.new && mv {started}.new {started}\nsleep 60\n"
    )
    script.chmod(0o755)
    vm.configure(
        health_check={
            "type": "script",
            "script": str(script),
            "port": None,
            "path": None,
            "timeout": 60,
        }
    )
    agent = vm.start()
    eventually(started.exists)
    group = int(started.read_text())

    agent.terminate()
    try:
        eventually(lambda: not Path(f"/proc/{group}").exists(), within=2)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
