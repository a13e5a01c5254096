"""Whatever becomes of the account, HAProxy has what it says: told by `show servers state`."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable

import pytest
from tests.data_plane.backends import NEEDS_HAPROXY

from mock_slb.account.account import Account
from mock_slb.core.resources import HealthCheck
from mock_slb.data_plane.plane import DataPlane
from mock_slb.data_plane.settings import Settings

pytestmark = NEEDS_HAPROXY

STEPS = 80
SERVERS = [f"i-{number}" for number in range(6)]
PORT = 8080
READY = "0"


class Walk:
    """An account with a group of each product, in which every step changes something."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.made = 0
        self.account = Account()
        self.account.change_seconds = 0
        for number, name in enumerate(SERVERS):
            self.account.add_instance(name, host=f"127.0.1.{number + 1}")
            self.account.force_health(name, "normal")
        clb = self.account.add_load_balancer("clb")
        clb.add_listener(80, backend_port=PORT, health_check=HealthCheck())
        self.groups: dict[str, object] = {"clb": clb.default_group}
        for fleet in (self.account.alb, self.account.nlb):
            name = fleet.product.name.lower()
            self.groups[name] = fleet.add_server_group(name)
            fleet.add_load_balancer(name).add_listener(80, server_group=name)

    def step(self) -> str:
        """Change something, and say what."""
        kinds = (self.weight, self.add, self.remove, self.health, self.running, self.release)
        kind: Callable[[str], object] = self.chance.choice(kinds)
        name = self.chance.choice(SERVERS)
        kind(name)
        return f"{kind.__name__} {name}"

    def weight(self, name: str) -> None:
        for group, port in self.with_server(name):
            group.set_weight(name, self.chance.choice([0, 1, 50, 100]), port=port)

    def add(self, name: str) -> None:
        product = self.chance.choice(list(self.groups))
        instance = self.account.instance(name)
        if instance is None:
            self.made += 1
            address = f"127.0.2.{self.made}"
            self.account.add_instance(name, host=address, private_ip=address)
        elif not instance.running:
            return
        group = self.groups[product]
        port = PORT if group.ports else 0
        if group.server(name, port) is None:
            group.add_server(name, port=port, weight=self.chance.choice([0, 100]))

    def remove(self, name: str) -> None:
        for group, port in self.with_server(name):
            group.remove_server(name, port=port)

    def health(self, name: str) -> None:
        self.account.force_health(name, self.chance.choice(["normal", "abnormal"]))

    def running(self, name: str) -> None:
        instance = self.account.instance(name)
        if instance is not None:
            self.account.set_running(name, not instance.running)

    def release(self, name: str) -> None:
        if self.account.instance(name) is not None:
            self.account.release_instance(name)

    def with_server(self, name: str):
        """The groups that have it, with the port."""
        for group in self.groups.values():
            port = PORT if group.ports else 0
            if group.server(name, port) is not None:
                yield group, port

    def expected(self, product: str) -> dict[str, tuple[int, str]]:
        """Weight and address by server."""
        members = self.groups[product].servers()
        good = [m for m in members if self.account.forced_health[m.server_id] == "normal"]
        opens = product != "clb" and not any(m.weight for m in good)
        found = {}
        for one in members:
            instance = self.account.instance(one.server_id)
            there = instance is not None and instance.running
            address = f"{instance.host}:{PORT}" if there else "nowhere"
            found[one.server_id] = (one.weight if opens or one in good else 0, address)
        return found


def had(plane: DataPlane, listener: str) -> dict[str, tuple[int, str]]:
    """Weight and address by server, as HAProxy tells them."""
    nowhere = "{}:{}".format(*plane._nowhere.getsockname())
    text = plane._listening[listener]._current.haproxy.ask("show servers state")
    _, head, *lines = text.splitlines()
    names = head.removeprefix("# ").split()
    found = {}
    for line in lines:
        row = dict(zip(names, line.split(), strict=True))
        assert row["srv_admin_state"] == READY, line
        address = f"{row['srv_addr']}:{row['srv_port']}"
        found[row["srv_name"].rpartition(".")[0]] = (
            int(row["srv_uweight"]),
            "nowhere" if address == nowhere else address,
        )
    return found


@pytest.mark.parametrize("seed", range(3))
def test_haproxy_has_what_the_account_says_after_every_change(seed: int) -> None:
    walk = Walk(seed)
    done = []
    with contextlib.closing(DataPlane(walk.account, Settings())) as plane:
        for _ in range(STEPS):
            done.append(walk.step())
            plane.look()
            for listener in plane.traffic():
                product = listener.partition("/")[0]
                assert had(plane, listener) == walk.expected(product), (product, done)
