"""A VM with the job, monit and a load balancer, that can be rebooted and deployed to."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests import waiting

from demo import cloud
from demo.installation import BIN, JOB, install, logs
from demo.sandbox import Sandbox
from demo.screen import Screen
from demo.service import HEALTH_PATH
from demo.stage import Stage, set_up
from demo.vm import Vm, booted
from mock_slb.clb.group import ServerGroup
from mock_slb.clb.resources import Backend

MONIT = shutil.which("monit", path="/usr/bin:/usr/sbin")
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
DATA, LOGS = f"/var/vcap/data/{JOB}", f"/var/vcap/sys/log/{JOB}"
# Generous: it bounds a failure, not a success.
PATIENCE_SECONDS = 45

# Rendering takes a third of a second, so it is done once for all machines, with these in place of
# what each has for its own.
KEYS = {"access_key": "access-key-of-the-test", "secret_key": "secret-key-of-the-test"}
CLOUD = "http://127.0.0.1:64001"
SERVICE_PORT = 64002
QUICK: Mapping[str, object] = {
    "endpoints": dict.fromkeys(("slb", "alb", "nlb", "metadata"), CLOUD),
    "health_check": {
        "type": "http", "port": SERVICE_PORT, "path": HEALTH_PATH,
        "interval": 0.2, "timeout": 2, "healthy_threshold": 1, "unhealthy_threshold": 1,
    },
    "reconcile_interval": 0.5,
    "drain": {"timeout": 30, "min_wait": 0.2},
    "post_start": {"timeout": PATIENCE_SECONDS},
}  # fmt: skip
Render = Callable[..., Path]
"""Renders the job with more properties."""


def eventually(condition: Callable[[], object]) -> None:
    waiting.eventually(condition, within=PATIENCE_SECONDS)


def write_program(path: Path, text: str) -> None:
    """Write a file that is run, by a process of its own.

    A process that another thread starts meanwhile would inherit the open file of this one, and
    Linux runs no program that is open for writing (ETXTBSY).
    """
    subprocess.run(["tee", str(path)], input=text, text=True, stdout=subprocess.DEVNULL, check=True)


class Machine:
    """One VM. Scripts run in it as BOSH runs them: as root, with nothing but a PATH."""

    def __init__(self, stage: Stage, render: Render) -> None:
        self.stage = stage
        self.vm: Vm
        self._render = render
        self._on = ExitStack()

    # What an operator and BOSH do

    def deploy(self, **properties: object) -> None:
        """Put the job there with these properties over the quick ones of these tests."""
        install(self.stage.sandbox, self._render(**_merged(QUICK, properties)))
        stage = self.stage
        for place, own in {
            KEYS["access_key"]: stage.keys.access_key,
            KEYS["secret_key"]: stage.keys.secret_key,
            CLOUD: stage.server.url,
            str(SERVICE_PORT): str(stage.service.port),
        }.items():
            self.change("config/agent.json", place, own)

    def change(self, file: str, before: str, after: str) -> None:
        """Change a file of the installed job, for what no property makes quicker."""
        path = self.vcap / "data/jobs" / JOB / file
        text = path.read_text()
        assert before in text
        write_program(path, text.replace(before, after))

    def boot(self) -> None:
        self.vm = self._on.enter_context(booted(self.stage.sandbox))
        shutil.rmtree(self.vcap / "sys/run")  # a tmpfs on a VM
        (self.vcap / "sys/run").mkdir()

    def power_off(self) -> None:
        self._on.close()

    def start_monit(self) -> None:
        started = self.vm.run(str(MONIT), "-c", "/var/vcap/monit/monitrc")
        assert started.returncode == 0, started.stderr

    def monit(self, *arguments: str) -> None:
        done = self.vm.run(str(MONIT), "-c", "/var/vcap/monit/monitrc", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, **properties: object) -> None:
        """What a deploy does until the VM serves."""
        self.deploy(**properties)
        self.script("pre-start")
        self.start_monit()
        self.in_service()

    def stop(self) -> None:
        """What BOSH does when a job stops, its drain scripts aside."""
        self.monit("stop", JOB)
        eventually(lambda: self.agent() is None)
        self.script("post-stop")

    def run(
        self, *argv: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """One of the job's scripts, however it ends."""
        return self.vm.run(f"{BIN}/{argv[0]}", *argv[1:], environment=environment)

    def begin(self, name: str) -> subprocess.Popen[str]:
        return self.vm.popen(f"{BIN}/{name}")

    def script(self, *argv: str) -> str:
        """One of the job's scripts, which must succeed; what it printed."""
        done = self.run(*argv)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # What there is to see

    @property
    def vcap(self) -> Path:
        return self.stage.sandbox.vcap

    @property
    def pidfile(self) -> Path:
        return self.vcap / "sys/run" / JOB / "agent.pid"

    def agent(self) -> int | None:
        """The agent's process as this machine numbers it."""
        found = [pid for pid, line in self.vm.processes().items() if _is_agent(line)]
        assert len(found) <= 1
        return found[0] if found else None

    def signal_agent(self, number: int) -> int:
        """Send the agent a signal; its process."""
        pid = self.agent()
        assert pid is not None
        os.kill(pid, number)
        return pid

    def log(self, name: str) -> str:
        path = logs(self.stage.sandbox) / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def weight(self, group: ServerGroup | None = None) -> int | None:
        """This VM's weight in a group (the default group), None where it is not in it."""
        mine = [one.weight for one in self.registrations(group)]
        assert len(mine) <= 1
        return mine[0] if mine else None

    def registrations(self, group: ServerGroup | None = None) -> list[Backend]:
        balancer = self.stage.server.account.load_balancer(cloud.LOAD_BALANCER)
        servers = (group or balancer.default_group).servers()
        return [one for one in servers if one.server_id == cloud.OUR_SERVER]

    def in_service(self) -> None:
        self.stage.watch.until(lambda seen: seen.in_service, "in service", PATIENCE_SECONDS)


@contextmanager
def powered(compiled: Sandbox, render: Render) -> Iterator[Machine]:
    """A booted VM with the packages and without the job; what was not touched must be as it was."""
    with set_up(Screen(0), compiled.interpreter) as stage:
        put_packages(compiled, stage.sandbox)
        for folder in ("sys/run", "sys/log", "monit"):
            (stage.sandbox.vcap / folder).mkdir(parents=True)
        monitrc = stage.sandbox.vcap / "monit/monitrc"
        monitrc.write_text(MONITRC)
        monitrc.chmod(0o600)
        others = stage.other_servers()
        machine = Machine(stage, render)
        machine.boot()
        try:
            yield machine
        finally:
            machine.power_off()
        assert stage.other_servers() == others


def put_packages(compiled: Sandbox, sandbox: Sandbox) -> None:
    """Put packages that were compiled elsewhere into a VM; by links, since nobody writes there."""
    for folder in ("data/packages", "packages"):
        shutil.copytree(
            *(compiled.vcap / folder, sandbox.vcap / folder),
            symlinks=True,
            copy_function=lambda old, new: os.link(old, new, follow_symlinks=False),
        )


def _is_agent(line: str) -> bool:
    return "/aliyun_py/slb-registration run" in line


def _merged(one: Mapping[str, object], other: Mapping[str, object]) -> dict[str, object]:
    merged = dict(one)
    for name, value in other.items():
        before = merged.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            merged[name] = _merged(before, value)
        else:
            merged[name] = value
    return merged
