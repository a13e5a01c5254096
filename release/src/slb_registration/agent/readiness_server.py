"""Answers the health checks of load balancers, over HTTP: 200 or 503, and nothing else.

An answer that does not come takes the VM out of rotation, so that nothing may stand between a check
and its answer: one thread serves all connections, waits for none of them, and asks nobody. Where
it cannot be had the main loop does so every now and then. Of too many connections, one of whoever
has most gives way.
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from email.utils import formatdate

from slb_registration.agent.readiness_address import listening, problem
from slb_registration.instance.last_answer import LastAnswer
from slb_registration.model.configuration import Readiness
from slb_registration.reporting.document import Document
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.net.exhaustion import is_exhausted
from slb_registration.support.supervision.supervisor import Supervisor

CONNECTIONS_AT_MOST = 256
ACCEPTED_AT_ONCE = 64
CLIENT_SECONDS = 10.0
"""For a request to come in. The load balancers' own checks wait 5 s for an answer by default."""

LINGER_SECONDS = 1.0
"""For a client to end its side after the answer."""

HEAD_LIMIT = 8192
POLL_SECONDS = 0.5
TURN_SECONDS = 30.0
RETRY_SECONDS = 1.0
"""From one try to listen to the next."""

CLOSING_SECONDS = 1.0

_END = re.compile(rb"\r?\n\r?\n")
_REQUEST = re.compile(rb"([A-Z]+) [!-~]+ HTTP/1\.[0-9]\r?\n")


class _Client:
    """One connection."""

    def __init__(self, connection: socket.socket, peer: str, until: float) -> None:
        self.connection = connection
        self.peer = peer
        self.until = until
        self.head = b""
        self.answered = False


class ReadinessServer:
    """Serves one address and port. All is done in `turn`, by one thread at a time."""

    def __init__(
        self,
        config: Readiness,
        status: Callable[[], int],
        log: EventLog,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`status`: the answer of now. Listening begins with the first turn, or `open`."""
        self.error: str | None = None
        """Why it does not listen, None where it does."""
        self.address = config.address
        self.port = config.port
        self._config = config
        self._status = status
        self._log = log
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._clients: dict[socket.socket, _Client] = {}  # the oldest first
        self._at_work = threading.Lock()

    def open(self) -> None:
        """Listen, if that can be."""
        try:
            self._listener = listening(self._config)
        except OSError as error:
            because = problem(self._config, error)
            if because != self.error:
                self._log.error("no health check is answered", because=because)
            self.error = because
            return
        self.address = self._listener.getsockname()[0]
        self._selector.register(self._listener, selectors.EVENT_READ)
        self.error = None
        self._log.info("answering health checks", address=self.address, port=self.port)

    def turn(self) -> float:
        """Serve whoever is there, or wait a moment for someone; the seconds until the next turn."""
        with self._at_work:
            return self._turn(POLL_SECONDS)

    def lend_a_hand(self) -> None:
        """Serve whoever is there, unless that is being done: no thread may have been had for it."""
        if self._at_work.acquire(blocking=False):
            try:
                for _ in ("accepted", "answered"):
                    self._turn(0.0)
            finally:
                self._at_work.release()

    def _turn(self, patience_seconds: float) -> float:
        if self._listener is None:
            self.open()
            return RETRY_SECONDS if self._listener is None else 0.0
        for key, _ in self._selector.select(patience_seconds):
            client = self._clients.get(key.fileobj)  # type: ignore[call-overload]
            if key.fileobj is self._listener:
                self._accept(self._listener)
            elif client is not None:
                self._take(client)
        now = self._clock()
        for client in [one for one in self._clients.values() if one.until <= now]:
            self._close(client)
        return 0.0

    def close(self) -> None:
        """End; the port is free once this returns."""
        for client in list(self._clients.values()):
            self._close(client)
        if self._listener is not None:
            self._listener.close()
        self._selector.close()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connection, peer = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if not is_exhausted(error):  # it has gone before it was accepted
                    continue
                if not self._clients:
                    raise
                self._make_room()
                return
            if len(self._clients) >= CONNECTIONS_AT_MOST:
                self._make_room()
            connection.setblocking(False)
            client = _Client(connection, peer[0], self._clock() + CLIENT_SECONDS)
            self._clients[connection] = client
            self._selector.register(connection, selectors.EVENT_READ)

    def _make_room(self) -> None:
        """End the oldest connection of whoever has most: a load balancer has a few."""
        ((peer, _),) = Counter(client.peer for client in self._clients.values()).most_common(1)
        self._close(next(client for client in self._clients.values() if client.peer == peer))

    def _take(self, client: _Client) -> None:
        """Take in what a client has sent; once that is a request, answer it."""
        try:
            data = client.connection.recv(HEAD_LIMIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(client)
        elif not client.answered:
            client.head += data
            if _END.search(client.head) or len(client.head) >= HEAD_LIMIT:
                self._answer(client)

    def _answer(self, client: _Client) -> None:
        try:
            # A few bytes, for which a new connection has room; what it still sends is discarded.
            client.connection.send(_answer(client.head, self._status()))
            client.connection.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(client)
            return
        client.answered, client.head = True, b""
        client.until = self._clock() + LINGER_SECONDS

    def _close(self, client: _Client) -> None:
        self._selector.unregister(client.connection)
        del self._clients[client.connection]
        client.connection.close()


def _answer(head: bytes, status: int) -> bytes:
    request = _REQUEST.match(head)
    if _END.search(head) is None:
        line = "431 Request Header Fields Too Large"
    elif request is None:
        line = "400 Bad Request"
    elif request[1] not in (b"GET", b"HEAD"):
        line = "405 Method Not Allowed\r\nAllow: GET, HEAD"
    else:
        line = "200 OK" if status == 200 else "503 Service Unavailable"
    fields = f"Date: {formatdate(usegmt=True)}\r\nContent-Length: 0\r\nConnection: close"
    return f"HTTP/1.1 {line}\r\n{fields}\r\n\r\n".encode()


@contextlib.contextmanager
def answering(
    config: Readiness, status: Callable[[], int], log: EventLog, supervisor: Supervisor
) -> Iterator[ReadinessServer]:
    """Answer at once, and until the very end: enter it first."""
    server = ReadinessServer(config, status, log)
    server.open()
    part = supervisor.start("readiness port", server.turn, turn_seconds=TURN_SECONDS)
    try:
        yield server
    finally:
        part.stop()
        part.join(CLOSING_SECONDS)
        server.close()


def readiness_document(server: ReadinessServer | None, last: LastAnswer | None) -> Document | None:
    """Return what health checks of load balancers are answered, None where they are not."""
    if server is None or last is None:
        return None
    word = last.now
    return {
        "address": server.address,
        "port": server.port,
        "answer": word.status,
        "because": word.because,
        "error": server.error,
    }
