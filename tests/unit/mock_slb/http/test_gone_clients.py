"""Clients that go away before they are answered: agents that are killed do."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from tests.waiting import DEADLINE_SECONDS

from mock_slb.http.serving import HttpServer
from mock_slb.http.tls import Authority


def leave(connection: socket.socket) -> None:
    """Close it, without a goodbye of TLS."""
    connection.close()


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def garble(connection: socket.socket) -> None:
    """Send, as plain bytes, what is no record of TLS and no request."""
    with socket.socket(fileno=connection.detach()) as plain:
        plain.sendall(b"\r\n\x00\xff\r\n\r\n")


class Watched(HttpServer):
    """Tells when the thread of its connection has ended."""

    def __init__(self, *arguments: Any) -> None:
        self.ended = threading.Event()
        super().__init__(*arguments)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        super().process_request_thread(request, client_address)
        self.ended.set()


@pytest.mark.parametrize("secured", [False, True])
@pytest.mark.parametrize("go", [leave, reset, garble])
@pytest.mark.parametrize("asked", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"])
def test_one_that_goes_away_is_no_event(
    asked: bytes,
    go: Callable[[socket.socket], None],
    secured: bool,
    capfd: pytest.CaptureFixture[str],
) -> None:
    gone = threading.Event()

    def app(environ: object, start_response: Callable[..., object]) -> Iterable[bytes]:
        gone.wait()
        start_response("200 OK", [("content-length", "4000000")])
        return [bytes(4_000_000)]

    authority = Authority()
    server = Watched("127.0.0.1", 0, app, authority.server("127.0.0.1") if secured else None)
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    try:
        connection = socket.create_connection(server.server_address[:2])
        if secured:
            trusting = ssl.create_default_context(cadata=authority.pem.decode())
            connection = trusting.wrap_socket(connection, server_hostname="127.0.0.1")
        connection.sendall(asked)
        go(connection)
        gone.set()
        assert server.ended.wait(DEADLINE_SECONDS)
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
    assert capfd.readouterr() == ("", "")
