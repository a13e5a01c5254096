"""A connection that fails, or is not made: whether the call may have reached the API."""

from __future__ import annotations

import socket
import subprocess
import threading
from pathlib import Path

import pytest
from aliyunsdkcore.vendored.requests import exceptions as transport
from aliyunsdkcore.vendored.requests.packages.urllib3.util import ssl_
from tests.unit.cloud.calling import URL, Answers, connect, failing
from tests.unit.driver import ACCESS_KEY

from slb_registration.cloud import client as cloud_module
from slb_registration.model.errors import Kind

FAILURES = [
    (
        transport.ConnectTimeout(
            f"HTTPSConnectionPool(host='slb.aliyuncs.com', port=443): Max retries exceeded with "
            f"url: {URL} (Caused by ConnectTimeoutError(<conn>, 'Connection to slb.aliyuncs.com "
            f"timed out. (connect timeout=3)'))"
        ),
        Kind.UNAVAILABLE,
        "no connection within 3 s",
    ),
    (
        transport.ReadTimeout(
            f"HTTPSConnectionPool(host='slb.aliyuncs.com', port=443): Read timed out. "
            f"(read timeout=10) {URL}"
        ),
        Kind.LOST,
        "no answer within 10 s",
    ),
    (
        transport.ConnectionError(f"('Connection aborted.', ConnectionResetError(104)) {URL}"),
        Kind.LOST,
        "closed before the answer came",
    ),
    (
        transport.ConnectionError(f"{URL} [Errno -3] Temporary failure in name resolution"),
        Kind.UNAVAILABLE,
        "name cannot be resolved",
    ),
    (
        transport.ConnectionError(f"{URL} [Errno 101] Network is unreachable"),
        Kind.UNAVAILABLE,
        "cannot be reached",
    ),
    (
        transport.SSLError(f"hostname 'a.example' doesn't match 'slb.aliyuncs.com' {URL}"),
        Kind.UNAVAILABLE,
        "another name",
    ),
    (transport.ChunkedEncodingError(f"IncompleteRead(3 bytes read) {URL}"), Kind.LOST, "cut short"),
    (transport.InvalidURL(f"odd {URL}"), Kind.LOST, "failed"),
]


@pytest.mark.parametrize(("raised", "kind", "said"), FAILURES, ids=lambda one: str(one)[:12])
def test_a_transport_that_fails_says_whether_the_call_may_have_been_made(
    answers: Answers, raised: Exception, kind: Kind, said: str
):
    answers.answer = raised
    error = failing(connect())
    assert error.kind is kind
    assert said in str(error)
    assert error.status is None
    assert len(answers.sent) == 1


def test_a_connection_that_is_closed_without_an_answer_is_a_lost_call(hostile):
    server = hostile(lambda connection: connection.recv(65536) and None)
    error = failing(connect(endpoints={"slb": f"http://127.0.0.1:{server.port}"}))
    assert error.kind is Kind.LOST
    assert "closed before the answer came" in str(error)
    assert server.connections == 1


def test_an_answer_that_never_comes_is_a_lost_call(hostile, monkeypatch):
    monkeypatch.setattr(cloud_module, "READ_TIMEOUT_SECONDS", 0.05)
    end = threading.Event()
    server = hostile(lambda _: end.wait(10) and None)
    error = failing(connect(endpoints={"slb": f"http://127.0.0.1:{server.port}"}))
    end.set()
    assert error.kind is Kind.LOST


def test_a_port_that_refuses_is_no_lost_call(hostile):
    server = hostile(lambda _: None)
    server.close()
    error = failing(connect(endpoints={"slb": f"http://127.0.0.1:{server.port}"}))
    assert error.kind is Kind.UNAVAILABLE
    assert "refuses connections" in str(error)


# The SDK's old urllib3 asks `ssl` for things that Python has deprecated.
old_tls = pytest.mark.filterwarnings("ignore::DeprecationWarning:aliyunsdkcore")


@old_tls
def test_tls_names_the_server_it_wants(hostile, monkeypatch):
    """Without SNI (the SDK on Python 3.12) a host that has several certificates shows the wrong."""
    monkeypatch.setattr(ssl_, "HAS_SNI", False)
    hello: list[bytes] = []
    server = hostile(lambda connection: hello.append(connection.recv(65536)))
    monkeypatch.setattr(socket, "getaddrinfo", _loopback(server.port))
    error = failing(connect(endpoints={"slb": f"https://slb.example.com:{server.port}"}))
    assert error.kind is not Kind.DENIED
    assert hello[0][0] == 0x16  # a TLS handshake, nothing in the clear
    assert b"slb.example.com" in hello[0]
    assert ACCESS_KEY.encode() not in hello[0]


def _loopback(port: int):
    def getaddrinfo(host, asked, *args, **kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    return getaddrinfo


@old_tls
def test_a_certificate_that_nobody_vouches_for_is_refused(hostile, tmp_path: Path):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path))
    got: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as tls:
                got.append(tls.recv(65536))
        except OSError:
            pass

    server = hostile(serve)
    error = failing(connect(endpoints={"slb": f"https://127.0.0.1:{server.port}"}))
    assert error.kind is Kind.UNAVAILABLE
    assert "not trusted" in str(error)
    assert got in ([], [b""])


def _self_signed(folder: Path) -> Path:
    file = folder / "both.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-keyout", str(file), "-out", str(folder / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    file.write_text(file.read_text() + (folder / "cert.pem").read_text())
    return file
