"""The data plane of a served mocked cloud: by its API, and as a process that may be killed."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.data_plane.backends import NEEDS_HAPROXY, Line, backends
from tests.paths import ROOT

from mock_slb.account.account import Account
from mock_slb.control.seed import read
from mock_slb.core.fields import InputError
from mock_slb.core.resources import HealthCheck
from mock_slb.data_plane.settings import Settings
from mock_slb.server import MockServer, serve

pytestmark = NEEDS_HAPROXY

LIMIT_SECONDS = 60


@pytest.fixture
def server() -> Iterator[MockServer]:
    """A CLB with two servers, a and b, whose checks take a moment."""
    check = HealthCheck(interval_seconds=0.05, healthy_threshold=1, unhealthy_threshold=1)
    with backends("a", "b", http=False) as servers:
        account = Account()
        balancer = account.add_load_balancer("lb")
        for name, one in servers.items():
            account.add_instance(name, ports={8080: one.port})
            balancer.default_group.add_server(name)
        balancer.add_listener(80, backend_port=8080, health_check=check)
        with serve(account, data_plane=Settings()) as server:
            yield server


def post(server: MockServer, name: str, **fields: object) -> None:
    request = urllib.request.Request(
        f"{server.url}/_mock/{name}",
        json.dumps(fields).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=LIMIT_SECONDS):
        pass


def read_page(server: MockServer, path: str) -> str:
    with urllib.request.urlopen(server.url + path, timeout=LIMIT_SECONDS) as answer:
        return answer.read().decode()


def until(server: MockServer, wanted: str | None) -> None:
    """Ask by new connections until this is who answers."""
    assert server.data_plane is not None
    answer: object = ...
    while answer != wanted:
        with contextlib.closing(Line(server.data_plane.address("lb/tcp:80"))) as line:
            answer = line.ask()


def test_probes_and_the_control_api_decide_where_connections_go(server: MockServer) -> None:
    until(server, "a")
    post(server, "servers/remove", group="lb", server_id="b")
    post(server, "health", server_id="a", status="abnormal")
    until(server, None)
    post(server, "servers/add", group="lb", server_id="b")
    until(server, "b")


def test_the_account_and_the_pages_overview_show_what_went_where(server: MockServer) -> None:
    until(server, "b")
    account = json.loads(read_page(server, "/_mock/account"))
    assert server.data_plane is not None
    host, port = server.data_plane.address("lb/tcp:80")
    listener = account["data_plane"]["listeners"]["lb/tcp:80"]
    assert (listener["address"], listener["port"], listener["layer"]) == (host, port, 4)
    rows = {row["server_id"]: row for row in listener["servers"]}
    assert rows["b"]["health"] == "up"
    assert rows["b"]["connections"] >= 1
    overview = json.loads(read_page(server, "/_mock/overview"))
    assert overview["account"]["data_plane"]["listeners"].keys() == {"lb/tcp:80"}


def test_the_lag_can_be_changed_while_it_runs(server: MockServer) -> None:
    post(server, "data_plane", lag_seconds=20, without_draining="finish")
    plane = json.loads(read_page(server, "/_mock/account"))["data_plane"]
    assert (plane["lag_seconds"], plane["without_draining"]) == (20, "finish")
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(server, "data_plane", lag_seconds=21)
    assert "lag_seconds must be a number from 0 to 20" in refused.value.read().decode()


def test_without_a_data_plane_there_is_none_to_change() -> None:
    with serve(Account()) as server:
        with pytest.raises(urllib.error.HTTPError) as refused:
            post(server, "data_plane", lag_seconds=1)
        assert "there is no data plane: --data-plane" in refused.value.read().decode()
        assert "data_plane" not in json.loads(read_page(server, "/_mock/account"))


def test_a_seed_chooses_ports_and_lag() -> None:
    seed = read({"data_plane": {"ports": {"lb/tcp:80": 18000}, "lag_seconds": 5}})
    assert seed.data_plane == Settings(ports={"lb/tcp:80": 18000}, lag_seconds=5)
    seed = read({"data_plane": {"layer_7_source": "127.0.0.9", "command": ["env"]}})
    assert seed.data_plane == Settings(layer_7_source="127.0.0.9", command=("env",))
    assert read({}).data_plane is None
    assert read({"data_plane": {}}).data_plane == Settings()


@pytest.mark.parametrize(
    ("data_plane", "says"),
    [
        ({"layer_7_source": "1.2.3.4\n  x"}, "data_plane.layer_7_source must be an IP address"),
        ({"lag_seconds": 20.5}, "data_plane.lag_seconds must be a number from 0 to 20"),
        ({"ports": {"lb/tcp:80": 65536}}, "data_plane.ports.lb/tcp:80 must be a port"),
        ({"unchecked": "maybe"}, "data_plane.unchecked must be one of serves, waits"),
        ({"port": {}}, "data_plane.port is not known; did you mean ports?"),
        (True, "data_plane must be a mapping"),
    ],
)
def test_what_is_wrong_in_a_seed_is_said(data_plane: object, says: str) -> None:
    with pytest.raises(InputError) as error:
        read({"data_plane": data_plane})
    assert says in str(error.value)


@contextlib.contextmanager
def by_hand(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`python -m mock_slb --data-plane`, once it has told where its listeners are."""
    with subprocess.Popen(
        [sys.executable, "-m", "mock_slb", "--data-plane"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools"), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def haproxies(folder: Path) -> list[int]:
    """HAProxies with this TMPDIR."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_one = b"haproxy" in (entry / "cmdline").read_bytes()
            if is_one and f"TMPDIR={folder}\0".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_haproxy_ends_with_the_mocked_cloud_and_leaves_nothing_behind(
    number: signal.Signals, tmp_path: Path
) -> None:
    with by_hand(tmp_path) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        assert [line.partition(" is on 127.0.0.1:")[0] for line in lines[1:]] == [
            "lb-demo/tcp:80",
            "lb-demo/tcp:443",
            "lb-demo/tcp:9000",
        ]
        pids = haproxies(tmp_path)
        assert len(pids) == 3
        # a descriptor of a process becomes readable when that ends
        ends = [os.pidfd_open(pid) for pid in pids]
        process.send_signal(number)
        for end in ends:
            with os.fdopen(end) as watched:
                assert select.select([watched], [], [], LIMIT_SECONDS)[0]
        process.communicate(timeout=LIMIT_SECONDS)
    assert list(tmp_path.iterdir()) == []


def test_temporary_files_may_be_farther_away_than_a_sockets_path_reaches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("far" * 40)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    account = Account()
    account.add_load_balancer("lb").add_listener(80)
    with serve(account, data_plane=Settings()) as server:
        assert server.data_plane is not None
        assert server.data_plane.address("lb/tcp:80")
    assert list(folder.iterdir()) == []


def test_a_missing_haproxy_is_said_without_a_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import shutil, sys; shutil.which = lambda *_, **__: None; "
            "from mock_slb.__main__ import main; sys.exit(main(['--data-plane']))",
        ],
        env={"PYTHONPATH": str(ROOT / "tools"), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "mock_slb: haproxy is missing; on Debian or Ubuntu: "
        "apt-get install --no-install-recommends haproxy\n"
    )
