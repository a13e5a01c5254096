"""An ALB or NLB instance: its listeners, the groups behind them, and how healthy those are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mock_slb.alb_nlb.group import ServerGroup
from mock_slb.alb_nlb.resources import GroupListener, GroupServer, Route, Rule
from mock_slb.core.resources import ABNORMAL, NORMAL, UNAVAILABLE
from mock_slb.core.tagged import Tagged

if TYPE_CHECKING:
    from mock_slb.alb_nlb.fleet import Fleet

INITIAL = "Initial"
UNHEALTHY = "Unhealthy"
UNUSED = "Unused"
NOT_CHECKED = "Unavailable"
HEALTHY = "Normal"
"""Never told by the API, which lists only what is not normal."""

_TOLD = {NORMAL: HEALTHY, ABNORMAL: UNHEALTHY, UNAVAILABLE: NOT_CHECKED}


class Balancer(Tagged):
    """A load balancer of one of the two products."""

    def __init__(
        self,
        fleet: Fleet,
        id_: str,
        *,
        name: str,
        tags: Mapping[str, str],
        region: str,
        vpc_id: str,
        zone_ids: Sequence[str],
        cross_zone: bool,
    ) -> None:
        super().__init__(fleet.account, tags)
        self.id = id_
        self.name = name
        self.region = region
        self.vpc_id = vpc_id
        self.status = "Active"
        self.zone_ids = tuple(zone_ids) or (f"{region}-g", f"{region}-h")
        self.cross_zone = cross_zone
        self.created_at = fleet.account.now()
        self.listeners: dict[str, GroupListener] = {}
        self._fleet = fleet

    def add_listener(
        self,
        port: int,
        protocol: str | None = None,
        *,
        server_group: str,
        id: str | None = None,
        status: str = "Running",
        description: str = "",
        tags: Mapping[str, str] | None = None,
    ) -> GroupListener:
        """Open a frontend port. Raises ValueError for what is taken or not known."""
        product = self._fleet.product
        protocol = protocol or product.protocols[0]
        if protocol not in product.protocols:
            raise ValueError(f"{product.name} listeners speak {', '.join(product.protocols)}")
        with self._account.lock:
            self._must_exist(server_group)
            if any((one.port, one.protocol) == (port, protocol) for one in self._all()):
                raise ValueError(f"{self.id} already has a listener {protocol}:{port}")
            id_ = id or f"lsn-{self.id}-{port}-{protocol.lower()}"
            if self._fleet.has_listener(id_):
                raise ValueError(f"listener {id_} exists already")
            self.listeners[id_] = GroupListener(
                id_, port, protocol, server_group, status, description, dict(tags or {})
            )
            return self.listeners[id_]

    def add_rule(
        self, listener_id: str, *, server_group: str, path: str = "/*", id: str | None = None
    ) -> Rule:
        """Divert some of a listener's requests to another group (ALB only).

        Raises KeyError for a listener that is not there, ValueError for what is not known.
        """
        if self._fleet.product.name != "Alb":
            raise ValueError("only ALB has forwarding rules")
        with self._account.lock:
            self._must_exist(server_group)
            listener = self.listeners[listener_id]
            number = len(listener.rules) + 1
            id_ = id or f"rule-{listener_id.removeprefix('lsn-')}-{number}"
            rule = Rule(id_, server_group, path, priority=number, name=f"rule {number}")
            self.listeners[listener_id] = replace(listener, rules=(*listener.rules, rule))
            return rule

    def routes(self) -> list[Route]:
        """Every way from a listener to a server group."""
        return [
            route
            for listener in self._all()
            for route in (
                Route(listener, None, listener.server_group_id),
                *(Route(listener, rule, rule.server_group_id) for rule in listener.rules),
            )
        ]

    def group_of(self, route: Route) -> ServerGroup:
        """The servers behind a route."""
        return self._fleet.group(route.server_group_id, self.region)

    def server_group_ids(self) -> list[str]:
        """The server groups behind any listener, each once."""
        return list(dict.fromkeys(route.server_group_id for route in self.routes()))

    def health(self, route: Route, server: GroupServer) -> str:
        """Health that is told of a server: Normal, Initial, Unhealthy, Unused or Unavailable."""
        with self._account.lock:
            group = self.group_of(route)
            forced = self._account.forced_health.get(server.server_id)
            if forced is not None:
                return _TOLD[forced]
            if group.health_check is None:
                return NOT_CHECKED
            if server.weight == 0 or not self._reaches(server):
                return UNUSED
            return _TOLD.get(group.health(route.name, server) or "", INITIAL)

    def _reaches(self, server: GroupServer) -> bool:
        """Tell whether it has a node from which requests go to the server's zone."""
        return self.cross_zone or not server.zone_id or server.zone_id in self.zone_ids

    def report_health(self, route: Route, server: GroupServer, status: str) -> None:
        """Take the verdict of a probe (or of a test): normal or abnormal."""
        self.group_of(route).report_health(route.name, server, status)

    def _all(self) -> list[GroupListener]:
        with self._account.lock:
            return list(self.listeners.values())

    def _must_exist(self, group_id: str) -> None:
        if not self._fleet.has_group(group_id):
            raise ValueError(f"there is no server group {group_id}")
