"""The agent's socket: any bytes are answered or refused, and only a whole order is an order."""

from __future__ import annotations

import atexit
import functools
import re
import socket
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import strategies as st
from tests.fuzz.strategies import mutated
from tests.fuzz.target import Target
from tests.unit.supervision import quiet

from slb_registration.agent.control_socket import serving
from slb_registration.model.orders import Order
from slb_registration.support.supervision.supervisor import Supervisor

SEEDS = (
    b"GET /healthz HTTP/1.0\r\nHost: localhost\r\nUser-Agent: monit/5.2.5\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9100\r\nAccept: text/plain;version=0.0.4\r\n\r\n",
    b"HEAD /status HTTP/1.0\r\n\r\n",
    *(f"POST /{order.value} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode() for order in Order),
    b"POST /drain HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
    b"POST /drain HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET " + b"/" * 9000,
    b"GET /status HTTP/1.0\r\n" + b"X: y\r\n" * 2000,
)
ORDER = re.compile(
    rb"[^\n]*POST[^\n]*/(pre-stop|drain|hold|resume|start)[^\n]*\n(.*\n)?\r?\n", re.DOTALL
)


class _Agent:
    def __init__(self) -> None:
        self.orders: list[Order] = []

    def alive(self) -> str | None:
        return None

    def document(self) -> dict[str, Any]:
        return {"state": "in service"}

    def metrics(self) -> str:
        return "slb_registration_in_service 1\n"

    def order(self, order: Order) -> None:
        self.orders.append(order)


@functools.cache
def _running() -> tuple[Path, _Agent]:
    stack, agent = ExitStack(), _Agent()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slb")))
    stack.enter_context(serving(folder / "s", agent, quiet()))
    atexit.register(stack.close)
    return folder / "s", agent


@contextmanager
def noticing_mistakes() -> Iterator[list[str]]:
    """What the agent would log, with the traceback."""
    found: list[str] = []

    def note(*_: object) -> None:
        found.append("".join(traceback.format_exception(sys.exc_info()[1])))

    with mock.patch.object(Supervisor, "tell", note):
        yield found


def holds(data: bytes) -> None:
    """See the module."""
    path, agent = _running()
    agent.orders.clear()
    with noticing_mistakes() as mistakes:
        answer = _answer(path, data)
        healthy = _answer(path, SEEDS[0])
    assert not mistakes, mistakes[0]
    assert answer == b"" or re.match(rb"HTTP/1\.0 [2345]\d\d ", answer), answer[:80]
    assert healthy.endswith(b"\r\n\r\nok\n"), healthy
    if agent.orders:
        assert len(agent.orders) == 1
        assert ORDER.match(data), data


def _answer(path: Path, data: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65536), b""))
        except ConnectionError:  # refused before all of it was sent
            return b""


TARGETS = (
    Target(
        "control_socket",
        mutated(SEEDS) | st.binary(max_size=60),
        holds,
        examples=150,
        raw=True,
        seeds=SEEDS,
    ),
)
