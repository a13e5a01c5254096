"""The job under real monit: what kills, restarts and reboots leave in the load balancer."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from demo import cloud, story, workshop
from demo.compilation import compile_all
from demo.installation import BIN, JOB, install, logs
from demo.interpreter import Interpreter
from demo.screen import Screen
from demo.stage import Stage, set_up
from demo.vm import Vm, booted

MONIT = shutil.which("monit", path="/usr/bin:/usr/sbin")
pytestmark = pytest.mark.skipif(MONIT is None, reason="monit is missing")

# BOSH's cycle is 10 s; the rest is what Debian's monit wants to have said.
MONITRC = """\
set daemon 1
set pidfile /run/monit.pid
set idfile /var/vcap/monit/id
set statefile /var/vcap/monit/state
set logfile /var/vcap/monit/log
set httpd unixsocket /run/monit.sock
  allow monit:monit
include /var/vcap/jobs/*/monit
"""
PATIENCE_SECONDS = 30


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Machine:
    """A VM that can be rebooted, with monit on it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._on = ExitStack()
        self.vm: Vm

    def boot(self) -> None:
        self.vm = self._on.enter_context(booted(self.stage.sandbox))
        shutil.rmtree(self.stage.sandbox.vcap / "sys/run")  # a tmpfs on a VM
        (self.stage.sandbox.vcap / "sys/run").mkdir()
        started = self.vm.run(str(MONIT), "-c", "/var/vcap/monit/monitrc")
        assert started.returncode == 0, started.stderr

    def power_off(self) -> None:
        self._on.close()

    def monit(self, *arguments: str) -> None:
        done = self.vm.run(str(MONIT), "-c", "/var/vcap/monit/monitrc", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr

    def script(self, *argv: str) -> str:
        done = self.vm.run(f"{BIN}/{argv[0]}", *argv[1:])
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def agent(self) -> int | None:
        found = [
            pid
            for pid, line in self.vm.processes().items()
            if "/aliyun_py/slb-registration run" in line
        ]
        assert len(found) <= 1
        return found[0] if found else None

    def weight(self) -> int | None:
        return self.stage.watch.look().weight

    def in_service(self) -> None:
        self.stage.watch.until(lambda seen: seen.in_service, "in service", PATIENCE_SECONDS)


@pytest.fixture
def machine(python: Interpreter, release: Path) -> Iterator[Machine]:
    with set_up(Screen(0)) as stage:
        manifest, secrets = stage.folder / "manifest.yml", stage.folder / "secrets.yml"
        keys = {"access_key": stage.keys.access_key, "secret_key": stage.keys.secret_key}
        workshop.write_manifest(manifest, story.properties(stage))
        workshop.write_secrets(secrets, keys)
        rendered = workshop.render(manifest, secrets, cloud.DEPLOYMENT, stage.folder / "rendered")
        compile_all(stage.sandbox, release, print)
        install(stage.sandbox, rendered)
        monit = stage.sandbox.vcap / "monit"
        monit.mkdir()
        (monit / "monitrc").write_text(MONITRC)
        (monit / "monitrc").chmod(0o600)
        machine = Machine(stage)
        machine.boot()
        try:
            yield machine
        finally:
            machine.power_off()


def test_monit_takes_the_jobs_file(machine: Machine) -> None:
    machine.monit("-t")


def test_monit_starts_the_job_and_stopping_it_leaves_the_registration(machine: Machine) -> None:
    machine.script("pre-start")
    machine.in_service()

    machine.monit("stop", JOB)

    eventually(lambda: machine.agent() is None)
    assert machine.weight() == 100


def test_a_killed_agent_comes_back_and_the_registration_is_unharmed(machine: Machine) -> None:
    machine.in_service()
    killed = machine.agent()
    machine.vm.run("kill", "-9", pid_in_the_vm(machine))
    seen = set()

    def is_back() -> bool:
        seen.add(machine.weight())
        return machine.agent() not in {None, killed}

    eventually(is_back)
    assert seen == {100}


def test_a_drain_goes_on_though_the_agent_is_killed_in_its_middle(machine: Machine) -> None:
    machine.in_service()
    drain = machine.vm.popen(f"{BIN}/drain", "job_shutdown", "hash_unchanged")
    eventually(lambda: machine.weight() == 0)
    machine.vm.run("kill", "-9", pid_in_the_vm(machine))

    assert drain.wait(timeout=PATIENCE_SECONDS) == 0
    assert drain.communicate()[0] == "0\n"
    assert machine.weight() is None
    # The agent that monit starts meanwhile does not register the VM again.
    eventually(lambda: machine.agent() is not None)
    assert machine.weight() is None


def test_a_reboot_keeps_the_registration_and_brings_the_agent_back(machine: Machine) -> None:
    machine.script("pre-start")
    machine.in_service()

    machine.power_off()
    machine.boot()

    eventually(lambda: machine.agent() is not None)
    machine.in_service()


def test_the_whole_way_of_a_deploy(machine: Machine) -> None:
    machine.script("pre-start")
    machine.script("post-start")
    assert machine.weight() == 100

    machine.script("pre-stop")
    assert machine.weight() is None
    assert machine.script("drain", "job_shutdown", "hash_unchanged") == "0\n"
    machine.monit("stop", JOB)
    eventually(lambda: machine.agent() is None)
    machine.script("post-stop")
    assert machine.weight() is None

    machine.script("pre-start")
    machine.monit("start", JOB)
    machine.script("post-start")
    assert machine.weight() == 100


def test_no_secret_is_in_a_log_a_command_line_or_an_environment(machine: Machine) -> None:
    machine.script("pre-start")
    machine.in_service()
    machine.script("run")
    found = list(machine.vm.processes())
    seen = "".join(
        Path(f"/proc/{pid}/{name}").read_text(errors="replace")
        for pid in found
        for name in ("cmdline", "environ")
    )
    machine.script("drain")
    seen += "".join(file.read_text() for file in logs(machine.stage.sandbox).iterdir())

    assert machine.agent() in found
    assert "registered" in seen
    assert machine.stage.keys.secret_key not in seen
    assert machine.stage.keys.access_key not in seen


def test_the_keys_can_be_read_by_root_and_vcap_only(machine: Machine) -> None:
    listed = machine.vm.run("stat", "-c", "%a %G", f"/var/vcap/jobs/{JOB}/config/agent.json")

    assert listed.stdout == "640 vcap\n"


def pid_in_the_vm(machine: Machine) -> str:
    return (machine.vm.vcap / "sys/run" / JOB / "agent.pid").read_text().strip()
