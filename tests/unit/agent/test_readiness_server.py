"""The server of the readiness port: nothing but the agent's word takes the VM out."""

from __future__ import annotations

import contextlib
import csv
import http.client
import io
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from tests.ports import free_port
from tests.unit.descriptors import no_descriptor_left
from tests.unit.supervision import supervisor
from tests.waiting import eventually

from slb_registration.agent import readiness_server
from slb_registration.agent.readiness_address import listening, own_address, problem
from slb_registration.agent.readiness_server import (
    CONNECTIONS_AT_MOST,
    HEAD_LIMIT,
    ReadinessServer,
    answering,
)
from slb_registration.model.configuration import Readiness
from slb_registration.support.logs.event_log import EventLog


@dataclass
class Port:
    """A server under test, and what it answers."""

    server: ReadinessServer
    status: int = 200

    def raw(self, data: bytes, *, source: str = "127.0.0.1") -> bytes:
        with self.connect(source=source) as client:
            client.sendall(data)
            return b"".join(iter(lambda: client.recv(4096), b""))

    def connect(self, *, source: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection(
            ("127.0.0.1", self.server.port), timeout=10, source_address=(source, 0)
        )

    def asked(self, method: str = "GET", path: str = "/") -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()


@pytest.fixture
def port() -> Iterator[Port]:
    config = Readiness(free_port(), "127.0.0.1")
    with (
        supervisor() as supervising,
        answering(config, lambda: made.status, EventLog(StringIO()), supervising) as server,
    ):
        assert server is not None
        made = Port(server)
        yield made


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/", "/health?a=b", "/" + "x" * 4000])
def test_any_path_is_answered_with_the_word_of_now(port: Port, status, method, path):
    port.status = status
    assert port.asked(method, path) == status


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"HEAD / HTTP/1.0\r\n\r\n", b"HTTP/1.1 200 OK"),  # as CLB asks
        (b"GET / HTTP/1.1\nHost: x\n\n", b"HTTP/1.1 200 OK"),
        (b"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"HTTP/1.1 200 OK"),
        (b"POST / HTTP/1.1\r\n\r\n", b"HTTP/1.1 405 Method Not Allowed"),
        (b"\x16\x03\x01\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * HEAD_LIMIT, b"HTTP/1.1 431 "),
    ],
)
def test_what_is_sent_is_read_to_its_end_and_answered(port: Port, data, line):
    answer = port.raw(data)
    assert answer.startswith(line)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (b"Connection: close" in head, body) == (True, b"")


def test_a_request_that_comes_in_pieces_is_answered(port: Port):
    with port.connect() as client:
        for piece in (b"GE", b"T / HTTP/1.1\r", b"\nHost: x\r\n\r", b"\n"):
            client.sendall(piece)
            assert port.asked() == 200  # nobody waits for it
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_a_request_that_trickles_is_given_up(port: Port, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readiness_server, "CLIENT_SECONDS", 0.1)
    with port.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: ")
        with contextlib.suppress(ConnectionError):
            assert client.recv(100) == b""


def test_of_too_many_connections_one_of_whoever_has_most_gives_way(port: Port):
    """A load balancer that has just connected is not thrown out by others."""
    threads = threading.active_count()
    with contextlib.ExitStack() as stack:
        check = stack.enter_context(port.connect(source="127.0.0.2"))
        silent = [
            stack.enter_context(port.connect(source="127.0.0.3"))
            for _ in range(2 * CONNECTIONS_AT_MOST)
        ]
        assert port.asked() == 200
        check.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert check.recv(100).startswith(b"HTTP/1.1 200 OK")
        assert silent[0].recv(100) == b""
        assert threading.active_count() == threads
        assert len(port.server._clients) <= CONNECTIONS_AT_MOST


def test_many_at_once_are_all_answered(port: Port):
    clients = [port.connect() for _ in range(CONNECTIONS_AT_MOST - 1)]
    for client in clients:
        client.sendall(b"HEAD / HTTP/1.1\r\n\r\n")
    for client in clients:
        with client:
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_without_descriptors_the_oldest_gives_way_and_checks_are_answered(port: Port):
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(port.connect()) for _ in range(20)]
        assert port.asked() == 200  # after these were accepted
        client = stack.enter_context(socket.socket())
        with no_descriptor_left():
            client.settimeout(10)
            client.connect(("127.0.0.1", port.server.port))
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
        assert silent[0].recv(100) == b""


def test_a_mistake_with_one_client_ends_no_other(port: Port, monkeypatch: pytest.MonkeyPatch):
    mistakes = iter([ZeroDivisionError()])
    real = readiness_server._answer

    def broken(head: bytes, status: int) -> bytes:
        for mistake in mistakes:
            raise mistake
        return real(head, status)

    monkeypatch.setattr(readiness_server, "_answer", broken)
    with port.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert port.asked() == 200


# As others read it


def test_curl_takes_it_for_an_answer(port: Port):
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is missing")
    for port.status in (200, 503):
        for options in (["--http1.0", "--head"], ["--http1.1"], ["-d", "abc", "-X", "GET"]):
            line = [curl, "-sS", "-w", "%{http_code} %{size_download}", "-o", os.devnull, *options]
            url = f"http://127.0.0.1:{port.server.port}/health"
            done = subprocess.run(
                [*line, url], check=False, capture_output=True, text=True, timeout=30
            )
            assert (done.stdout, done.stderr, done.returncode) == (f"{port.status} 0", "", 0)


HAPROXY = """\
global
  stats socket {socket} mode 600 level admin
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
backend web
  option httpchk {check}
  server vm 127.0.0.1:{served} check port {checked} inter 50ms fall 2 rise 2
backend tcp
  server vm 127.0.0.1:{served} check port {checked} inter 50ms fall 2 rise 2
"""


@pytest.mark.parametrize("check", ["HEAD / HTTP/1.0", "GET /x HTTP/1.1"])
def test_a_load_balancer_that_checks_over_http_follows_it_and_one_over_tcp_does_not(
    port: Port, tmp_path: Path, check: str
):
    haproxy = shutil.which("haproxy")
    if haproxy is None:
        pytest.skip("haproxy is missing")
    config = tmp_path / "haproxy.cfg"
    places = {"socket": tmp_path / "s", "served": free_port(), "checked": port.server.port}
    config.write_text(HAPROXY.format(check=check, **places))

    def states() -> tuple[str, ...]:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(places["socket"]))
            client.sendall(b"show stat -1 4 -1\n")
            text = b"".join(iter(lambda: client.recv(4096), b"")).decode()
        rows = csv.DictReader(io.StringIO(text.removeprefix("# ")))
        return tuple(row["status"] for row in rows if row["svname"] == "vm")

    process = subprocess.Popen([haproxy, "-db", "-q", "-f", str(config)])
    try:
        eventually(places["socket"].exists, within=20)
        for port.status, seen in ((503, "DOWN"), (200, "UP"), (503, "DOWN")):
            eventually(lambda seen=seen: states() == (seen, "UP"), within=20)
    finally:
        process.terminate()
        process.wait(10)


# Where it listens


def test_ipv6_and_every_address():
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    for address, ways in (("::1", ["::1"]), ("::", ["::1", "127.0.0.1"])):
        config = Readiness(free_port(), address)
        with (
            supervisor() as supervising,
            answering(config, lambda: 503, EventLog(StringIO()), supervising),
        ):
            for way in ways:
                connection = http.client.HTTPConnection(way, config.port, timeout=10)
                connection.request("HEAD", "/")
                assert connection.getresponse().status == 503
                connection.close()


def test_without_an_address_it_is_the_vms_own():
    try:
        own = own_address()
    except OSError as error:
        pytest.skip(f"no way to others: {error}")
    with listening(Readiness(free_port(), None)) as listener:
        assert listener.getsockname()[0] == own
    assert own != "0.0.0.0"


def test_a_port_that_becomes_free_is_taken_and_once_it_ends_it_is_free_again():
    lines = StringIO()
    log = EventLog(lines)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = ReadinessServer(Readiness(taken.getsockname()[1], "127.0.0.1"), lambda: 200, log)
        for _ in range(3):
            assert server.turn() > 0
        assert "is in use" in str(server.error)
    assert server.turn() == 0
    assert server.error is None
    assert lines.getvalue().count("no health check is answered") == 1
    server.close()
    with socket.create_server(("127.0.0.1", server.port)):
        pass


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("203.0.113.9", "readiness.address: 203.0.113.9 is no address of this VM"),
        ("fd00:dead::9", "readiness.address: fd00:dead::9 is no address of this VM"),
    ],
)
def test_an_address_of_another_vm_is_told_as_such(address, text):
    config = Readiness(free_port(), address)
    with pytest.raises(OSError, match="assign") as caught:
        listening(config)
    assert problem(config, caught.value) == text


def test_without_a_way_to_others_an_address_is_asked_for():
    error = OSError(101, "Network is unreachable")
    assert problem(Readiness(8079, None), error).startswith("readiness.address: is needed")
