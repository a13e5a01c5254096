"""The service that the demo's VM is there for: HTTP on loopback, with a health that can be set."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

HEALTH_PATH = "/health"


class Service(ThreadingHTTPServer):
    """Answers /health with 200 or 503, / with its name, and everything else with 404.

    As a service that is about to stop does, it goes on answering while it says that it is not
    healthy.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name = name
        self.healthy = True

    def answered(self, status: HTTPStatus) -> None:
        """Take note of an answer that is about to be given; here, of none."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes before it has its answer is no news; anything else is."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Refuse connections from now on. Harmless when repeated."""
        self.shutdown()
        self.server_close()

    @property
    def port(self) -> int:
        """The port that it has taken."""
        return self.server_port


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        if self.path == "/":
            self._answer(HTTPStatus.OK, self.server.name.encode())
            return
        if self.path != HEALTH_PATH:
            status = HTTPStatus.NOT_FOUND
        elif self.server.healthy:
            status = HTTPStatus.OK
        else:
            status = HTTPStatus.SERVICE_UNAVAILABLE
        self._answer(status)

    def do_PUT(self) -> None:
        """For a person with curl: PUT /health?status=503, or 200."""
        path, _, query = self.path.partition("?")
        wishes = {"status=200": True, "status=503": False}
        if path == HEALTH_PATH and query in wishes:
            self.server.healthy = wishes[query]
            self._answer(HTTPStatus.OK)
        else:
            self._answer(HTTPStatus.BAD_REQUEST)

    do_HEAD = do_GET  # noqa: N815 - the name is the base class's

    def _answer(self, status: HTTPStatus, body: bytes = b"") -> None:
        self.server.answered(status)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not news here."""


S = TypeVar("S", bound=Service)


def serving(name: str = "") -> AbstractContextManager[Service]:
    """Serve on a free port until the end of the block."""
    return served(Service(name))


@contextmanager
def served(service: S) -> Iterator[S]:
    """Let this one serve until the end of the block."""
    with service:
        thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield service
        finally:
            service.stop()
            thread.join()
