"""The running agent, asked over its Unix socket.

In a module without the agent's own imports: BOSH DNS has this done every few seconds.
"""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from slb_registration.failures import Failure

TIMEOUT_SECONDS = 5.0
ANSWER_LIMIT = 4 << 20


class NotRunningError(Failure):
    """No agent answers on the socket."""


def ask(path: Path, method: str, route: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> bytes:
    """One request to the running agent; raises NotRunningError, also for one that hangs."""
    connection = _UnixConnection(path, timeout_seconds)
    try:
        connection.request(method, route)
        response = connection.getresponse()
        body = response.read(ANSWER_LIMIT)
    except (OSError, http.client.HTTPException) as error:
        raise NotRunningError(f"no agent answers on {path}: {error}") from None
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise NotRunningError(f"what answers on {path} says {response.status}")
    return body


def ask_status(path: Path, *, timeout_seconds: float = TIMEOUT_SECONDS) -> dict[str, Any]:
    """The running agent's status; raises NotRunningError."""
    text = ask(path, "GET", "/status", timeout_seconds=timeout_seconds)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise NotRunningError(f"what answers on {path} is no agent")
    return document


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_seconds: float) -> None:
        super().__init__("localhost", timeout=timeout_seconds)
        self._path = path
        self._timeout_seconds = timeout_seconds

    def connect(self) -> None:
        """To the socket's path."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._timeout_seconds)
        self.sock.connect(str(self._path))
