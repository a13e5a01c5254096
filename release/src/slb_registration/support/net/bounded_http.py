"""Connections and HTTP requests that end in time, whatever the other side does.

A socket's own timeout starts again with each byte, so a server that trickles could hold its caller
for ever; here one deadline covers name look-up, connection, TLS, request and answer. No proxies, no
redirects, no ~/.netrc, and no more of a body than asked for. http.client reads to the end where a
chunk's length is negative, so what comes over the wire is counted there.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from slb_registration.support.net.dialing import connected
from slb_registration.support.net.exhaustion import is_exhausted
from slb_registration.support.net.receiving import CountedReader, Deadline

HEAD_LIMIT = 1 << 20
"""Bytes for status, headers and what frames a body in chunks."""


class NoAnswerError(Exception):
    """There was no usable answer: refused, too late, cut off or not HTTP. str() says which.

    `exhausted`: why nobody could even be asked, None where somebody was.
    """

    def __init__(self, reason: str, *, exhausted: OSError | None = None) -> None:
        super().__init__(reason)
        self.exhausted = exhausted


@dataclass(frozen=True)
class Answer:
    """The answer that came back; whole is false where the body was too long, late or cut off."""

    status: int
    body: bytes
    whole: bool


def reach(host: str, port: int, *, tls: ssl.SSLContext | None, timeout_seconds: float) -> None:
    """Connect, with the TLS handshake if there is a context, and close. Raises NoAnswerError."""
    with _reasons(timeout_seconds), _connection(host, port, tls, Deadline(timeout_seconds)):
        pass


def exchange(
    method: str,
    host: str,
    port: int,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    timeout_seconds: float,
    body_limit: int = 65536,
) -> Answer:
    """Send a request without a body and return the answer, which may be a redirect.

    Raises NoAnswerError if status and headers did not come within the timeout; a body that does not
    come as a whole is told by Answer.whole. At most body_limit bytes of it are kept.
    """
    deadline = Deadline(timeout_seconds)
    with _reasons(timeout_seconds), _connection(host, port, tls, deadline) as sock:
        connection = http.client.HTTPConnection(host, port)
        connection.sock = cast("socket.socket", _Wire(sock, deadline, body_limit + HEAD_LIMIT))
        return _answer(connection, method, path, headers or {}, body_limit)


def _answer(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body_limit: int,
) -> Answer:
    connection.request(method, path, headers={"Connection": "close", **headers})
    with connection.getresponse() as response:
        body, whole = _body(response, body_limit)
        return Answer(response.status, body, whole)


class _Wire:
    """The part of a socket that http.client uses, with the deadline before every read and write."""

    def __init__(self, sock: socket.socket, deadline: Deadline, limit: int) -> None:
        self._sock = sock
        self._deadline = deadline
        self._limit = limit

    def makefile(self, *_: object) -> io.BufferedReader:
        left = self._deadline.left
        return io.BufferedReader(CountedReader(self._sock, self._sock.recv_into, left, self._limit))

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(data)

    def close(self) -> None:
        """Nothing: who made the socket closes it."""


@contextlib.contextmanager
def _connection(
    host: str, port: int, tls: ssl.SSLContext | None, deadline: Deadline
) -> Iterator[socket.socket]:
    sock = connected(host, port, deadline)
    try:
        if tls is not None:
            sock.settimeout(deadline.left())  # OpenSSL's handshake keeps to it as a whole
            sock = tls.wrap_socket(sock, server_hostname=host)
        yield sock
    finally:
        sock.close()


def _body(response: http.client.HTTPResponse, limit: int) -> tuple[bytes, bool]:
    try:
        body = response.read(limit + 1)
    # ValueError: a length of a chunk that is none
    except (OSError, http.client.HTTPException, ValueError):
        return b"", False
    return body[:limit], len(body) <= limit and not response.length


@contextlib.contextmanager
def _reasons(timeout_seconds: float) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise NoAnswerError(f"no answer within {timeout_seconds:g} s") from None
    except ssl.SSLError as error:
        raise NoAnswerError(f"TLS failed: {error.reason or error}") from None
    except http.client.RemoteDisconnected:
        raise NoAnswerError("closed the connection without an answer") from None
    except ConnectionRefusedError:
        raise NoAnswerError("connection refused") from None
    except OSError as error:
        exhausted = error if is_exhausted(error) else None
        raise NoAnswerError(error.strerror or str(error), exhausted=exhausted) from None
    except http.client.HTTPException:
        raise NoAnswerError("the answer is not HTTP") from None
