"""The server behind the agent's socket: no client can wear it out, and none gives half an order."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.ports import free_port
from tests.unit.supervision import quiet
from tests.unit.trickling import trickled_until_closed

from slb_registration.agent.control_socket import serving, serving_metrics
from slb_registration.commands.client import NotRunningError, ask
from slb_registration.model.configuration import Metrics
from slb_registration.model.orders import Order
from slb_registration.support.net import local_server
from slb_registration.support.net.local_server import (
    CONNECTIONS_AT_MOST,
    HEAD_LIMIT,
    LocalHandler,
    may_ask,
)


class Subject:
    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def alive(self) -> str | None:
        return None

    def document(self) -> dict[str, Any]:
        self.go_on.wait(30)
        return {"state": "in service"}

    def metrics(self) -> str:
        return "half of a character: \ud800\n"

    def order(self, order: Order) -> None:
        self.orders.append(order)


@pytest.fixture(scope="module")
def agent() -> Iterator[tuple[Path, Subject]]:
    subject = Subject()
    with (
        tempfile.TemporaryDirectory(prefix="slb") as name,
        serving(Path(name) / "s", subject, quiet()),
    ):
        yield Path(name) / "s", subject


@pytest.fixture
def subject(agent: tuple[Path, Subject]) -> Iterator[Subject]:
    subject = agent[1]
    subject.orders.clear()
    yield subject
    subject.go_on.set()


@pytest.fixture
def path(agent: tuple[Path, Subject], subject: Subject) -> Path:
    return agent[0]


def connect(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(str(path))
    return client


def answer(client: socket.socket) -> bytes:
    with client, contextlib.suppress(ConnectionError):  # one that is not taken in is reset
        return b"".join(iter(lambda: client.recv(4096), b""))
    return b""


def raw(path: Path, data: bytes) -> bytes:
    client = connect(path)
    client.sendall(data)
    client.shutdown(socket.SHUT_WR)
    return answer(client)


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /drain",
        b"POST /drain HTTP/1.0",
        b"POST /drain HTTP/1.0\r\n",
        b"POST /drain HTTP/1.0\r\nHost: localhost\r\n",
    ],
)
def test_an_order_that_was_cut_off_is_no_order(path: Path, subject: Subject, request_: bytes):
    assert raw(path, request_).startswith(b"HTTP/1.0 400 ")
    assert subject.orders == []


@pytest.mark.parametrize(
    "header", [b"Content-Length: 5", b"content-length:-1", b"Transfer-Encoding: chunked"]
)
def test_a_request_with_a_body_is_refused(path: Path, subject: Subject, header: bytes):
    assert raw(path, b"POST /drain HTTP/1.0\r\n%s\r\n\r\n" % header).startswith(b"HTTP/1.0 413 ")
    assert subject.orders == []


def test_a_request_larger_than_any_is_refused(path: Path, subject: Subject):
    request = b"POST /drain HTTP/1.0\r\nX: " + b"x" * HEAD_LIMIT
    assert raw(path, request[:HEAD_LIMIT]).startswith(b"HTTP/1.0 431 ")
    assert subject.orders == []


def test_a_request_that_trickles_is_given_up(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(LocalHandler, "timeout", 0.1)
    with connect(path) as client:
        assert trickled_until_closed(client)


def test_of_too_many_connections_the_oldest_gives_way_and_who_asks_is_answered(path: Path):
    before = threading.active_count()
    silent = []
    for _ in range(3 * CONNECTIONS_AT_MOST):
        silent.append(connect(path))
        assert threading.active_count() - before <= 2 * CONNECTIONS_AT_MOST
        assert ask(path, "GET", "/healthz") == b"ok\n"
    assert answer(silent[0]) == b""
    for one in silent:
        one.close()


def test_where_the_agent_hangs_threads_do_not_pile_up(path: Path, subject: Subject):
    before = threading.active_count()
    subject.go_on.clear()
    waiting = []
    for _ in range(4 * CONNECTIONS_AT_MOST):
        waiting.append(connect(path))
        waiting[-1].sendall(b"GET /status HTTP/1.0\r\n\r\n")
    assert answer(waiting[-1]) == b""  # not taken in
    assert threading.active_count() - before <= 2 * CONNECTIONS_AT_MOST
    subject.go_on.set()
    for one in waiting:
        one.close()
    assert b"in service" in _asked_at_last(path)


def _asked_at_last(path: Path) -> bytes:
    """Those who waited are answered first; until then one more may be turned away."""
    for _ in range(10_000):
        with contextlib.suppress(NotRunningError):
            return ask(path, "GET", "/status")
    return b""


def test_metrics_with_what_cannot_be_written_are_metrics_all_the_same(path: Path):
    assert ask(path, "GET", "/metrics") == b"half of a character: \\ud800\n"


def test_the_port_of_the_metrics_is_as_hard_to_wear_out(subject: Subject):
    port = free_port()
    with serving_metrics(Metrics(port, "127.0.0.1"), subject, quiet()):
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            assert answer(client).startswith(b"HTTP/1.0 200 ")
        for one in silent:
            one.close()


def test_root_and_the_agents_user_may_ask_and_no_one_else():
    own = os.geteuid()
    assert may_ask(0)
    assert may_ask(own)
    assert not may_ask(own + 1)


def test_another_user_is_refused_even_where_the_modes_let_everyone_in(path: Path, subject: Subject):
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    path.chmod(0o777)
    path.parent.chmod(0o755)
    program = (
        "import os, socket, sys\n"
        "client = socket.socket(socket.AF_UNIX)\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "client.connect(sys.argv[1])\n"
        "try:\n"
        "    client.sendall(b'POST /drain HTTP/1.0\\r\\n\\r\\n')\n"
        "    print(client.recv(100))\n"
        "except ConnectionError:\n"
        "    print(b'')\n"
    )
    command = [sys.executable, "-I", "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "b''\n"
    assert subject.orders == []


def test_what_is_waited_for_is_below_monits_patience():
    assert local_server.CLIENT_TIMEOUT_SECONDS <= 5
