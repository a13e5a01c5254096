"""The account of the demo: one CLB with two listeners, two other servers in it, and our VM."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from demo.service import HEALTH_PATH
from mock_slb.account.account import Account
from mock_slb.core.resources import HealthCheck

DEPLOYMENT = "demo"
INSTANCE_GROUP = "srt"
REGION = "cn-hangzhou"
LOAD_BALANCER = "lb-bp1demo"
OUR_SERVER = "i-bp1demo"
OTHER_SERVERS = ("i-bp1other1", "i-bp1other2")
LISTENERS = {80: "http", 443: "tcp"}
"""Where each request is balanced, and where each connection is."""

_DRAIN_SECONDS = 10
# As fast as a person can follow; CLB's own are 2 s and 3 in a row.
_CHECK = HealthCheck(
    "http", interval_seconds=0.4, healthy_threshold=2, unhealthy_threshold=2, path=HEALTH_PATH
)


@dataclass(frozen=True)
class Keys:
    """An AccessKey pair that is made up for one run."""

    access_key: str = field(default_factory=lambda: "demo" + secrets.token_hex(8))
    secret_key: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)


def account(keys: Keys, ports: Mapping[str, int]) -> Account:
    """Return the account; the load balancer reaches its servers at these ports of this machine."""
    our_port = ports[OUR_SERVER]
    account = Account(REGION)
    account.add_key(keys.access_key, keys.secret_key)
    account.add_instance(OUR_SERVER, is_self=True)
    balancer = account.add_load_balancer(
        LOAD_BALANCER,
        tags={"bosh-deployment": DEPLOYMENT, "bosh-instance-group": INSTANCE_GROUP},
    )
    for server in OTHER_SERVERS:
        account.add_instance(server, ports={our_port: ports[server]})
        balancer.default_group.add_server(server, weight=100)
    for port, protocol in LISTENERS.items():
        balancer.add_listener(
            port,
            protocol,
            backend_port=our_port,
            health_check=_CHECK,
            connection_drain_seconds=_DRAIN_SECONDS if protocol == "tcp" else None,
        )
    return account
