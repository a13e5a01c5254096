"""TCP connections that are there by a deadline, or not at all: name look-up and every address."""

from __future__ import annotations

import errno
import os
import queue
import socket
from typing import Any

from slb_registration.support.net.receiving import Deadline
from slb_registration.support.threads import spawn


def connected(
    host: str, port: int, deadline: Deadline, *, each_seconds: float = float("inf")
) -> socket.socket:
    """Connect to one of the addresses of a host, each of which has `each_seconds` at most.

    The look-up has as much. Raises OSError, and TimeoutError where it was too late.
    """
    failure: OSError = ConnectionError(f"{host} has no address")
    for family, address in _addresses(host, port, min(each_seconds, deadline.left())):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(min(each_seconds, deadline.left()))
            sock.connect(address)
            # Where nobody listens on a port of the range for outgoing connections, Linux may
            # choose that very port for our end and connect us to ourselves.
            if sock.getsockname() == sock.getpeername():
                raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def _addresses(host: str, port: int, seconds: float) -> list[tuple[int, Any]]:
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

    spawn("name look-up", look_up)
    try:
        result = results.get(timeout=seconds)
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
