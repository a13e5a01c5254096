"""The running agent, asked over its Unix socket.

In a module without the agent's own imports: BOSH DNS has this done every few seconds.
"""

from __future__ import annotations

import json
import re
import socket
import time
from pathlib import Path
from typing import Any

from slb_registration.model.failure import Failure
from slb_registration.model.orders import WAIT

TIMEOUT_SECONDS = 5.0
ANSWER_LIMIT = 4 << 20
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?= |\r|$)")


class NotRunningError(Failure):
    """No agent answers on the socket."""


def ask(path: Path, method: str, route: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> bytes:
    """One request to the running agent; raises NotRunningError, also for one that hangs.

    `timeout_seconds` is for all of it.

    HTTP/1.0, so that the answer ends with the connection. Without http.client, which takes longer
    to import than the rest of this process: BOSH DNS starts one every few seconds.
    """
    ends = time.monotonic() + timeout_seconds  # of all of it
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_seconds)
            connection.connect(str(path))
            connection.sendall(f"{method} {route} HTTP/1.0\r\n\r\n".encode())
            answer = _received(connection, ends)
    except OSError as error:
        why = f"{error.strerror or error}; monit summary tells whether it runs"
        raise NotRunningError(f"no agent answers on {path}: {why}") from None
    head, end, body = answer.partition(b"\r\n\r\n")
    status = _STATUS.match(head)
    if status is None or not end:
        raise NotRunningError(f"what answers on {path} is no agent")
    if status[1] != b"200":
        raise NotRunningError(f"what answers on {path} says {status[1].decode()}")
    return body


def _received(connection: socket.socket, ends: float) -> bytes:
    """All that comes until the other side closes."""
    answer = b""
    while len(answer) < ANSWER_LIMIT:
        connection.settimeout(_left(ends))
        piece = connection.recv(1 << 16)
        if not piece:
            break
        answer += piece
    return answer


def _left(ends: float) -> float:
    """The seconds until then; raises TimeoutError where there are none."""
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def ask_status(
    path: Path, *, timeout_seconds: float = TIMEOUT_SECONDS, waiting: bool = False
) -> dict[str, Any]:
    """The running agent's status; raises NotRunningError.

    `waiting`: also tells it that a deploy waits for this VM.
    """
    method, route = ("POST", WAIT) if waiting else ("GET", "/status")
    text = ask(path, method, route, timeout_seconds=timeout_seconds)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise NotRunningError(f"what answers on {path} is no agent")
    return document
