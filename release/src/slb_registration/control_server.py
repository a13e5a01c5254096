"""The agent's end of its Unix socket: liveness, status, metrics, and orders.

HTTP/1.0, as BOSH's monit 5.2.5 asks in it. Only root and the agent's own user may connect. An
order (drain, hold, resume) is also written to a marker file by the command that gives it, so that
it outlives the process that took it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socketserver
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Protocol

from slb_registration.metrics import CONTENT_TYPE
from slb_registration.orders import Order

REQUEST_TIMEOUT_SECONDS = 5.0
SOCKET_PATH_LIMIT = 107
"""Of sun_path on Linux, unix(7), without the final NUL."""

_ORDERS = {f"/{order.value}": order for order in Order}


class Subject(Protocol):
    """Whom the socket speaks for."""

    def alive(self) -> str | None:
        """None, or what hangs."""
        ...

    def document(self) -> dict[str, Any]:
        """The status."""
        ...

    def metrics(self) -> str:
        """The metrics page."""
        ...

    def order(self, order: Order) -> None:
        """Take an order and act on it now."""
        ...


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    server_version = "slb-registration"
    sys_version = ""
    timeout = REQUEST_TIMEOUT_SECONDS
    subject: Subject
    routes: frozenset[str]

    def do_GET(self) -> None:
        """Answer monit, the command line and Prometheus."""
        if self.path not in self.routes or self.path in _ORDERS:
            self._answer(404, "text/plain", "not found\n")
        elif self.path == "/healthz":
            hanging = self.subject.alive()
            self._answer(503 if hanging else 200, "text/plain", (hanging or "ok") + "\n")
        elif self.path == "/status":
            text = json.dumps(self.subject.document(), indent=1) + "\n"
            self._answer(200, "application/json", text)
        else:
            self._answer(200, CONTENT_TYPE, self.subject.metrics())

    do_HEAD = do_GET  # noqa: N815 - the name is http.server's

    def do_POST(self) -> None:
        """Take an order."""
        if self.path not in self.routes or self.path not in _ORDERS:
            self._answer(404, "text/plain", "not found\n")
            return
        self.subject.order(_ORDERS[self.path])
        self._answer(200, "text/plain", "ok\n")

    def _answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: monit asks every few seconds."""

    def address_string(self) -> str:
        """A peer on a Unix socket has no address."""
        return "local"


class _Threading(socketserver.ThreadingMixIn, socketserver.BaseServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away before its answer is no event; any other error is a mistake."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _UnixServer(_Threading, socketserver.UnixStreamServer):
    pass


class _TcpServer(_Threading, socketserver.TCPServer):
    allow_reuse_address = True


@contextlib.contextmanager
def serving(path: Path, subject: Subject) -> Iterator[None]:
    """Serve the Unix socket at `path`, replacing one that an earlier process left.

    Raises OSError. The caller holds the lock that makes it the only agent.
    """
    if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
        raise OSError(errno.ENAMETOOLONG, "the path is too long for a Unix socket", str(path))
    path.unlink(missing_ok=True)
    routes = frozenset({"/healthz", "/status", "/metrics", *_ORDERS})
    before = os.umask(0o177)
    try:
        server = _UnixServer(str(path), _handler(subject, routes))
    finally:
        os.umask(before)
    try:
        with _running(server):
            yield
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def serving_metrics(port: int | None, subject: Subject) -> Iterator[None]:
    """Serve /metrics on 127.0.0.1 (None: not at all). Raises OSError."""
    if port is None:
        yield
        return
    try:
        server = _TcpServer(("127.0.0.1", port), _handler(subject, frozenset({"/metrics"})))
    except OSError as error:
        place = f"metrics.port: cannot listen on 127.0.0.1:{port}"
        raise OSError(error.errno, error.strerror, place) from None
    with _running(server):
        yield


@contextlib.contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(
        target=lambda: server.serve_forever(poll_interval=0.5), name="control", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _handler(of: Subject, paths: frozenset[str]) -> type[_Handler]:
    class Handler(_Handler):
        subject = of
        routes = paths

    return Handler
