"""A VM: the job's folders and configuration, and the agent and its commands as real processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from tests.integration.cloud import ACCESS_KEY, DEPLOYMENT, INSTANCE_GROUP, SECRET_KEY
from tests.integration.service import HEALTH_PATH
from tests.integration.warm import MODULE, Forked, Warm
from tests.paths import ROOT
from tests.waiting import DEADLINE_SECONDS, eventually

from slb_registration.commands.client import NotRunningError, ask_status
from slb_registration.instance import markers
from slb_registration.instance.markers import Stop

ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "PYTHONPATH": str(ROOT / "release" / "src"),
    # where the agents are measured, too (make coverage)
    **{key: value for key, value in os.environ.items() if key.startswith("COVERAGE_")},
}
SPEC_ID = "6f2c1e52-7f0e-4f43-9d3f-0d7c9a1b2c3d"


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """What a person reads of it, without the ends of lines where they fall."""
        return " ".join(self.out.split())

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it has logged to stderr."""
        return [json.loads(line) for line in self.err.splitlines()]

    @property
    def seconds(self) -> float:
        """From its first line to its last: without the start, which a busy machine draws out."""
        form = "%Y-%m-%dT%H:%M:%S.%fZ"
        first, last = (datetime.strptime(self.events[i]["time"], form) for i in (0, -1))
        return (last - first).total_seconds()


Starter = Callable[[IO[bytes], IO[bytes]], "subprocess.Popen[bytes] | Forked"]


def program(line: Sequence[str], environment: Mapping[str, str]) -> Starter:
    """Starts a program from its file."""

    def start(stdout: IO[bytes], stderr: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            line, env=dict(environment), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            cwd="/", start_new_session=True,
        )  # fmt: skip

    return start


def forked(warm: Warm, line: Sequence[str], environment: Mapping[str, str]) -> Starter:
    """Starts the agent from a process that has imported it."""
    return lambda stdout, stderr: warm.start(line, environment, stdout, stderr)


class Process:
    """A process of the agent. Its output goes to files, as under BOSH."""

    def __init__(self, start: Starter, out: Path, err: Path) -> None:
        self.out, self.err = out, err
        with out.open("ab") as stdout, err.open("ab") as stderr:
            self._process = start(stdout, stderr)
        self.pid = self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def terminate(self) -> int:
        """End it as monit does; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it as the kernel does when memory is short, with a shell that may be around it."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End it; nothing more is asked of it."""
        self.kill()
        if isinstance(self._process, Forked):
            self._process.close()

    def wait(self, within: float = DEADLINE_SECONDS) -> int:
        return self._process.wait(within)

    def done(self, within: float = DEADLINE_SECONDS) -> Done:
        """Wait for its end."""
        code = self.wait(within)
        return Done(code, self.out.read_text(), self.err.read_text())


class Vm:
    """One VM with one job. `close` ends what is left of its processes.

    They are forked from `warm`, where it is given and nothing is to run around them.
    """

    def __init__(self, folder: Path, url: str, port: int, warm: Warm | None = None) -> None:
        self.folder = folder
        self._warm = warm
        folder.mkdir(exist_ok=True)
        self.port = port
        self.url = url
        self.run_dir, self.data_dir, self.logs = (folder / n for n in ("run", "data", "log"))
        for path in (self.run_dir, self.data_dir, self.logs):
            path.mkdir(mode=0o750)
        self.config = folder / "agent.json"
        self.socket = self.run_dir / "agent.sock"
        self.log_file = self.logs / "agent.stdout.log"
        self.environment = {
            **ENVIRONMENT,
            "TMPDIR": str(folder),
            "HOME": str(folder),
        }
        self._processes: list[Process] = []
        self.configure()

    # The configuration

    def configure(self, **properties: object) -> None:
        """Render the quick properties of these tests with `properties` over them."""
        quick: dict[str, object] = {
            **self.given,
            "health_check": {
                "type": "http", "path": HEALTH_PATH, "port": self.port, "interval": 0.1,
                "timeout": 5, "healthy_threshold": 1, "unhealthy_threshold": 1,
            },
            "reconcile_interval": 0.2,
            "drain": {"timeout": 20, "min_wait": 0.2},
        }  # fmt: skip
        self.render(_merged(quick, properties))

    @property
    def given(self) -> dict[str, object]:
        """The properties that nothing works without: the keys, and where the cloud is."""
        return {
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
            "endpoints": dict.fromkeys(("slb", "alb", "nlb", "metadata"), self.url),
        }

    def render(self, properties: Mapping[str, object], **spec: object) -> None:
        """Write agent.json as BOSH does."""
        document = {
            "properties": properties,
            "spec": {
                "id": SPEC_ID, "deployment": DEPLOYMENT, "instance_group": INSTANCE_GROUP,
                "index": 0, "az": "z1", "address": "10.0.0.5", "director": True, **spec,
            },
            "run_dir": str(self.run_dir),
            "data_dir": str(self.data_dir),
        }  # fmt: skip
        self.config.touch(mode=0o640)
        self.config.write_text(json.dumps(document))

    # Processes

    def start(self, *, prefix: Sequence[str] = ()) -> Process:
        """The agent; does not wait for it."""
        return self._run(("run",), self.log_file, self.logs / "agent.stderr.log", prefix)

    def begin(self, *arguments: str, prefix: Sequence[str] = ()) -> Process:
        """A command; does not wait for it."""
        name = f"{len(self._processes)}.{arguments[0]}"
        out, err = self.logs / f"{name}.stdout.log", self.logs / f"{name}.stderr.log"
        return self._run(arguments, out, err, prefix)

    def command(self, *arguments: str, within: float = DEADLINE_SECONDS) -> Done:
        """A command, run to its end."""
        return self.begin(*arguments).done(within)

    @property
    def living(self) -> list[int]:
        """The ids of its processes that have not ended."""
        return [process.pid for process in list(self._processes) if process.running]

    def close(self) -> None:
        for process in self._processes:
            process.close()

    def _run(
        self, arguments: Sequence[str], out: Path, err: Path, prefix: Sequence[str]
    ) -> Process:
        name, *options = arguments
        line = [name, "--config", str(self.config), *options]
        start = program((*prefix, sys.executable, "-m", MODULE, *line), self.environment)
        if self._warm is not None and not prefix:
            start = forked(self._warm, line, self.environment)
        process = Process(start, out, err)
        self._processes.append(process)
        return process

    # What the agent says

    def status(self) -> dict[str, Any] | None:
        """The status, None where no agent answers."""
        try:
            return ask_status(self.socket)
        except NotRunningError:
            return None

    def until(self, state: str) -> dict[str, Any]:
        """Wait until the agent says that the VM is in this state."""

        def reached() -> dict[str, Any] | None:
            assert self.living, self.output()
            status = self.status()
            return status if status is not None and status["state"] == state else None

        return eventually(reached)

    def events(self, message: str | None = None) -> list[dict[str, Any]]:
        """The lines that the agent has logged."""
        if not self.log_file.exists():
            return []
        whole = self.log_file.read_text().rpartition("\n")[0].splitlines()
        parsed = [json.loads(line) for line in whole]
        return [event for event in parsed if message in (None, event["message"])]

    def mark_draining(self) -> None:
        """Begin a drain without the command, which would go on where the agent dies."""
        markers.draining(self.data_dir).begin(Stop(time.time()))

    def output(self) -> str:
        """All that any of its processes has printed or logged."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.logs.iterdir()))

    def readable_by_all(self) -> list[Path]:
        """The files below its folder that anybody on the VM may read."""
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return [path for path in files if path.stat().st_mode & 0o004]


def _merged(one: Mapping[str, object], other: Mapping[str, object]) -> dict[str, object]:
    merged = dict(one)
    for name, value in other.items():
        before = merged.get(name)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        merged[name] = _merged(before, value) if both else value
    return merged


def processes_with(folder: Path) -> list[str]:
    """The command lines, of any process, that name the folder or write to a file in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            outputs = [str((process / "fd" / fd).readlink()) for fd in ("1", "2")]
            if any(str(folder) in text for text in (line, *outputs)):
                found.append(line)
    return found


def processes_below(pid: int) -> list[int]:
    """The process and all that it has started, while they live."""
    try:
        threads = list((Path("/proc") / str(pid) / "task").iterdir())
        children = [id_ for thread in threads for id_ in (thread / "children").read_text().split()]
    except OSError:
        return [pid]  # it has just ended
    return [pid, *(id_ for child in children for id_ in processes_below(int(child)))]
