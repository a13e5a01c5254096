"""Receives from a socket so many bytes, and all of them in time.

A timeout of a socket begins anew with every byte. Light to import: the commands that BOSH DNS and
monit start every few seconds use it.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

_AT_ONCE = 1 << 16


class Deadline:
    """A moment by which everything must be over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds, more than none. Raises TimeoutError where none is left."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


def pieces(sock: socket.socket, limit: int, deadline: Deadline) -> Iterator[bytes]:
    """Receive until the other side closes, `limit` bytes at the most. Raises TimeoutError."""
    while limit > 0:
        sock.settimeout(deadline.left())
        piece = sock.recv(min(limit, _AT_ONCE))
        if not piece:
            return
        limit -= len(piece)
        yield piece


class CountedReader(io.RawIOBase):
    """The source that http.client reads an answer from: so many bytes, each read in time.

    `left` tells how many may still come; after them it is as if the other side had closed, unless
    `exceeded` says otherwise.
    """

    def __init__(
        self,
        sock: socket.socket,
        receive: Callable[[memoryview], int],
        seconds_left: Callable[[], float],
        limit: int,
    ) -> None:
        """`receive` fills a buffer from `sock`. `seconds_left` raises once there are none."""
        self.left = limit
        self._sock = sock
        self._receive = receive
        self._seconds_left = seconds_left

    def readable(self) -> bool:
        """Return True, as any reader does."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Receive into the buffer; returns how many bytes."""
        if self.left <= 0:
            return self.exceeded()
        self._sock.settimeout(self._seconds_left())
        try:
            count = self._receive(memoryview(buffer)[: self.left])
        except TimeoutError:
            self._seconds_left()  # has more to say than that a read was late
            raise
        self.left -= count
        return count

    def exceeded(self) -> int:
        """Return 0, as at the end, or raise OSError."""
        return 0
