"""Targets of probes: every server behind every listener whose health check is on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from mock_slb.account import addresses
from mock_slb.account.account import Account
from mock_slb.alb_nlb.fleet import Fleet
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.clb.resources import Listener
from mock_slb.core.resources import BackendKey, HealthCheck

TargetId = tuple[str, str, BackendKey, int]


@dataclass(frozen=True)
class Target:
    """One server behind one listener (or forwarding rule) whose check is on."""

    id: TargetId
    """Tells targets apart; a server that was removed and added again is another one."""
    protocol: str
    """The listener's, in small letters."""
    check: HealthCheck
    address: tuple[str, int] | None
    """Where to connect; None while the instance is stopped or gone."""
    report: Callable[[str], None]
    """Takes the verdict: normal or abnormal."""

    @property
    def listener(self) -> str:
        """The listener's name, or the id of the listener or rule."""
        return self.id[1]

    @property
    def server_id(self) -> str:
        """The server's id."""
        return self.id[2].server_id


def targets(account: Account) -> list[Target]:
    """All that is to be probed now."""
    with account.lock:
        found = [
            target
            for balancer in account.load_balancers.values()
            for listener in balancer.listeners.values()
            if listener.status == "running"
            for target in _clb(account, balancer, listener)
        ]
        for fleet in (account.alb, account.nlb):
            found.extend(_alb_or_nlb(account, fleet))
        return found


def _clb(account: Account, balancer: LoadBalancer, listener: Listener) -> Iterator[Target]:
    if listener.health_check is None:
        return
    for backend in balancer.group_of(listener).servers():
        yield Target(
            id=(balancer.id, listener.name, backend.key, backend.generation),
            protocol=listener.protocol,
            check=listener.health_check,
            address=addresses.of_clb(account, listener, backend, listener.health_check.port),
            report=partial(balancer.report_health, listener, backend),
        )


def _alb_or_nlb(account: Account, fleet: Fleet) -> Iterator[Target]:
    for balancer in fleet.balancers():
        for route in balancer.routes():
            group = balancer.group_of(route)
            if group.health_check is None or route.listener.status != "Running":
                continue
            for server in filter(group.is_probed, group.servers()):
                port = group.health_check.port or server.port
                yield Target(
                    id=(balancer.id, route.name, server.key, server.generation),
                    protocol=route.listener.protocol.lower(),
                    check=group.health_check,
                    address=addresses.of_group_server(account, server, port),
                    report=partial(balancer.report_health, route, server),
                )
