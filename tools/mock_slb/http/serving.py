"""Werkzeug's server with two things it lacks: connections that are kept, and ones that are cut."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from socketserver import BaseServer
from typing import TYPE_CHECKING, Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

from mock_slb.http.bodies import BodyError, read_body
from mock_slb.http.wire import AnswerCutError, ConnectionCutError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HANDSHAKE_TIMEOUT_SECONDS = 10.0
BACKLOG = 128


class Handler(WSGIRequestHandler):
    """Werkzeug's handler closes every connection; real endpoints, and their clients, keep them.

    To be able to, the body of a request is read to its end before the next request line.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body go out in two writes
    server: HttpServer

    def handle(self) -> None:
        """Serve the connection until its end; one that its client ends is no event.

        Werkzeug knows that of all connections but those of TLS.
        """
        with contextlib.suppress(ssl.SSLError):
            super().handle()

    def run_wsgi(self) -> None:
        """One request; called in a loop for as long as the client keeps the connection."""
        environ = self.make_environ()
        try:
            content = read_body(
                self.rfile,
                self.headers.get_all("Content-Length", []),
                self.headers.get_all("Transfer-Encoding", []),
            )
        except BodyError as error:
            self._refuse(error)
            return
        # As if it had come in one piece, however it did.
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(len(content))
        environ["wsgi.input"] = io.BytesIO(content)
        try:
            body, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        except AnswerCutError as cut:
            self._cut(cut)
            return
        except ConnectionCutError:
            self._reset()
            return
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"".join(body))
        self.server.run_afterwards()

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing per request: there is the log of calls."""

    def _refuse(self, error: BodyError) -> None:
        self.close_connection = True  # what follows is not a request line
        text = f"{error.why}\n".encode()
        self.send_response(error.status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)

    def _cut(self, cut: AnswerCutError) -> None:
        self.close_connection = True
        self.send_response(cut.answer.status)
        self.send_header("Content-Type", cut.answer.content_type)
        self.send_header("Content-Length", str(len(cut.answer.body)))
        self.end_headers()
        self.wfile.write(cut.sent)

    def _reset(self) -> None:
        self.close_connection = True
        # Without lingering, closing sends RST; closing the descriptor itself, since the
        # handler's files would keep the socket open.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())


class HttpServer(ThreadedWSGIServer):
    """A thread for each connection. Raises OSError where the address is taken."""

    daemon_threads = True

    def __init__(
        self, host: str, port: int, app: WSGIApplication, tls: ssl.SSLContext | None = None
    ) -> None:
        # Bound here, because Werkzeug ends the process where the address is taken.
        with _listening(host, port) as bound:
            super().__init__(host, port, app, handler=Handler, fd=bound.fileno())
        self.tls = tls
        """May be replaced at any time; connections that are open keep theirs."""
        self._afterwards: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()

    def afterwards(self, what: Callable[[], None]) -> None:
        """Do this once the request under way has been answered."""
        with self._lock:
            self._afterwards = what

    def run_afterwards(self) -> None:
        """A request has been answered."""
        with self._lock:
            what, self._afterwards = self._afterwards, None
        if what is not None:
            what()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection in, before its thread starts, so that none is missed at the end."""
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection; called in its own thread, so that no slow handshake delays others."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(HANDSHAKE_TIMEOUT_SECONDS)
        try:
            secured = self.tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        except OSError:
            return  # a client that went away
        with self._lock:  # before the handshake, so that it can be cut, too
            self._connections.add(secured)
        try:
            try:
                secured.do_handshake()
            except OSError:
                return  # one that does not trust us, or speaks no TLS
            secured.settimeout(None)
            super().finish_request(secured, client_address)
        finally:
            self.shutdown_request(secured)

    def shutdown_request(self, request: Any) -> None:
        """A connection has ended."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Serve until `shutdown`; Werkzeug's own would close the socket at its end."""
        BaseServer.serve_forever(self, poll_interval)

    def stop_listening(self) -> None:
        """Refuse connections, and keep the port, so that nobody else can take it meanwhile."""
        # First, for with it set another socket that has it set, too, could be bound there.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        self.socket.shutdown(socket.SHUT_RDWR)  # on Linux it stays bound

    def listen_again(self) -> None:
        """Take connections again after `stop_listening`."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.listen(BACKLOG)

    def cut_connections(self) -> None:
        """End the connections that clients keep open."""
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):  # the client was faster
                    connection.shutdown(socket.SHUT_RDWR)


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens on a port, or for 0 on a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as chosen:
        if port == 0:
            # Only a socket that was bound to a port by its number keeps it in `stop_listening`.
            chosen.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            chosen.bind((host, 0))
            port = chosen.getsockname()[1]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
