"""An HTTP/1.0 server for a handful of clients, none of whom can wear it out.

http.server waits for each byte anew, takes megabytes of headers, carries out a request that was cut
off, and starts a thread for whoever connects. Here a request has a few seconds and kilobytes as a
whole, and of too many connections the oldest of whoever has most gives way: who asks properly is
done long before.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import socket
import socketserver
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from slb_registration.support.net.exhaustion import is_exhausted
from slb_registration.support.net.receiving import Deadline, pieces
from slb_registration.support.threads import NoThreadError, spawn

CONNECTIONS_AT_MOST = 32
CLIENT_TIMEOUT_SECONDS = 5.0
"""For a request to come in, and again for its answer to be taken."""

HEAD_LIMIT = 8192
"""Bytes of a request line and its headers. Ours are a hundred, a scraper's a few hundred."""

DISCARD_LIMIT = 1 << 20
"""Bytes of a refused request that are taken so that its sender sees the refusal."""

_PEER = struct.Struct("3i")
"""struct ucred: pid, uid and gid, unix(7)."""

_END = re.compile(rb"\r?\n\r?\n")
_HAS_BODY = re.compile(
    rb"^(transfer-encoding[ \t]*:|content-length[ \t]*:(?![ \t]*0[ \t]*\r?$))", re.I | re.M
)


class LocalHandler(BaseHTTPRequestHandler):
    """Answers one request without a body, or refuses it."""

    protocol_version = default_request_version = "HTTP/1.0"
    sys_version = ""
    timeout = CLIENT_TIMEOUT_SECONDS

    def handle_one_request(self) -> None:
        """Take the head of the request in as a whole before any of it counts."""
        deadline = Deadline(self.timeout)
        try:
            head = self._head(deadline)
        except TimeoutError:
            return  # as http.server does
        found = _END.search(head)
        if found is None:
            if len(head) >= HEAD_LIMIT:
                line_ends = b"\n" in head
                self._refuse(
                    "431 Request Header Fields Too Large" if line_ends else "414 URI Too Long"
                )
                self._discard(deadline)
            elif head:
                self._refuse("400 Bad Request")
        elif _HAS_BODY.search(head, 0, found.end()):
            self._refuse("413 Content Too Large")
            self._discard(deadline)
        else:
            self.rfile = io.BufferedReader(io.BytesIO(head[: found.end()]))
            self.connection.settimeout(self.timeout)
            super().handle_one_request()

    def _head(self, deadline: Deadline) -> bytes:
        """Return what came until an empty line, the end, or the limit. Raises TimeoutError."""
        head = b""
        for piece in pieces(self.connection, HEAD_LIMIT, deadline):
            head += piece
            if _END.search(head):
                break
        return head

    def _discard(self, deadline: Deadline) -> None:
        """Take what still comes: a connection closed before that is reset, with our answer."""
        self.connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(TimeoutError):
            for _ in pieces(self.connection, DISCARD_LIMIT, deadline):
                pass

    def _refuse(self, status: str) -> None:
        self.wfile.write(f"HTTP/1.0 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    def answer(self, status: int, kind: str, text: str) -> None:
        """Send a whole answer."""
        body = text.encode(errors="backslashreplace")
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


class _Bounded(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """A thread for each connection, and never more than there may be."""

    block_on_close = False
    request_queue_size = 4 * CONNECTIONS_AT_MOST

    def __init__(self, *arguments: Any) -> None:
        self._lock = threading.Lock()
        self._open: dict[socket.socket, str] = {}  # whose it is, the oldest first
        self._ending: set[socket.socket] = set()
        self.exhausted: OSError | None = None
        """Why a connection could not be taken in, though one waits."""
        self.on_mistake: Callable[[BaseException], None] = lambda _: None
        super().__init__(*arguments)

    def get_request(self) -> Any:
        """Take the next connection from the kernel. Raises OSError, which BaseServer ignores."""
        try:
            return super().get_request()
        except OSError as error:
            self.exhausted = error if is_exhausted(error) else None
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection in; of too many one is ended, whose thread then ends, too.

        It is the oldest of whoever has most. While as many again have not ended yet (the agent
        itself hangs), none is taken in.
        """
        with self._lock:
            full = len(self._ending) >= CONNECTIONS_AT_MOST
            if not full:
                self._make_room()
                self._open[request] = client_address[0] if client_address else ""
        if full:
            super().shutdown_request(request)
            return
        try:
            spawn("request", self.process_request_thread, request, client_address)
        except NoThreadError:  # who asks whether we live must hear it now of all times
            self.process_request_thread(request, client_address)

    def _make_room(self) -> None:
        if len(self._open) >= CONNECTIONS_AT_MOST:
            ((most, _),) = Counter(self._open.values()).most_common(1)
            oldest = next(request for request, peer in self._open.items() if peer == most)
            del self._open[oldest]
            self._ending.add(oldest)
            with contextlib.suppress(OSError):  # it has just gone by itself
                self.end(oldest)

    def end(self, connection: socket.socket) -> None:
        """End a connection, with whatever its thread waits for. Raises OSError."""
        connection.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        """A connection has ended."""
        with self._lock:
            self._open.pop(request, None)
            self._ending.discard(request)
        super().shutdown_request(request)

    def handle_error(self, *_: object) -> None:
        """A client that goes away before its answer is no event; any other error is a mistake."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, (ConnectionError, TimeoutError)):
            self.on_mistake(error)


class UnixServer(_Bounded, socketserver.UnixStreamServer):
    """For root and the agent's own user, whatever became of the modes of socket and folder."""

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Ask the kernel who has connected."""
        del client_address
        peer = request.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        return may_ask(_PEER.unpack(peer)[1])


class TcpServer(_Bounded, socketserver.TCPServer):
    """On a port of an address of this machine."""

    allow_reuse_address = True

    def __init__(
        self, address: tuple[str, int], handler: type[socketserver.BaseRequestHandler]
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Take the port; :: is every address, those of IPv4, too."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def may_ask(uid: int) -> bool:
    """Return whether a process of this user may look and give orders."""
    return uid in (0, os.geteuid())
