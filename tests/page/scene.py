"""An account with something of every product, as the tests and the pictures show it."""

from __future__ import annotations

from mock_slb.account.account import Account
from mock_slb.core.resources import HealthCheck

SERVERS = ("i-bp1shop0", "i-bp1shop1", "i-bp1shop2")
TAGS = {"bosh-deployment": "shop", "bosh-instance-group": "web"}
CHECK = HealthCheck(interval_seconds=0.2, healthy_threshold=1, unhealthy_threshold=1)


def account(port: int = 8080) -> Account:
    """Three servers behind a CLB, an ALB with a rule and an NLB; `port` is the services'."""
    made = Account("cn-hangzhou")
    made.add_key("key", "secret")
    for number, server in enumerate(SERVERS):
        made.add_instance(server, ports={8080: port}, is_self=number == 0)
    _clb(made)
    _alb(made)
    group = made.add_nlb_server_group("sgp-shop-tcp", tags=TAGS)
    group.add_server(SERVERS[1], port=8443)
    made.add_nlb("nlb-shop").add_listener(443, server_group=group.id)
    return made


def _clb(account: Account) -> None:
    clb = account.add_load_balancer("lb-shop", tags=TAGS)
    for number, server in enumerate(SERVERS[:2]):
        clb.default_group.add_server(server, description=f"bosh/web-{number}")
    clb.add_listener(80, "http", backend_port=8080, health_check=CHECK)
    clb.add_listener(443, "tcp", backend_port=8080, health_check=CHECK)
    api = clb.add_vserver_group("rsp-shop-api")
    api.add_server(SERVERS[2], port=9000, weight=50)
    clb.add_listener(9000, "tcp", vserver_group=api.id, health_check=CHECK)
    pair = clb.add_master_slave_group(
        "rsp-shop-pair", master=(SERVERS[0], 5432), slave=(SERVERS[1], 5432)
    )
    clb.add_listener(5432, "tcp", master_slave_group=pair.id, health_check=None)


def _alb(account: Account) -> None:
    web = account.add_alb_server_group("sgp-shop-web", tags=TAGS)
    images = account.add_alb_server_group("sgp-shop-images")
    for server in SERVERS[1:]:
        web.add_server(server, port=8080)
    images.add_server(SERVERS[2], port=8080, weight=10)
    alb = account.add_alb("alb-shop")
    listener = alb.add_listener(80, "HTTP", server_group=web.id)
    alb.add_rule(listener.id, path="/images/*", server_group=images.id)
