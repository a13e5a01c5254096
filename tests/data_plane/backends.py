"""Servers for load balancers to send to: each tells who it is, over TCP or HTTP."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler

import pytest

from mock_slb.data_plane.haproxy import DataPlaneError, find

TIMEOUT_SECONDS = 20


def _why_without_haproxy() -> str:
    try:
        find()
    except DataPlaneError as error:
        return str(error)
    return ""


NEEDS_HAPROXY = pytest.mark.skipif(bool(_why_without_haproxy()), reason=_why_without_haproxy())


class _Lines(socketserver.StreamRequestHandler):
    """Answers each line with the server's name."""

    server: Backend

    def handle(self) -> None:
        for _ in self.rfile:
            self.wfile.write(f"{self.server.name}\n".encode())


class _Http(BaseHTTPRequestHandler):
    """Answers with the server's name; /wait waits until `go_on`, /half in its middle."""

    protocol_version = "HTTP/1.1"
    server: Backend

    def do_GET(self) -> None:
        if self.path == "/wait":
            self._wait()
        self.server.clients.add(self.client_address[0])
        name = self.server.name.encode()
        body = 2 * name if self.path == "/half" else name
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the client was cut off
            self.wfile.write(name)
            if self.path == "/half":
                self._wait()
                self.wfile.write(name)

    def _wait(self) -> None:
        self.server.reached.set()
        self.server.go_on.wait(TIMEOUT_SECONDS)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class Backend(socketserver.ThreadingTCPServer):
    """A server on a free port of loopback."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, name: str, *, http: bool, host: str = "127.0.0.1") -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, 0), _Http if http else _Lines)
        self.name = name
        self.port = self.server_address[1]
        self.clients: set[str] = set()
        """The addresses that requests came from."""
        self.reached, self.go_on = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that was cut is not news."""

    def close(self) -> None:
        """Refuse connections from now on."""
        self.go_on.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class Line:
    """A client's connection over which it asks who is there."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=TIMEOUT_SECONDS)
        self._file = self._socket.makefile("rb")

    def ask(self) -> str | None:
        """The server's name; None where the connection ends without an answer."""
        try:
            self._socket.sendall(b"who?\n")
            return self._file.readline().decode().strip() or None
        except OSError:
            return None

    def ends(self) -> bool:
        """Wait for the end of the connection."""
        try:
            return self._file.read(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class Asking:
    """A request that is under way, in a thread of its own."""

    def __init__(self, address: tuple[str, int], path: str) -> None:
        self._address, self._path = address, path
        self._result: tuple[int, str] | Exception | None = None
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def result(self) -> tuple[int, str]:
        """Status and body. Raises what the client did."""
        self._thread.join(TIMEOUT_SECONDS)
        if isinstance(self._result, Exception):
            raise self._result
        assert self._result is not None
        return self._result

    def _ask(self) -> None:
        try:
            self._result = get(self._address, self._path)
        except (OSError, HTTPException) as error:
            self._result = error


def get(address: tuple[str, int], path: str = "/") -> tuple[int, str]:
    """Status and body of one request on a connection of its own."""
    with contextlib.closing(HTTPConnection(*address, timeout=TIMEOUT_SECONDS)) as connection:
        return ask(connection, path)


def ask(connection: HTTPConnection, path: str = "/") -> tuple[int, str]:
    """Status and body of one request on this connection."""
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


@contextlib.contextmanager
def backends(*names: str, http: bool, host: str = "127.0.0.1") -> Iterator[dict[str, Backend]]:
    """Running servers by their names."""
    made = {name: Backend(name, http=http, host=host) for name in names}
    try:
        yield made
    finally:
        for one in made.values():
            one.close()
