"""`make bench-traffic ARGS="--cloud FILE"`, with the mocked cloud in the place of a real one."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.data_plane.backends import NEEDS_HAPROXY
from tests.integration.vm import ROOT, processes_below
from tests.ports import free_port
from tests.waiting import DEADLINE_SECONDS, eventually

from mock_slb.account.account import Account
from mock_slb.data_plane.settings import Settings
from mock_slb.server import MockServer, serve

pytestmark = [pytest.mark.thorough, NEEDS_HAPROXY]

KEY, SECRET = "LTAI5tExampleExample", "secretsecretsecretsecretsecret"
SERVICES = ("i-a", "i-b")
PORT = 8080
_POST = (
    "import sys, urllib.request; urllib.request.urlopen(urllib.request.Request(sys.argv[1], "
    "sys.argv[2].encode(), {'Content-Type': 'application/json'}))"
)


@contextlib.contextmanager
def service(name: str) -> Iterator[int]:
    """The bench's service as a VM runs it; its port."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.traffic.service", name, str(port)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            yield port
        finally:
            process.kill()


@dataclass
class Stage:
    """A mocked cloud that forwards to two services, and the file that names it."""

    server: MockServer
    folder: Path
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> Path:
        return self.folder / "figures"

    def command(self, *options: str) -> list[str]:
        path = self.folder / "cloud.yml"
        path.touch(0o600)
        path.write_text(yaml.safe_dump(self.document, sort_keys=False))
        bench = (sys.executable, "-m", "tests.bench.traffic", "--cloud", str(path))
        return [*bench, "--output", str(self.output), *options]

    def environment(self) -> dict[str, str]:
        (self.folder / "tmp").mkdir(exist_ok=True)
        return {
            **{name: value for name, value in os.environ.items() if name != "SHELL"},
            "PYTHONPATH": "tools:src",
            "TMPDIR": str(self.folder / "tmp"),
            "HTTPS_PROXY": "http://proxy.example:3128",
        }

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*options),
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def post(self, name: str, **fields: object) -> str:
        """A shell command that changes the mocked cloud."""
        words = (sys.executable, "-c", _POST, f"{self.server.url}/_mock/{name}", json.dumps(fields))
        return shlex.join(words)

    def figures(self) -> dict[str, Any]:
        text = (self.output / "bench-traffic.json").read_text()
        assert SECRET not in text
        assert KEY not in text
        return json.loads(text)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        account = Account()
        account.add_key(KEY, SECRET)
        account.change_seconds = 0
        balancer = account.add_load_balancer("lb-1")
        for name in SERVICES:
            account.add_instance(name, ports={PORT: stack.enter_context(service(name))})
            balancer.default_group.add_server(name)
        balancer.add_listener(80, "http", backend_port=PORT, health_check=None)
        server = stack.enter_context(serve(account, data_plane=Settings()))
        assert server.data_plane is not None
        host, port = server.data_plane.address("lb-1/http:80")
        made = Stage(server, tmp_path)
        made.document = {
            "region": account.region,
            "access_key": KEY,
            "secret_key": SECRET,
            "endpoints": {"slb": server.url},
            "load_balancer_id": "lb-1",
            "listeners": {"http:80": f"{host}:{port}"},
            "plays": {"still": "true"},
        }
        yield made


def test_a_play_changes_a_weight_and_one_that_fails_ends_it(stage: Stage) -> None:
    seen = stage.folder / "environment"
    lower = stage.post("servers/weight", group="lb-1", server_id="i-a", weight=0)
    stage.document["plays"] = {
        "lower": f"env > {seen}; {lower} && sleep 4",
        "breaks": "echo it does not work; exit 3",
        "never": f"touch {stage.folder}/never",
    }
    before = stage.server.account.load_balancer("lb-1").default_group.server("i-a", 0)
    assert before is not None
    assert before.weight == 100

    done = stage.run("--rate", "20")

    assert done.returncode == 1, done.stderr
    assert "it does not work" in done.stderr
    assert "VOID: as deployed: the command of breaks ended with 3" in done.stdout
    assert "NOT PLAYED: never" in done.stdout
    assert not (stage.folder / "never").exists()
    assert "lower: real load balancers" in done.stdout
    assert "simulated" not in done.stdout.lower()
    assert "Real load balancers: http:80 (127.0.0.1 port" in done.stdout
    environment = seen.read_text()
    assert "HTTPS_PROXY=http://proxy.example:3128" in environment
    for text in (done.stdout, done.stderr, environment):
        assert SECRET not in text
        assert KEY not in text

    figures = stage.figures()
    assert figures["real"] is True
    assert "simulated" not in figures
    lowered, broken = figures["outcomes"]
    assert lowered["asked"] > 100
    assert (lowered["failed"], lowered["why_void"]) == (0, "")
    assert lowered["streams"].keys() == {"answered"}
    told = [(one["vm"], one["what"]) for one in lowered["events"]]
    assert told.index(("", "lower begins")) < told.index(("i-a", "clb/lb-1: weight 0"))
    assert ("i-b", "clb/lb-1: weight 100") in told
    assert ("", "lower ends with 0") in told
    assert broken["trouble"] == "the command of breaks ended with 3"
    assert list((stage.folder / "tmp").iterdir()) == []


def test_any_service_can_be_asked_and_several_plays_make_one_total(stage: Stage) -> None:
    stage.document["path"] = "/health"
    stage.document["plays"] = {"still": "true", "other": "exit 1"}
    done = stage.run("--rate", "20", "--plays", "still", "--seeds", "1,2")
    assert done.returncode == 0, done.stderr
    (total,) = stage.figures()["totals"]
    assert (total["failed"], total["seeds"], total["void"]) == (0, [1, 2], 0)
    assert f"as deployed: 0 of {total['asked']:,} failed in 2 plays" in done.stdout
    assert all(one["streams"] == {} for one in stage.figures()["outcomes"])


def test_nothing_is_asked_where_something_is_wrong(stage: Stage) -> None:
    good = dict(stage.document)

    def refused(*options: str, **change: object) -> str:
        stage.document = good | change
        done = stage.run(*options)
        assert done.returncode in (1, 2)
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        assert SECRET not in done.stderr
        return done.stderr

    assert "--plays: 'rest' is none of still" in refused("--plays", "rest")
    assert "--lags is not for real load balancers" in refused("--lags", "1")
    assert "listener: there is no such property" in refused(listener={})
    wrong = refused(secret_key=SECRET[::-1])
    assert "server group clb/lb-1 cannot be read" in wrong
    assert "check access_key and secret_key" in wrong
    assert "clb/lb-2 cannot be read" in refused(load_balancer_id="lb-2")
    assert not stage.output.exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_one_that_is_ended_asks_no_more(stage: Stage, number: signal.Signals, code: int) -> None:
    began = stage.folder / "began"
    stage.document["plays"] = {"long": f"touch {began}; sleep 1000 & sleep 1001"}
    with (stage.folder / "out").open("w") as out:
        bench = subprocess.Popen(
            stage.command("--rate", "20"),
            cwd=ROOT,
            env=stage.environment(),
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            eventually(began.exists)
            processes = eventually(lambda: (found := processes_below(bench.pid))[3:] and found)
            bench.send_signal(number)
            assert bench.wait(DEADLINE_SECONDS) == code
        finally:
            bench.kill()
            bench.wait()
    if number == signal.SIGKILL:  # which leaves the operator's command to the operator
        asking, processes = processes, []
        for pid in asking:
            with contextlib.suppress(OSError):
                if b"traffic.client" in (Path("/proc") / str(pid) / "cmdline").read_bytes():
                    processes.append(pid)
                else:
                    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any((Path("/proc") / str(pid)).exists() for pid in processes))
    if number != signal.SIGKILL:
        assert list((stage.folder / "tmp").iterdir()) == []
    assert "Traceback" not in (stage.folder / "out").read_text()
