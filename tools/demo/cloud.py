"""The account of the demo: one CLB with two listeners, two other servers in it, and our VM."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from demo.service import HEALTH_PATH
from mock_slb.model import Account, HealthCheck

DEPLOYMENT = "demo"
INSTANCE_GROUP = "srt"
REGION = "cn-hangzhou"
LOAD_BALANCER = "lb-bp1demo"
OUR_SERVER = "i-bp1demo"
OTHER_SERVERS = ("i-bp1other1", "i-bp1other2")
LISTENERS = (80, 443)

# As fast as a person can follow; CLB's own are 2 s and 3 in a row.
_CHECK = HealthCheck(
    "http", interval_seconds=0.4, healthy_threshold=2, unhealthy_threshold=2, path=HEALTH_PATH
)


@dataclass(frozen=True)
class Keys:
    """An AccessKey pair that is made up for one run."""

    access_key: str = field(default_factory=lambda: "demo" + secrets.token_hex(8))
    secret_key: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)


def account(keys: Keys, *, our_port: int, others_port: int) -> Account:
    """Return the account; the load balancer checks the VMs at these ports of this machine."""
    account = Account(REGION)
    account.add_key(keys.access_key, keys.secret_key)
    account.add_instance(OUR_SERVER, is_self=True)
    balancer = account.add_load_balancer(
        LOAD_BALANCER,
        tags={"bosh-deployment": DEPLOYMENT, "bosh-instance-group": INSTANCE_GROUP},
    )
    for server in OTHER_SERVERS:
        account.add_instance(server, ports={our_port: others_port})
        balancer.default_group.add_server(server, weight=100)
    for listener in LISTENERS:
        balancer.add_listener(listener, "tcp", backend_port=our_port, health_check=_CHECK)
    return account
