from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.unit.instance.metadata_service import Handler, Server, Service, running

from slb_registration.instance.metadata import Metadata


@pytest.fixture
def server() -> Iterator[Server]:
    """A metadata service that knows this VM, with tokens."""
    server = Server(("127.0.0.1", 0), Handler)
    with running(server, Service()):
        yield server


@pytest.fixture
def service(server: Server) -> Service:
    """What it answers, to be replaced, and what it was asked."""
    return server.service


class Now:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def metadata(server: Server, now: Now) -> Metadata:
    return Metadata(f"http://127.0.0.1:{server.server_port}", timeout_seconds=2, now=now)
