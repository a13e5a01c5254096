"""Finding out whether the service is serving, when it does its worst."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.unit.descriptors import no_descriptor_left
from tests.unit.probes.checks import SLACK, SOON, config, timed
from tests.unit.probes.loopback_service import (
    OK,
    Service,
    answering,
    hanging,
    trickling,
    trickling_nothing,
    with_tls,
)

from slb_registration.probes.checker import Result
from slb_registration.probes.probing import HttpCheck, ScriptCheck, TcpCheck, checks_for
from slb_registration.support.net import bounded_http


@pytest.fixture
def service() -> Iterator[Callable[..., Service]]:
    started = []

    def start(serve: Callable[[socket.socket], None], host: str = "127.0.0.1") -> Service:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        started.append(Service(socket.create_server((host, 0), family=family), serve))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port that nobody listens on, bound so that nobody else gets it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Self-signed, for another name, and expired long ago."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "www.example.com")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime(2001, 1, 1, tzinfo=timezone.utc))
        .not_valid_after(datetime(2001, 1, 2, tzinfo=timezone.utc))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    return file


def http(port: int, host: str = "127.0.0.1", **options: object) -> HttpCheck:
    given = {
        "path": "/healthz",
        "tls": False,
        "expected_status": frozenset({200}),
        "timeout_seconds": SOON,
        **options,
    }
    return HttpCheck(host=host, port=port, **given)  # type: ignore[arg-type]


# TCP


def test_a_port_that_accepts_is_fine(service):
    running = service(hanging)

    assert TcpCheck("127.0.0.1", running.port, False, SOON).probe() == Result(
        True, f"127.0.0.1:{running.port}: connected"
    )


def test_a_port_that_nobody_listens_on_is_refused(unused_port):
    result = TcpCheck("127.0.0.1", unused_port, False, SOON).probe()

    assert result == Result(False, f"127.0.0.1:{unused_port}: connection refused")


def test_a_full_backlog_is_no_answer_in_time():
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            sock = waiting.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        result, seconds = timed(TcpCheck("127.0.0.1", full.getsockname()[1], False, SOON))

    assert result == Result(False, f"127.0.0.1:{full_port(result)}: no answer within 0.1 s")
    assert seconds < SOON + SLACK


def full_port(result: Result) -> str:
    return result.detail.split(":")[1]


def test_a_connection_to_ourselves_does_not_count(monkeypatch, unused_port):
    # Linux connects a socket to itself when it happens to pick the port it connects to.
    class Same(socket.socket):
        def connect(self, address):
            self.bind(address)
            super().connect(address)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(bounded_http.socket, "socket", Same)

    result = TcpCheck("127.0.0.1", port, False, SOON).probe()

    assert result == Result(False, f"127.0.0.1:{port}: connection refused")


def test_ipv6_is_checked_as_well(service):
    try:
        running = service(answering(OK), "::1")
    except OSError as error:
        pytest.skip(f"::1: {error}")

    assert TcpCheck("::1", running.port, False, SOON).probe().detail == (
        f"[::1]:{running.port}: connected"
    )
    assert http(running.port, "::1").probe().ok


def test_every_address_of_a_name_is_tried(service, monkeypatch, unused_port):
    running = service(hanging)
    addresses = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", unused_port)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", running.port)),
    ]
    monkeypatch.setattr(bounded_http.socket, "getaddrinfo", lambda *_, **__: addresses)

    assert TcpCheck("two.example.com", running.port, False, SOON).probe().ok


def test_a_name_that_does_not_exist_fails(monkeypatch):
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(bounded_http.socket, "getaddrinfo", getaddrinfo)

    result = TcpCheck("nowhere.invalid", 80, False, SOON).probe()

    assert result == Result(False, "nowhere.invalid:80: Name or service not known")


def test_a_name_that_cannot_be_one_fails():
    assert TcpCheck("a" * 64 + ".b", 80, False, SOON).probe().ok is False


def test_a_name_server_that_hangs_does_not_hold_the_probe(monkeypatch):
    answered = threading.Event()

    def getaddrinfo(*_: object, flags: int, **__: object) -> list[object]:
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "not a number")
        answered.wait(5)
        return []

    monkeypatch.setattr(bounded_http.socket, "getaddrinfo", getaddrinfo)
    result, seconds = timed(TcpCheck("slow.example.com", 80, False, SOON))
    answered.set()

    assert result == Result(False, "slow.example.com:80: no answer within 0.1 s")
    assert seconds < SOON + SLACK


def test_tls_takes_any_certificate_of_our_own_service(service, certificate):
    running = service(with_tls(certificate, answering(OK)))

    assert TcpCheck("127.0.0.1", running.port, True, 2).probe().ok
    assert http(running.port, tls=True, timeout_seconds=2).probe() == Result(
        True, f"127.0.0.1:{running.port}: answered 200"
    )


def test_a_service_without_tls_fails_a_check_with_tls(service):
    running = service(answering(b"220 smtp.example.com ESMTP\r\n"))

    for check in (TcpCheck("127.0.0.1", running.port, True, SOON), http(running.port, tls=True)):
        result = check.probe()
        assert not result.ok
        assert "TLS failed" in result.detail


def test_a_tls_handshake_that_hangs_or_trickles_is_over_in_time(service):
    record = b"\x16\x03\x03\x40\x00"  # of 16 KiB, which never come as a whole
    for serve in (hanging, trickling(record, b"\x02")):
        running = service(serve)
        result, seconds = timed(TcpCheck("127.0.0.1", running.port, True, SOON))
        assert not result.ok
        assert seconds < SOON + SLACK


# HTTP


def test_the_expected_status_is_fine(service):
    running = service(answering(OK))

    assert http(running.port).probe() == Result(True, f"127.0.0.1:{running.port}: answered 200")


def test_the_request_names_path_and_host_and_asks_to_close(service):
    requests = []

    def serve(connection: socket.socket) -> None:
        requests.append(connection.recv(65536))
        connection.sendall(OK)

    running = service(serve)
    http(running.port, path="/a?b=c").probe()

    assert requests[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert b"\r\nHost: 127.0.0.1:%d\r\n" % running.port in requests[0]
    assert b"\r\nConnection: close\r\n" in requests[0]


def test_another_status_is_not(service):
    running = service(answering(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"))

    result = http(running.port, expected_status=frozenset({204, 200})).probe()

    assert result == Result(False, f"127.0.0.1:{running.port}: answered 503, expected 200, 204")
    assert http(running.port, expected_status=frozenset({503})).probe().ok


def test_a_redirect_is_not_followed(service):
    other = service(answering(OK))
    location = b"Location: http://127.0.0.1:%d/\r\n" % other.port
    running = service(
        answering(b"HTTP/1.1 302 Found\r\n" + location + b"Content-Length: 0\r\n\r\n")
    )

    assert http(running.port).probe().detail.endswith("answered 302, expected 200")
    assert http(running.port, expected_status=frozenset({302})).probe().ok


def test_proxies_of_the_environment_are_not_used(service, monkeypatch, unused_port):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    running = service(answering(OK))

    assert http(running.port).probe().ok


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\xff\xfe\x00garbage\r\n\r\n",
        b"HTTP/1.1 two-hundred OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/9.9.9 200 OK\r\n\r\n",
        b"<html>200 OK</html>\r\n\r\n",
        b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
    ids=["ssh", "binary", "word", "20", "version", "html", "long", "headers", "header"],
)
def test_an_answer_that_is_not_http_fails(service, answer):
    running = service(answering(answer))

    result = http(running.port).probe()

    assert result == Result(False, f"127.0.0.1:{running.port}: the answer is not HTTP")


def test_a_connection_that_is_closed_without_an_answer_fails(service):
    def close(connection: socket.socket) -> None:
        connection.recv(65536)

    def reset(connection: socket.socket) -> None:
        linger_zero = b"\x01\0\0\0\0\0\0\0"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_zero)

    assert (
        http(service(close).port).probe().detail.endswith("closed the connection without an answer")
    )
    assert http(service(reset).port).probe().ok is False


@pytest.mark.parametrize(
    ("data", "then"),
    [
        (b"", b""),
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silent", "status", "headers missing", "header", "continue"],
)
def test_a_service_that_hangs_or_trickles_before_its_body_fails_in_time(service, data, then):
    running = service(trickling(data, then) if then else trickling_nothing(data))

    result, seconds = timed(http(running.port))

    assert result == Result(False, f"127.0.0.1:{running.port}: no answer within 0.1 s")
    assert seconds < SOON + SLACK


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n",
    ],
    ids=["until the end", "length", "chunked"],
)
def test_a_body_without_end_counts_for_nothing_and_is_not_waited_for(service, head):
    endless = b"x" * 65536
    for then in (b"x", endless):
        running = service(trickling(head, then))
        result, seconds = timed(http(running.port))
        assert result.ok
        assert seconds < SOON + SLACK


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 5\r\n\r\nx",
        b"Content-Length: -5\r\n\r\nx",
        b"Content-Length: five\r\n\r\nx",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx",
        b"Transfer-Encoding: chunked\r\n\r\n-5\r\nxxxxxxxxxx",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nx",
    ],
)
def test_a_body_that_is_malformed_counts_for_nothing(service, body):
    running = service(answering(b"HTTP/1.1 200 OK\r\n" + body))

    assert http(running.port).probe().ok


# No room to ask


@pytest.mark.parametrize("check", ["tcp", "http", "script"])
@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN])
def test_where_this_vm_has_no_room_to_ask_the_service_has_not_failed(
    monkeypatch, script, check, code
):
    def refused(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(subprocess, "Popen", refused)
    made = {
        "tcp": TcpCheck("127.0.0.1", 80, False, SOON),
        "http": HttpCheck("127.0.0.1", 80, "/", False, frozenset({200}), SOON),
        "script": script("#!/bin/sh\n"),
    }[check]

    with pytest.raises(OSError, match=os.strerror(code)):
        made.probe()


def test_without_a_thread_for_a_look_up_the_service_has_not_failed(monkeypatch):
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)

    with pytest.raises(OSError, match="no thread can be started"):
        TcpCheck("no-number.example.com", 80, False, SOON).probe()


def test_with_no_descriptor_left_the_service_has_not_failed(service, script):
    running = service(answering(OK))
    made = [TcpCheck("127.0.0.1", running.port, False, 2), script("#!/bin/sh\n")]

    with no_descriptor_left():
        for check in made:
            with pytest.raises(OSError, match="Too many open files"):
                check.probe()

    assert [check.probe().ok for check in made] == [True, True]


# Which checks there are


def test_every_port_of_the_groups_is_checked_once():
    assert checks_for(config(tls=True), [8081, 8080, 8081]) == (
        TcpCheck("127.0.0.1", 8080, True, 2),
        TcpCheck("127.0.0.1", 8081, True, 2),
    )
    assert checks_for(config(type="http", path="/x"), [8080]) == (
        HttpCheck("127.0.0.1", 8080, "/x", False, frozenset({200}), 2),
    )


def test_the_configured_port_wins():
    assert checks_for(config(port=9), [80, 81]) == (TcpCheck("127.0.0.1", 9, False, 2),)
    assert checks_for(config(port=9), []) == (TcpCheck("127.0.0.1", 9, False, 2),)


def test_a_script_needs_no_port():
    assert checks_for(config(type="script", script="/x"), []) == (ScriptCheck("/x", 2),)
    assert checks_for(config(type="script", script="/x"), [80, 81]) == (ScriptCheck("/x", 2),)


def test_there_is_no_check_without_a_port_or_of_type_none():
    assert checks_for(config(), []) == ()
    assert checks_for(config(type="none"), [80]) == ()
