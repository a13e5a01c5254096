"""The account's listeners, and the servers behind them, as they are at one moment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mock_slb.account import addresses
from mock_slb.account.account import Account
from mock_slb.account.addresses import Address
from mock_slb.alb_nlb.balancer import HEALTHY, INITIAL, NOT_CHECKED, UNHEALTHY, Balancer
from mock_slb.alb_nlb.fleet import Fleet
from mock_slb.alb_nlb.resources import GroupListener, Route
from mock_slb.clb.balancer import SLAVE, LoadBalancer
from mock_slb.clb.resources import Backend, Listener
from mock_slb.core.resources import ABNORMAL, NORMAL, UNAVAILABLE

UP, DOWN, UNCHECKED, UNUSED = "up", "down", "unchecked", "unused"
"""Health as far as forwarding goes. Unchecked: no result yet. Unused: never sent to."""

NOT_PLAYED: Mapping[str, str] = {
    "udp": "HAProxy forwards no UDP",
    "quic": "HAProxy here speaks no QUIC",
}
_LAYER_7 = ("http", "https")
_TLS = ("https", "tcpssl")
_CLB_HEALTH = {NORMAL: UP, ABNORMAL: DOWN, UNAVAILABLE: UNCHECKED}
_HEALTH = {HEALTHY: UP, NOT_CHECKED: UP, UNHEALTHY: DOWN, INITIAL: UNCHECKED}


@dataclass(frozen=True)
class Member:
    """A server in a group, as one listener (or rule) sees it."""

    name: str
    """Of this membership: one that is removed and added again is another."""
    server_id: str
    port: int
    """As the group has it: 0 where it has none."""
    address: Address | None
    """None while the instance is stopped or gone."""
    weight: int
    health: str
    standby: bool = False
    """Serves only while the active one does not."""


@dataclass(frozen=True)
class Pool:
    """The servers that a listener, or one of its rules, sends to."""

    name: str
    product: str
    """clb, alb or nlb."""
    scheduler: str
    """As CLB names it."""
    active_standby: bool
    drain_seconds: int | None
    """How long connections to a server that is removed or fails go on; None: draining is off."""
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Frontend:
    """A running listener."""

    name: str
    layer: int
    default: str
    """The pool of what no rule diverts."""
    pools: tuple[Pool, ...]
    rules: tuple[tuple[str, str], ...] = ()
    """Path patterns and the pools they divert to, the first that fits counts."""
    tls: bool = False
    """TLS ends here; to the servers goes what was inside."""
    why_not_played: str | None = None


def look(account: Account) -> dict[str, Frontend]:
    """All running listeners by their names."""
    with account.lock:
        frontends = [
            *_of_clb(account),
            *_of_fleet(account, account.alb),
            *_of_fleet(account, account.nlb),
        ]
    return {frontend.name: frontend for frontend in frontends}


def _of_clb(account: Account) -> Iterator[Frontend]:
    for balancer in account.load_balancers.values():
        for listener in balancer.listeners.values():
            if listener.status == "running":
                pool = _clb_pool(account, balancer, listener)
                yield Frontend(
                    name=f"{balancer.id}/{listener.name}",
                    layer=_layer(listener.protocol),
                    default=pool.name,
                    pools=(pool,),
                    tls=listener.protocol in _TLS,
                    why_not_played=NOT_PLAYED.get(listener.protocol),
                )


def _clb_pool(account: Account, balancer: LoadBalancer, listener: Listener) -> Pool:
    group = balancer.group_of(listener)
    members = tuple(
        Member(
            name=f"{_word(backend.server_id)}.{backend.generation}",
            server_id=backend.server_id,
            port=backend.port,
            address=addresses.of_clb(account, listener, backend),
            weight=backend.weight,
            health=_clb_health(balancer, listener, backend),
            standby=backend.server_type == SLAVE,
        )
        for backend in group.servers()
    )
    return Pool(
        name=_word(listener.name),
        product="clb",
        scheduler=listener.scheduler,
        active_standby=group.active_standby,
        drain_seconds=listener.connection_drain_seconds,
        members=members,
    )


def _clb_health(balancer: LoadBalancer, listener: Listener, backend: Backend) -> str:
    told = balancer.health(listener, backend)
    if told == UNAVAILABLE and listener.health_check is None:
        return UP  # with its check off, a listener sends to everyone
    return _CLB_HEALTH[told]


def _of_fleet(account: Account, fleet: Fleet) -> Iterator[Frontend]:
    for balancer in fleet.balancers():
        for listener in balancer.listeners.values():
            if listener.status == "Running":
                yield _frontend(account, fleet, balancer, listener)


def _frontend(
    account: Account, fleet: Fleet, balancer: Balancer, listener: GroupListener
) -> Frontend:
    routes = [route for route in balancer.routes() if route.listener is listener]
    return Frontend(
        name=f"{balancer.id}/{listener.id}",
        layer=_layer(listener.protocol),
        default=_word(listener.id),
        pools=tuple(_pool(account, fleet, balancer, route) for route in routes),
        rules=tuple(
            (rule.path, _word(rule.id))
            for rule in sorted(listener.rules, key=lambda rule: rule.priority)
        ),
        tls=listener.protocol.lower() in _TLS,
        why_not_played=NOT_PLAYED.get(listener.protocol.lower()),
    )


def _pool(account: Account, fleet: Fleet, balancer: Balancer, route: Route) -> Pool:
    group = balancer.group_of(route)
    members = tuple(
        Member(
            name=f"{_word(server.server_id)}.{server.generation}",
            server_id=server.server_id,
            port=server.port,
            # a server of a group that forwards every port has port 0: the listener's goes on
            address=addresses.of_group_server(account, server, server.port or route.listener.port),
            weight=server.weight,
            health=_HEALTH.get(balancer.health(route, server), UNUSED),
        )
        # a change counts from the end of its job on: until then, one that is being removed serves
        for server in group.servers()
        if group.has_joined(server)
    )
    return Pool(
        name=_word(route.name),
        product=fleet.product.name.lower(),
        scheduler="wrr",
        active_standby=False,
        drain_seconds=group.connection_drain_seconds,
        members=members,
    )


def _layer(protocol: str) -> int:
    return 7 if protocol.lower() in _LAYER_7 else 4


def _word(text: str) -> str:
    """A name that HAProxy takes, another one for every text."""
    return re.sub(r"[^A-Za-z0-9_:-]", lambda found: f".{ord(found[0]):x}.", text)
