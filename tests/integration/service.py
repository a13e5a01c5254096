"""The service that the VM is there for, which remembers when it was ill, and clients of it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from http import HTTPStatus

from demo import service
from demo.service import HEALTH_PATH, served

__all__ = ["HEALTH_PATH", "Service", "serving"]


class Service(service.Service):
    """Any connection to it may be kept open."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: list[float] = []
        """When it answered 503, in seconds since the epoch."""

    def answered(self, status: HTTPStatus) -> None:
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            self.failures.append(time.time())

    @contextlib.contextmanager
    def clients(self, number: int) -> Iterator[list[socket.socket]]:
        """Clients that stay connected until the end of the block, or until a test closes them."""
        with contextlib.ExitStack() as stack:
            address = ("127.0.0.1", self.port)
            yield [stack.enter_context(socket.create_connection(address)) for _ in range(number)]


def serving() -> contextlib.AbstractContextManager[Service]:
    return served(Service())
