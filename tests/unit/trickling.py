"""Servers that send, or take, one piece every now and then, and who they keep waiting."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

Serve = Callable[[socket.socket], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
WHOLE = OK + b"Content-Length: 2\r\n\r\n{}"
PIECES = 1500
"""That a server sends before it gives in and answers as it should: thirty seconds of them."""

TRICKLES: dict[str, tuple[bytes, bytes]] = {
    "a status line": (b"HTTP/1.1 200 ", b"O"),
    "a header": (OK + b"X: ", b"x"),
    "headers": (OK, b"X: y\r\n"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "an interim answer's headers": (b"HTTP/1.1 100 Continue\r\n", b"X: y\r\n"),
    "a body with a length": (OK + b"Content-Length: 100000\r\n\r\n", b" "),
    "a body without a length": (OK + b"\r\n", b" "),
    "chunks": (CHUNKED, b"1\r\n \r\n"),
    "one chunk": (CHUNKED + b"fffff\r\n", b" "),
    "the length of a chunk": (CHUNKED, b"0"),
    "an extension of a chunk": (CHUNKED + b"2;x=", b"x"),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n"),
    "one trailer": (CHUNKED + b"2\r\n{}\r\n0\r\nX: ", b"y"),
}


class Server:
    """Serves connection after connection, each in a thread, until it is closed."""

    def __init__(self, serve: Serve, tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self.closed = threading.Event()
        self._serve = serve
        self._tls = tls
        self._open: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # of its connections
        self.port = self._socket.getsockname()[1]
        self._threads = [threading.Thread(target=self._run)]
        self._threads[0].start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._answer, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            self._open.append(connection)
            try:
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                self._serve(connection)
            except OSError:
                pass  # it was hung up on
            connection.close()

    def trickle(self, connection: socket.socket, pieces: Iterator[bytes]) -> None:
        """One piece every now and then, then a proper answer."""
        for piece in itertools.islice(pieces, PIECES):
            connection.sendall(piece)
            if self.closed.wait(0.02):
                return
        connection.sendall(WHOLE)

    def close(self) -> None:
        self.closed.set()
        with contextlib.suppress(OSError):  # closed before
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()


def trickled_until_closed(client: socket.socket) -> bool:
    """Send a byte every hundredth of a second; whether the other side ends it within ten seconds.

    Sets the timeout of `client`.
    """
    client.settimeout(0.01)
    for _ in range(1000):
        try:
            client.sendall(b"x")
            if client.recv(1) == b"":
                return True
        except TimeoutError:
            continue
        except ConnectionError:
            return True
    return False
