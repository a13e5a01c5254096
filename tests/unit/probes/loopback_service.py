"""A service on loopback that does with each connection what a test says: answer, trickle, hang."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Service:
    """A service on loopback that does with each connection what the test says."""

    def __init__(self, listening: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        self.host, self.port = listening.getsockname()[:2]
        self._listening = listening
        self._serve = serve
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            connection.settimeout(5)
            with connection, contextlib.suppress(OSError):
                self._serve(connection)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(timeout=5)
        assert not self._thread.is_alive()


def answering(data: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(data)

    return serve


def trickling(data: bytes, then: bytes) -> Callable[[socket.socket], None]:
    """Sends the data at once and then a byte now and then, until the client gives up."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(data)
        pause = threading.Event()
        while not pause.wait(0.01):
            connection.sendall(then)

    return serve


def trickling_nothing(data: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(data)
        hanging(connection)

    return serve


def hanging(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def with_tls(certificate: Path, serve: Callable[[socket.socket], None]):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve_tls(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            serve(wrapped)

    return serve_tls
