"""The agent's socket: who may ask, what is answered, and what a client makes of bad answers."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from tests.ports import free_port
from tests.unit.descriptors import no_descriptor_left
from tests.unit.supervision import quiet, supervisor
from tests.waiting import eventually

from slb_registration.agent.control_socket import serving, serving_metrics
from slb_registration.commands import client as control
from slb_registration.commands.client import NotRunningError, ask, ask_status
from slb_registration.model.configuration import Metrics
from slb_registration.model.orders import Order
from slb_registration.reporting.exposition import CONTENT_TYPE
from slb_registration.support.net import local_server, receiving


class Subject:
    """An agent that remembers its orders."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.hanging: str | None = None
        self.waiting = 0
        self.mistake: Exception | None = None

    def alive(self) -> str | None:
        return self.hanging

    def document(self) -> dict[str, Any]:
        if self.mistake is not None:
            raise self.mistake
        return {"state": "in service", "name": "前端"}

    def waited_for(self) -> dict[str, Any]:
        self.waiting += 1
        return self.document()

    def metrics(self) -> str:
        return "slb_registration_in_service 1\n"

    def order(self, order: Order) -> None:
        self.orders.append(order)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Short: the path of a Unix socket is."""
    with tempfile.TemporaryDirectory(prefix="slb") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def agent(folder: Path) -> Iterator[tuple[Path, Subject]]:
    subject = Subject()
    path = folder / "agent.sock"
    path.write_text("left by an earlier process")
    with serving(path, subject, quiet()):
        yield path, subject
    assert not path.exists()


def test_the_socket_of_the_next_agent_stays(folder: Path) -> None:
    path = folder / "replaced.sock"
    with serving(path, Subject(), quiet()):
        path.unlink()
        with socket.socket(socket.AF_UNIX) as of_the_next:
            of_the_next.bind(str(path))
    assert path.exists()
    with serving(path, Subject(), quiet()):
        path.unlink()


@pytest.fixture
def subject(agent: tuple[Path, Subject]) -> Subject:
    agent[1].__init__()  # type: ignore[misc]
    return agent[1]


@pytest.fixture
def path(agent: tuple[Path, Subject], subject: Subject) -> Path:
    return agent[0]


def raw(path: Path, data: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(4096), b""))


# Serving


def test_only_the_agents_user_may_connect(path: Path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_making_the_socket_leaves_the_processs_umask_as_it_was(path: Path):
    before = os.umask(0o022)
    os.umask(before)
    assert before != 0o177


def test_status_is_json_of_what_the_agent_knows(path: Path):
    assert ask_status(path) == {"state": "in service", "name": "前端"}


def test_monit_is_answered_in_http_1_0(path: Path):
    """monit 5.2.5 asks so, and closes nothing itself."""
    answer = raw(path, b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 ")
    assert b"Content-Length: 3" in head
    assert body == b"ok\n"


def test_an_agent_that_hangs_says_which_part(path: Path, subject: Subject):
    subject.hanging = "stuck: clb/lb-1"
    answer = raw(path, b"GET /healthz HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 503 ")
    assert answer.endswith(b"stuck: clb/lb-1\n")


def test_head_is_answered_without_a_body(path: Path):
    answer = raw(path, b"HEAD /healthz HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 200 ")
    assert answer.endswith(b"\r\n\r\n")


def test_metrics_are_served_in_the_prometheus_form(path: Path):
    answer = raw(path, b"GET /metrics HTTP/1.0\r\n\r\n")
    assert f"Content-Type: {CONTENT_TYPE}".encode() in answer
    assert answer.endswith(b"slb_registration_in_service 1\n")


@pytest.mark.parametrize("order", list(Order))
def test_every_order_is_taken_by_post_and_by_nothing_else(
    path: Path, subject: Subject, order: Order
):
    assert ask(path, "POST", f"/{order.value}") == b"ok\n"
    assert subject.orders == [order]
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        answer = raw(path, f"{method} /{order.value} HTTP/1.0\r\n\r\n".encode())
        assert answer.split()[1] in (b"404", b"501")
    assert subject.orders == [order]


@pytest.mark.parametrize("route", ["/", "/stop", "/status/", "/status?x=1", "*"])
def test_what_is_not_known_is_not_found(path: Path, subject: Subject, route: str):
    for method in ("GET", "POST"):
        assert b" 404 " in raw(path, f"{method} {route} HTTP/1.0\r\n\r\n".encode())
    assert subject.orders == []


@pytest.mark.parametrize("route", ["/status", "/healthz", "/metrics"])
def test_what_is_read_is_not_posted_to(path: Path, route: str):
    assert b" 404 " in raw(path, f"POST {route} HTTP/1.0\r\n\r\n".encode())


def test_rubbish_is_refused_and_the_next_client_is_answered(path: Path):
    raw(path, b"\xff\x00\r\n\r\n")
    raw(path, b"")
    with contextlib.suppress(ConnectionError):
        raw(path, b"GET /status HTTP/1.0\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n")
    assert ask_status(path)["state"] == "in service"


def test_a_client_that_goes_away_is_no_event(path: Path, capfd: pytest.CaptureFixture[str]):
    for _ in range(3):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /status HTTP/1.0\r\n\r\n")
    assert ask_status(path)
    assert capfd.readouterr().err == ""


def test_a_mistake_of_the_agents_is_told_without_a_flood_and_without_what_it_holds(folder: Path):
    # Found by this test: it looked as if no agent were running, and nothing said why.
    subject, lines = Subject(), StringIO()
    subject.mistake = ValueError("may be secret")
    with supervisor(lines) as made, serving(folder / "mistaken.sock", subject, made):
        for _ in range(12):
            with pytest.raises(NotRunningError):
                ask_status(folder / "mistaken.sock")
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [one["times"] for one in told] == [1, 10]
    assert told[0]["message"] == "a request at the control socket broke"
    assert told[0]["because"].startswith("ValueError at document:")
    assert "secret" not in lines.getvalue()


def test_a_socket_that_cannot_take_a_connection_in_neither_spins_nor_stays_so(folder: Path):
    lines = StringIO()
    path = folder / "full.sock"
    with supervisor(lines) as made, serving(path, Subject(), made):
        assert ask_status(path)
        clients = [socket.socket(socket.AF_UNIX) for _ in range(2)]
        with no_descriptor_left():
            for client in clients:
                client.connect(str(path))
            eventually(lambda: "Too many open files" in lines.getvalue(), within=10)
        for client in clients:
            client.close()
        assert ask_status(path)
    assert lines.getvalue().count("Too many open files") == 1


def test_a_client_that_says_nothing_delays_no_other(path: Path):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(path))
        assert ask_status(path)


def test_a_path_too_long_for_a_socket_is_said_as_such(tmp_path: Path):
    deep = tmp_path / ("x" * 100)
    with (
        pytest.raises(OSError, match="too long for a Unix socket") as caught,
        serving(deep, Subject(), quiet()),
    ):
        pass
    assert caught.value.filename == str(deep)


def test_a_folder_that_is_not_there_is_an_error(folder: Path):
    with (
        pytest.raises(OSError, match="No such file"),
        serving(folder / "no" / "s", Subject(), quiet()),
    ):
        pass


# Metrics over TCP


def test_metrics_on_a_port_and_nothing_else_there():
    port = free_port()
    subject = Subject()
    with serving_metrics(Metrics(port, "127.0.0.1"), subject, quiet()):
        for method, route, status in (
            ("GET", "/metrics", 200),
            ("GET", "/status", 404),
            ("GET", "/healthz", 404),
            ("POST", "/drain", 404),
        ):
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            client.request(method, route)
            assert client.getresponse().status == status
            client.close()
    assert subject.orders == []


def test_metrics_are_off_without_a_port():
    with serving_metrics(None, Subject(), quiet()):
        pass


def test_a_port_that_is_taken_is_said_with_its_property():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(OSError, match="in use") as caught,
            serving_metrics(Metrics(port, "127.0.0.1"), Subject(), quiet()),
        ):
            pass
    assert "metrics.port" in str(caught.value.filename)


# Asking


@contextlib.contextmanager
def answering(folder: Path, answer: bytes) -> Iterator[Path]:
    """Whatever listens there is no agent of ours."""
    path = folder / "other.sock"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def run() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield path
        thread.join(5)


def http_answer(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.0 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        http_answer(b"", "500 Internal Server Error"),
        http_answer(b"not json"),
        http_answer(b'{"state": "in ser'),
        http_answer(b"[]"),
        http_answer(b"null"),
        http_answer(b"[" * 100_000),
        http_answer(b"\xff\xfe"),
    ],
    ids=lambda answer: repr(answer[:40]),
)
def test_what_is_no_agents_answer_counts_as_no_agent(folder: Path, answer: bytes):
    with answering(folder, answer) as path, pytest.raises(NotRunningError, match=str(path)):
        ask_status(path)


def test_an_agent_that_hangs_counts_as_none_after_a_while(folder: Path):
    path = folder / "hangs.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        with pytest.raises(NotRunningError, match="timed out"):
            ask_status(path, timeout_seconds=0.05)


def test_an_agent_that_trickles_does_not_hold_its_client(folder: Path):
    path = folder / "trickles.sock"
    over = threading.Event()

    def trickle(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            while not over.wait(0.005):
                connection.sendall(b" ")

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=trickle, args=(server,), daemon=True)
        thread.start()
        with pytest.raises(NotRunningError, match="timed out"):
            ask_status(path, timeout_seconds=0.05)
        over.set()
        thread.join(5)


def test_no_part_of_a_request_has_the_whole_time_for_itself(folder: Path, monkeypatch):
    """Connecting, sending and the answer could each take all of it."""
    limits: list[float] = []

    class Slow(socket.socket):
        def settimeout(self, value: float | None) -> None:
            assert value is not None
            limits.append(value)
            clock.now += 1.0
            super().settimeout(value)

    class Clock:
        now = 100.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(receiving, "time", clock)
    monkeypatch.setattr(control.socket, "socket", Slow)
    with answering(folder, http_answer(b"{}")) as path:
        ask_status(path, timeout_seconds=5.0)
    assert limits[:3] == [5.0, 4.0, 3.0]


def test_no_socket_and_a_dead_one_are_no_agent(folder: Path):
    with pytest.raises(NotRunningError, match="no agent answers on"):
        ask(folder / "none.sock", "GET", "/status")
    dead = folder / "dead.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(dead))
    with pytest.raises(NotRunningError, match="refused"):
        ask(dead, "POST", "/drain")


def test_a_clients_patience_is_shorter_than_monits():
    assert control.TIMEOUT_SECONDS <= 5
    assert local_server.CLIENT_TIMEOUT_SECONDS <= 5


def test_the_document_survives_json(path: Path):
    assert json.loads(json.dumps(ask_status(path))) == ask_status(path)


def test_who_waits_gets_the_status_and_it_is_noted(agent: tuple[Path, Subject], subject: Subject):
    assert ask_status(agent[0], waiting=True) == subject.document()
    assert subject.waiting == 1
    assert ask_status(agent[0]) == subject.document()
    with pytest.raises(NotRunningError, match="404"):
        ask(agent[0], "GET", "/wait")
    assert subject.waiting == 1
