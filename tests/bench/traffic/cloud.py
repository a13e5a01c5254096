"""The mocked account of the bench: one load balancer, and its listeners' ports."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.bench.traffic.namespaces import HERE, LAYER_7_SOURCE, METADATA
from tests.bench.traffic.service import HEALTH_PATH

from mock_slb.account.account import Account
from mock_slb.core.resources import HealthCheck
from mock_slb.data_plane.plane import DataPlane
from mock_slb.data_plane.settings import Settings
from mock_slb.gateway.fault_presets import preset
from mock_slb.gateway.gateway import Gateway
from mock_slb.http.tls import Authority
from mock_slb.server import MockServer, serve

BALANCER, GROUP = "lb-bench", "sgp-bench"
PORT = 8080
"""Of the service."""
WEIGHT = 100
PRODUCTS = ("clb", "alb", "nlb")
_CLB_CHECK = HealthCheck("http", path=HEALTH_PATH)
FAULTS = ("throttled", "lost_answer", "unavailable", "slow", "lagging_reads")
FAULT_SECONDS = 30.0
"""How long every call meets the fault, from the begin of the play: a drain can outlast that."""
READ_LAG_SECONDS = 10.0
"""How old what is read is, all the while."""


@dataclass
class Cloud:
    """A running mocked cloud with its data plane."""

    product: str
    server: MockServer
    authority: Authority
    """Has signed the certificate of the API: HTTPS is what the agent insists on."""
    access_key: str = field(default_factory=lambda: "bench" + secrets.token_hex(8))
    secret_key: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @property
    def account(self) -> Account:
        """The model."""
        return self.server.account

    @property
    def group(self) -> Any:
        """The server group; CLB's and the others' have no type in common."""
        if self.product == "clb":
            return self.account.load_balancer(BALANCER).default_group
        return next(iter(getattr(self.account, self.product).groups()))

    @property
    def _plane(self) -> DataPlane:
        assert self.server.data_plane is not None
        return self.server.data_plane

    def listeners(self) -> dict[str, tuple[str, int]]:
        """Where each is reached."""
        plane = self._plane
        return {name.partition("/")[2]: plane.address(name) for name in plane.traffic()}

    def metadata_of(self, instance: str) -> MockServer:
        """The metadata service as this VM sees it."""
        return serve(gateway=self.server.gateway, host=METADATA, probe=False, self_id=instance)

    def register(self, instance: str) -> None:
        """Put a VM in, as a script or the CPI does."""
        if self.product == "clb":
            self.group.add_server(instance, weight=WEIGHT)
        else:
            self.group.add_server(instance, port=PORT, weight=WEIGHT)

    def deregister(self, instance: str) -> None:
        """Take a VM out."""
        self.group.drop(instance)

    def serving(self) -> set[str]:
        """The VMs that every listener sends to."""
        shares = [
            {one.server_id for one in listener.servers if one.share}
            for listener in self._plane.traffic().values()
        ]
        return set.intersection(*shares) if shares else set()

    def wait_until_serving(self, wanted: set[str], within: float) -> None:
        """Raises TimeoutError."""
        ends = time.monotonic() + within
        while self.serving() != wanted:
            if time.monotonic() > ends:
                raise TimeoutError(f"in service are {self.serving()} instead of {wanted}")
            time.sleep(0.1)

    def spoil(self, fault: str) -> threading.Timer:
        """Let the API fail, and end that by itself; cancel what is returned at the end."""
        mend = threading.Timer(FAULT_SECONDS, self.server.faults.clear)
        if fault == "lagging_reads":
            self.account.read_lag_seconds = READ_LAG_SECONDS
        elif fault:
            self.server.faults.add(preset(fault))
            mend.start()
        return mend


@contextmanager
def cloud(product: str, lag_seconds: float) -> Iterator[Cloud]:
    """Serve it, at addresses of the private network."""
    account = Account()
    if product == "clb":
        balancer = account.add_load_balancer(BALANCER)
        balancer.add_listener(80, "http", backend_port=PORT, health_check=_CLB_CHECK)
        balancer.add_listener(443, "tcp", backend_port=PORT, health_check=_CLB_CHECK)
    else:
        fleet = getattr(account, product)
        check = fleet.product.default_check
        if product == "alb":
            check = replace(check, path=HEALTH_PATH)
        fleet.add_server_group(GROUP, health_check=check)
        fleet.add_load_balancer(BALANCER).add_listener(80, server_group=GROUP)
    settings = Settings(address=HERE, layer_7_source=LAYER_7_SOURCE, lag_seconds=lag_seconds)
    authority = Authority()
    with serve(
        gateway=Gateway(account), host=HERE, data_plane=settings, tls=authority.server(HERE)
    ) as server:
        made = Cloud(product, server, authority)
        account.add_key(made.access_key, made.secret_key)
        yield made
