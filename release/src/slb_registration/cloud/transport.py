"""The SDK's HTTP transport, with an end to what an answer may hold and an exchange may take.

The SDK reads every body as a whole, whatever its length; a megabyte of gzip becomes a gigabyte (and
gzip in gzip a terabyte), and a chunk of length -1 is read until the other side closes. Its read
timeout begins anew with every byte, and interim answers (100 Continue) with every one of them. So
one deadline covers name look-up, connection, TLS, request and answer, what comes over the wire is
counted where http.client reads it, and what is unpacked where it is kept; an answer that exceeds
any of them fails as one that was cut off does.
"""

from __future__ import annotations

import functools
import io
import socket
from http.client import HTTPResponse
from typing import Any

from aliyunsdkcore.vendored.requests.adapters import HTTPAdapter
from aliyunsdkcore.vendored.requests.packages.urllib3 import connection, connectionpool
from aliyunsdkcore.vendored.requests.packages.urllib3.exceptions import (
    ConnectTimeoutError,
    NewConnectionError,
)

from slb_registration.cloud.connection_errors import EXCHANGE_SECONDS, PACKED, TOO_LARGE, TOO_SLOW
from slb_registration.support.net.dialing import connected
from slb_registration.support.net.receiving import CountedReader, Deadline

ANSWER_LIMIT = 4 << 20
"""Bytes. The largest we ask for, the health of a thousand servers, is below a tenth of this."""

HEAD_LIMIT = 1 << 16
"""Bytes before the body, interim answers included. The API's take a thousand; http.client takes a
hundred lines of as many bytes as this."""

ENCODINGS = ("", "identity", "gzip", "deflate")
"""The SDK asks for identity; a proxy in between may pack it all the same, but only once."""

_PIECE = 8192  # which gzip makes 8 MiB of at most
_RECORD = 1 << 14  # the most that TLS takes at once, RFC 8446, 5.1


class BoundedAdapter(HTTPAdapter):  # type: ignore[misc]
    """Reads the body before it hands the answer on."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Have the connections made that end in time."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def send(self, request: Any, **options: Any) -> Any:
        """Raises OSError, as requests does, also for an answer without end."""
        response = super().send(request, **options)
        try:
            response._content = _body(response)
        except BaseException:
            response.close()  # not to be used for another exchange
            raise
        return response


def _body(response: Any) -> bytes:
    encoding = response.headers.get("Content-Encoding", "")
    if encoding.lower() not in ENCODINGS:  # of two headers, the values stand side by side
        raise OSError(PACKED)
    body = bytearray()
    for piece in response.iter_content(_PIECE):
        body += piece
        if len(body) > ANSWER_LIMIT:
            raise OSError(TOO_LARGE)
    return bytes(body)


class _Connection:
    """A connection of urllib3, with TLS or without, that ends in time."""

    host: str
    port: int
    sock: socket.socket
    timeout: float
    _dns_host: str
    deadline: Deadline
    """Of the exchange under way."""

    def begin(self, seconds: float) -> None:
        """Begin an exchange, on a connection that is new or kept from the last."""
        self.deadline = Deadline(seconds)
        self.response_class = functools.partial(_Response, deadline=self.deadline)

    def _new_conn(self) -> socket.socket:
        try:
            sock = connected(self._dns_host, self.port, self.deadline, each_seconds=self.timeout)
        except TimeoutError:
            raise _late(self) from None
        except OSError as error:
            text = f"Failed to establish a new connection: {error}"
            raise NewConnectionError(self, text) from None
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def connect(self) -> None:
        """Connect, with the TLS handshake, for which OpenSSL keeps to the timeout as a whole."""
        try:
            super().connect()  # type: ignore[misc]
        except TimeoutError:
            raise _late(self) from None

    def send(self, data: bytes) -> None:
        """Send a part of a request, however slowly the other side takes it."""
        if getattr(self, "sock", None) is None:
            self.connect()
        for start in range(0, len(data), _RECORD):
            self.sock.settimeout(_left(self.deadline))
            self.sock.sendall(data[start : start + _RECORD])


def _late(which: object) -> Exception:
    error: Exception = ConnectTimeoutError(which, "connect timeout")
    return error


def _left(deadline: Deadline) -> float:
    try:
        return deadline.left()
    except TimeoutError:
        raise OSError(TOO_SLOW) from None


class _HttpConnection(_Connection, connection.HTTPConnection):  # type: ignore[misc]
    pass


class _HttpsConnection(_Connection, connection.VerifiedHTTPSConnection):  # type: ignore[misc]
    pass


class _Pool:
    def _make_request(self, conn: _Connection, *arguments: Any, **options: Any) -> Any:
        conn.begin(EXCHANGE_SECONDS)
        return super()._make_request(conn, *arguments, **options)  # type: ignore[misc]


class _HttpPool(_Pool, connectionpool.HTTPConnectionPool):  # type: ignore[misc]
    ConnectionCls = _HttpConnection


class _HttpsPool(_Pool, connectionpool.HTTPSConnectionPool):  # type: ignore[misc]
    ConnectionCls = _HttpsConnection


class _Response(HTTPResponse):
    """An answer of which all is counted."""

    def __init__(self, sock: socket.socket, *arguments: Any, deadline: Deadline, **options: Any):
        super().__init__(sock, *arguments, **options)
        self._counted = _Counted(self.fp, sock, deadline)
        self.fp = io.BufferedReader(self._counted)

    def begin(self) -> None:
        """Read status and headers; after them there may be a body."""
        super().begin()
        self._counted.left += ANSWER_LIMIT


class _Counted(CountedReader):
    """The source of an answer, which fails where it has more than it may."""

    def __init__(self, source: Any, sock: socket.socket, deadline: Deadline) -> None:
        silence = sock.gettimeout() or EXCHANGE_SECONDS
        super().__init__(sock, source.readinto1, lambda: min(silence, _left(deadline)), HEAD_LIMIT)
        self._source = source

    def exceeded(self) -> int:
        raise OSError(TOO_LARGE)

    def close(self) -> None:
        self._source.close()
        super().close()
