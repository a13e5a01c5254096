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
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

HEAD_LIMIT = 1 << 20
"""Bytes for status, headers and what frames a body in chunks."""


class NoAnswerError(Exception):
    """There was no usable answer: refused, too late, cut off or not HTTP. str() says which."""


@dataclass(frozen=True)
class Answer:
    """What came back; whole is false where the body was too long, late or cut off."""

    status: int
    body: bytes
    whole: bool


def reach(host: str, port: int, *, tls: ssl.SSLContext | None, timeout_seconds: float) -> None:
    """Connect, with the TLS handshake if there is a context, and close. Raises NoAnswerError."""
    with _reasons(timeout_seconds), _connection(host, port, tls, _Deadline(timeout_seconds)):
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
    deadline = _Deadline(timeout_seconds)
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


class _Deadline:
    """A moment by which everything must be over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Wire(io.RawIOBase):
    """The part of a socket that http.client uses, with the deadline before every read.

    After `limit` bytes it is as if the other side had closed.
    """

    def __init__(self, sock: socket.socket, deadline: _Deadline, limit: int) -> None:
        self._sock = sock
        self._deadline = deadline
        self._left = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._deadline.left())
        received = self._sock.recv_into(buffer, min(len(buffer), self._left)) if self._left else 0
        self._left -= received
        return received

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(_Wire(self._sock, self._deadline, self._left))

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(data)


@contextlib.contextmanager
def _connection(
    host: str, port: int, tls: ssl.SSLContext | None, deadline: _Deadline
) -> Iterator[socket.socket]:
    sock = _connected(host, port, deadline)
    try:
        if tls is not None:
            sock.settimeout(deadline.left())  # OpenSSL's handshake keeps to it as a whole
            sock = tls.wrap_socket(sock, server_hostname=host)
        yield sock
    finally:
        sock.close()


def _connected(host: str, port: int, deadline: _Deadline) -> socket.socket:
    failure: OSError = ConnectionError(f"{host} has no address")
    for family, address in _addresses(host, port, deadline):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(deadline.left())
            sock.connect(address)
            # Where nobody listens on a port of the range for outgoing connections, Linux may
            # choose that very port for our end and connect us to ourselves.
            if sock.getsockname() == sock.getpeername():
                raise ConnectionRefusedError
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def _addresses(host: str, port: int, deadline: _Deadline) -> list[tuple[int, Any]]:
    """Look the name up; in a thread where that may take long, since nothing can stop it."""
    try:
        return _look_up(host, port, socket.AI_NUMERICHOST)
    except socket.gaierror:
        results: queue.SimpleQueue[list[tuple[int, Any]] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            results.put(_look_up(host, port, 0))
        except OSError as error:
            results.put(error)

    threading.Thread(target=look_up, name="name look-up", daemon=True).start()
    try:
        result = results.get(timeout=deadline.left())
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(result, OSError):
        raise result
    return result


def _look_up(host: str, port: int, flags: int) -> list[tuple[int, Any]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except UnicodeError:  # a label that is empty or too long
        raise OSError(f"{host!r} is no host name") from None
    return [(family, address) for family, _, _, _, address in found]


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
        raise NoAnswerError(error.strerror or str(error)) from None
    except http.client.HTTPException:
        raise NoAnswerError("the answer is not HTTP") from None
