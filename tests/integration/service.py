"""The service that the VM is there for: HTTP on loopback, healthy or not as a test says."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HEALTH_PATH = "/health"


class Service(ThreadingHTTPServer):
    """Answers /health with 200 or 503 and writes down when; any connection may be kept open."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.healthy = True
        self.failures: list[float] = []
        """When it answered 503, in seconds since the epoch."""

    @property
    def port(self) -> int:
        return self.server_port

    @contextlib.contextmanager
    def clients(self, number: int) -> Iterator[list[socket.socket]]:
        """Clients that stay connected until the end of the block, or until a test closes them."""
        with contextlib.ExitStack() as stack:
            address = ("127.0.0.1", self.port)
            yield [stack.enter_context(socket.create_connection(address)) for _ in range(number)]


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        ok = self.path == HEALTH_PATH and self.server.healthy
        if not ok:
            self.server.failures.append(time.time())
        self.send_response(200 if ok else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 - the name is the base class's

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def serving() -> Iterator[Service]:
    with Service() as service:
        thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield service
        finally:
            service.shutdown()
            thread.join()
