"""Servers behind a listener that are NOT normal; those that are, are not told of at all."""

from __future__ import annotations

from mock_slb.alb_nlb.balancer import HEALTHY, UNHEALTHY, Balancer
from mock_slb.alb_nlb.resources import ADDING, DRAINING, GroupServer, Route

View = dict[str, object]
REASON = "CONNECT_FAILED"


def non_normal_servers(balancer: Balancer, route: Route) -> list[View]:
    """The servers of a route's group that are known and not normal.

    One that is only being added is not among them: absence means healthy for a confirmed member.
    """
    return [
        _non_normal(server, status)
        for server in balancer.group_of(route).servers()
        if server.status not in {ADDING, DRAINING}
        and (status := balancer.health(route, server)) != HEALTHY
    ]


def _non_normal(server: GroupServer, status: str) -> View:
    view: View = {
        "ServerId": server.server_id,
        "ServerIp": server.server_ip,
        "Port": server.port,
        "Status": status,
    }
    if status == UNHEALTHY:
        view["Reason"] = {"ReasonCode": REASON}
    return view
