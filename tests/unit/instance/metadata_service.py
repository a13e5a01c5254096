"""A metadata service on loopback that answers as a test says, and notes what it was asked."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ME = "i-bp67acfmxazb4ph0001"
TOKEN_HEADER = "X-aliyun-ecs-metadata-token"
TTL_HEADER = "X-aliyun-ecs-metadata-token-ttl-seconds"

Reply = tuple[int, bytes] | Callable[[BaseHTTPRequestHandler], None]


class Service:
    """A metadata service whose answers a test can replace; it notes what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str | None]] = []
        self.headers: list[dict[str, str]] = []
        self.token: Reply = (200, b"token-1")
        self.tokens_taken = {"token-1"}
        self.plain_allowed = False
        self.data: dict[str, Reply] = {
            "instance-id": (200, ME.encode()),
            "region-id": (200, b"cn-hangzhou"),
        }

    def reply(self, handler: BaseHTTPRequestHandler) -> Reply:
        token = handler.headers.get(TOKEN_HEADER)
        self.calls.append((handler.command, handler.path, token))
        self.headers.append(dict(handler.headers))
        if handler.command == "PUT" and handler.path == "/latest/api/token":
            return self.token
        if token not in self.tokens_taken and not (token is None and self.plain_allowed):
            return (403, b"<html>Forbidden</html>")
        return self.data.get(handler.path.removeprefix("/latest/meta-data/"), (404, b"Not Found"))

    def methods(self) -> list[str]:
        return [method for method, _, _ in self.calls]


class Server(ThreadingHTTPServer):
    service: Service
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that went away is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        reply = self.server.service.reply(self)
        if callable(reply):
            reply(self)
            return
        status, body = reply
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/latest/meta-data/region-id")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def running(server: Server, service: Service) -> Iterator[None]:
    """Let the server answer as the service says until the block ends."""
    with server:
        server.service = service
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join(timeout=5)


def raw(data: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(data)
        handler.close_connection = True

    return reply


def trickle(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    pause = threading.Event()
    while not pause.wait(0.01):
        handler.wfile.write(b"i")


def hang(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.settimeout(5)
    handler.rfile.read(1)
