"""Three servers behind a load balancer that HAProxy plays, and what a client gets from them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from tests.data_plane.backends import Backend, Line, backends, get

from mock_slb.account.account import Account
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.core.resources import HealthCheck
from mock_slb.data_plane.plane import DataPlane
from mock_slb.data_plane.settings import Settings

PORT = 8080
PRODUCTS = ("clb", "alb", "nlb")


class Stage:
    """Three servers a, b and c, and an account in which they are instances of these names."""

    def __init__(self, servers: dict[str, Backend], http: bool) -> None:
        self.servers = servers
        self.http = http
        self.account = Account()
        self.account.change_seconds = 0
        self.now = 0.0
        self.told: list[str] = []
        self.plane: DataPlane | None = None
        for name, server in servers.items():
            self.account.add_instance(name, ports={PORT: server.port})

    def clb(self, **options) -> LoadBalancer:
        balancer = self.account.add_load_balancer("lb")
        for name in self.servers:
            balancer.default_group.add_server(name)
        protocol = "http" if self.http else "tcp"
        options = {"health_check": None, **options}
        balancer.add_listener(80, protocol, backend_port=PORT, **options)
        return balancer

    def group(self, product: str, *, drain: int | None = None, check: bool = False):
        """A group of the product behind one listener, with all three servers."""
        if product == "clb":
            options = {"health_check": HealthCheck()} if check else {}
            return self.clb(connection_drain_seconds=drain, **options).default_group
        fleet = self.account.alb if product == "alb" else self.account.nlb
        options = {} if check else {"health_check": None}
        group = fleet.add_server_group("sgp", connection_drain_seconds=drain, **options)
        for name in self.servers:
            group.add_server(name, port=PORT)
        fleet.add_load_balancer("lb").add_listener(80, server_group="sgp", id="lsn")
        return group

    def play(self, **settings) -> None:
        self.plane = DataPlane(
            self.account, Settings(**settings), clock=lambda: self.now, tell=self.told.append
        )
        self.plane.look()

    def look(self) -> None:
        assert self.plane is not None
        self.plane.look()

    @property
    def address(self) -> tuple[str, int]:
        assert self.plane is not None
        (name,) = self.plane.traffic()
        return self.plane.address(name)

    def who(self, times: int) -> Counter:
        """Who answers so many new connections; None where nobody does."""
        if self.http:
            found = [get(self.address) for _ in range(times)]
            return Counter(body if status == 200 else None for status, body in found)
        return Counter(self._line_once() for _ in range(times))

    def _line_once(self) -> str | None:
        with contextlib.closing(Line(self.address)) as line:
            return line.ask()


@contextlib.contextmanager
def staged(http: bool) -> Iterator[Stage]:
    with backends("a", "b", "c", http=http) as servers:
        stage = Stage(servers, http)
        yield stage
        if stage.plane is not None:
            stage.plane.close()
        assert stage.told == []


def port_of(product: str) -> dict[str, int]:
    return {} if product == "clb" else {"port": PORT}


@contextlib.contextmanager
def lines(stage: Stage) -> Iterator[dict[str, Line]]:
    """An open connection to each server."""
    made: dict[str, Line] = {}
    while len(made) < len(stage.servers):
        line = Line(stage.address)
        made[str(line.ask())] = line
    try:
        yield made
    finally:
        for line in made.values():
            line.close()
