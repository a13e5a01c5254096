"""A VM: the service, the agent as it is shipped, and the steps that BOSH takes with them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tests.bench.traffic.cloud import BALANCER, GROUP, PORT, Cloud
from tests.bench.traffic.namespaces import Namespace
from tests.bench.traffic.service import HEALTH_PATH

from demo.workshop import ROOT, render, write_manifest, write_secrets

JOB = "slb-registration-test"
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_STEP_SECONDS = 300.0
"""After which a step is given up, and the play with it."""
_STARTING_SECONDS = 3.0
"""What a service needs until it takes connections: few are faster."""


class StepError(Exception):
    """A step without which a deploy does not go on has failed."""


@dataclass(frozen=True)
class Event:
    """A step of a VM."""

    at: float
    """Seconds since the epoch."""
    vm: str
    what: str


@dataclass
class Bench:
    """What all VMs share."""

    cloud: Cloud
    folder: Path
    config: Path
    """agent.json as the release renders it."""
    events: list[Event] = field(default_factory=list)

    def tell(self, vm: str, what: str) -> None:
        """Take note of a step."""
        self.events.append(Event(time.time(), vm, what))


def render_config(cloud: Cloud, folder: Path, min_wait: float | None) -> Path:
    """The job's agent.json with its defaults, beside what nobody can do without.

    `min_wait` is drain.min_wait, where it is not to be the default.
    """
    group = (
        {"load_balancer_id": BALANCER}
        if cloud.product == "clb"
        else {"server_groups": [{"product": cloud.product, "server_group_id": GROUP}]}
    )
    cloud.authority.write(folder / "ca.pem")
    write_manifest(
        folder / "manifest.yml",
        {
            **group,
            "port": PORT,
            "health_check": {"type": "http", "path": HEALTH_PATH},
            **({} if min_wait is None else {"drain": {"min_wait": min_wait}}),
            "endpoints": dict.fromkeys(("slb", "alb", "nlb"), cloud.server.url),
            "ca_bundle": str(folder / "ca.pem"),
        },
    )
    write_secrets(
        folder / "secrets.yml",
        {"access_key": cloud.access_key, "secret_key": cloud.secret_key},
    )
    job = render(folder / "manifest.yml", folder / "secrets.yml", "bench", folder / "rendered")
    return job / "config/agent.json"


def side_by_side(*steps: Callable[[], object], at_once: int | None = None) -> None:
    """As BOSH runs the scripts of several jobs, and updates several VMs; all at once, or so many.

    Raises what the first of them has raised, once all have ended.
    """
    with ThreadPoolExecutor(at_once or len(steps)) as pool:
        for done in [pool.submit(step) for step in steps]:
            done.result()


class Vm:
    """One VM. Its processes run in a network namespace of its own."""

    def __init__(self, bench: Bench, instance: str, spec_id: str, number: int) -> None:
        """`spec_id` is BOSH's, the same over recreation; `number` gives the address."""
        self.instance, self.spec_id, self.number = instance, spec_id, number
        self._bench = bench
        self.network = Namespace(number)
        bench.cloud.account.add_instance(
            instance, host=self.network.address, private_ip=self.network.address
        )
        self._metadata = bench.cloud.metadata_of(instance)
        self.folder = bench.folder / instance
        self.folder.mkdir()
        self._service: subprocess.Popen[bytes] | None = None
        self._agent: subprocess.Popen[bytes] | None = None
        self._configure()

    def tell(self, what: str) -> None:
        """Take note of a step of this VM."""
        self._bench.tell(self.instance, what)

    # The service

    def start_service(self) -> None:
        """Return once it takes connections."""
        time.sleep(_STARTING_SECONDS)
        argv = [sys.executable, "-m", "tests.bench.traffic.service", self.instance, str(PORT)]
        self._service = self._begin("service", argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._service.stdout is not None
        assert self._service.stdout.readline() == b"up\n", "the service has not started"
        self.tell("service is up")

    def order_service(self, line: str) -> None:
        """Tell the service something: see there."""
        if self._service is not None and self._service.poll() is None:
            assert self._service.stdin is not None
            self._service.stdin.write(line.encode() + b"\n")
            self._service.stdin.flush()
            self.tell(f"service: {line}")

    def signal_service(self, number: signal.Signals) -> None:
        """As kill(1)."""
        if self._service is not None:
            self.tell(f"service gets {number.name}")
            self._service.send_signal(number)

    def stop_service(self) -> None:
        """As monit does."""
        if self._service is not None:
            self.signal_service(signal.SIGTERM)
            self._service.wait()
            self._service = None

    # The agent

    def start_agent(self) -> None:
        """Begin it; it needs a moment."""
        self._agent = self._begin("agent", self._slb_registration("run"))
        self.tell("agent is started")

    def kill_agent(self) -> None:
        """As the kernel does when memory is short."""
        if self._agent is not None:
            self._agent.kill()
            self._agent.wait()
            self.tell("agent was killed")

    def stop_agent(self) -> None:
        """As monit does."""
        if self._agent is not None:
            self._agent.terminate()
            self._agent.wait(_STEP_SECONDS)
            self._agent = None
            self.tell("agent has ended")

    def command(self, *arguments: str, **environment: str) -> int:
        """Run a command of the agent to its end; returns its exit code, of which is told."""
        name = " ".join(arguments)
        self.tell(f"{name} begins")
        process = self._begin(
            arguments[0], self._slb_registration(*arguments), environment=environment
        )
        code = process.wait(_STEP_SECONDS)
        self.tell(f"{name} ends with {code}")
        return code

    def must(self, *arguments: str) -> None:
        """The same for a command that must succeed. Raises StepError with what it said."""
        if self.command(*arguments) != 0:
            said = (self.folder / f"{arguments[0]}.log").read_text(errors="replace")
            raise StepError(f"{' '.join(arguments)} of {self.instance} has failed: {said[-400:]}")

    def delete(self) -> None:
        """As the CPI does: the processes, the network, the instance."""
        for process in (self._service, self._agent):
            if process is not None:
                process.kill()
                process.wait()
        self._service = self._agent = None
        self._metadata.close()
        self.network.close()
        self._bench.cloud.account.release_instance(self.instance)
        self.tell("deleted")

    def _configure(self) -> None:
        document = json.loads(self._bench.config.read_text())
        document["spec"] |= {
            "id": self.spec_id, "address": self.network.address, "index": self.number,
        }  # fmt: skip
        document["properties"]["endpoints"]["metadata"] = self._metadata.url
        for name in ("run_dir", "data_dir"):
            (self.folder / name).mkdir(mode=0o750)
            document[name] = str(self.folder / name)
        self._config = self.folder / "agent.json"
        self._config.touch(mode=0o640)
        self._config.write_text(json.dumps(document))

    def _slb_registration(self, command: str, *arguments: str) -> list[str]:
        config = ("--config", str(self._config))
        return [sys.executable, "-m", "slb_registration", command, *config, *arguments]

    def _begin(
        self,
        name: str,
        argv: list[str],
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                self.network.argv(*argv),
                stdin=stdin,
                stdout=stdout or log,
                stderr=log,
                cwd=ROOT,
                env={
                    **_ENVIRONMENT,
                    "PYTHONPATH": os.pathsep.join([str(ROOT / "release/src"), str(ROOT)]),
                    **environment,
                },
                start_new_session=True,  # Ctrl-C is for the bench, which ends them
            )
