"""The running agent, asked over its Unix socket.

In a module without the agent's own imports: BOSH DNS has this done every few seconds.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

from slb_registration.model.failure import Failure
from slb_registration.model.orders import WAIT
from slb_registration.support.json_objects import object_or_none
from slb_registration.support.net.receiving import Deadline, pieces

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
    deadline = Deadline(timeout_seconds)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_seconds)
            connection.connect(str(path))
            connection.sendall(f"{method} {route} HTTP/1.0\r\n\r\n".encode())
            answer = b"".join(pieces(connection, ANSWER_LIMIT, deadline))
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


def ask_status(
    path: Path, *, timeout_seconds: float = TIMEOUT_SECONDS, waiting: bool = False
) -> dict[str, Any]:
    """The running agent's status; raises NotRunningError.

    `waiting`: also tells it that a deploy waits for this VM.
    """
    method, route = ("POST", WAIT) if waiting else ("GET", "/status")
    text = ask(path, method, route, timeout_seconds=timeout_seconds)
    document = object_or_none(text)
    if document is None:
        raise NotRunningError(f"what answers on {path} is no agent")
    return document
