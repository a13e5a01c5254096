"""The requests of ALB and NLB: one way to make them, over a table of each product's classes.

Both products have the same actions with the same parameters; their request classes differ in
where these go (query, form body) and in the names of the setters. The tables are `alb` and `nlb`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aliyunsdkcore.request import RpcRequest

from slb_registration.cloud.client import Cloud
from slb_registration.model.server_group import BackendServer
from slb_registration.server_groups.answers import incomplete, own_list

PAGE_SIZE = 100
"""The largest page that the lists of all products give."""

HEALTH_PAGE_SIZE = 30
"""The largest page of ALB's GetListenerHealthStatus, which refuses what asks for more."""

GROUP_IDS_AT_ONCE = 20
"""The most ids that ListServerGroups takes."""

PAGES_AT_MOST = 100
"""Ten thousand entries, ten times the quota of any of the lists."""

Servers = list[dict[str, object]]
"""As `wire_server` makes them."""

_TYPES = {"ecs": "Ecs", "eni": "Eni", "ip": "Ip", "eci": "Eci"}


@dataclass(frozen=True)
class Taking:
    """A request that takes a list, and the setter for it, whose name differs between products."""

    kind: type[RpcRequest]
    put: Callable[[RpcRequest, Sequence[object]], None]

    def of(self, listed: Sequence[object]) -> RpcRequest:
        """Make one that takes `listed`."""
        request = self.kind()
        self.put(request, listed)
        return request


@dataclass(frozen=True)
class ProductRequests:
    """The requests of a product: classes of its SDK, by what the adapter uses them for.

    Each method makes a new request, since the SDK leaves its marks in used ones. `jobs` is None
    where the product has no GetJobStatus: there the servers' states tell. `by_rule`: the health
    is asked for with the groups that the listener's rules send requests to.
    """

    adding: Taking
    updating: Taking
    removing: Taking
    servers_of: type[RpcRequest]
    listing: Taking
    listeners_of: Taking
    balancer: type[RpcRequest]
    health_of: type[RpcRequest]
    jobs: type[RpcRequest] | None = None
    by_rule: bool = False

    def add(self, group_id: str, servers: Servers, token: str) -> RpcRequest:
        """AddServersToServerGroup."""
        return _write(self.adding.of(servers), group_id, token)

    def update(self, group_id: str, servers: Servers, token: str) -> RpcRequest:
        """UpdateServerGroupServersAttribute."""
        return _write(self.updating.of(servers), group_id, token)

    def remove(self, group_id: str, servers: Servers, token: str) -> RpcRequest:
        """RemoveServersFromServerGroup."""
        return _write(self.removing.of(servers), group_id, token)

    def servers(self, group_id: str) -> RpcRequest:
        """ListServerGroupServers."""
        request = self.servers_of()
        request.set_ServerGroupId(group_id)
        return request

    def groups(self, ids: Sequence[str] = (), tags: Mapping[str, str] | None = None) -> RpcRequest:
        """ListServerGroups: those with these ids, or with every one of these tags."""
        request = self.listing.of(list(ids))
        request.set_Tag(wire_tags(tags or {}))
        return request

    def listeners(self, load_balancer_ids: Sequence[str]) -> RpcRequest:
        """ListListeners."""
        return self.listeners_of.of(list(load_balancer_ids))

    def load_balancer(self, load_balancer_id: str) -> RpcRequest:
        """GetLoadBalancerAttribute."""
        request = self.balancer()
        request.set_LoadBalancerId(load_balancer_id)
        return request

    def health(self, listener_id: str) -> RpcRequest:
        """GetListenerHealthStatus."""
        request = self.health_of()
        request.set_ListenerId(listener_id)
        if self.by_rule:
            request.set_IncludeRule("true")
        return request

    def job(self, job_id: str) -> RpcRequest | None:
        """GetJobStatus; None where the product has no such action."""
        if self.jobs is None:
            return None
        request = self.jobs()
        request.set_JobId(job_id)
        return request


def wire_server(server: BackendServer, *, key_only: bool = False) -> dict[str, object]:
    """A server as the requests take it."""
    fields: dict[str, object] = {
        "ServerId": server.server_id,
        "ServerType": _TYPES.get(server.server_type, server.server_type),
        "Port": server.port,
    }
    if server.server_ip:
        fields["ServerIp"] = server.server_ip
    if not key_only:
        fields["Weight"] = server.weight
        if server.description:
            fields["Description"] = server.description
    return fields


def _write(request: RpcRequest, group_id: str, token: str) -> RpcRequest:
    request.set_ServerGroupId(group_id)
    request.set_ClientToken(token)
    return request


def wire_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as the requests take them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def pages(cloud: Cloud, make: Any, size: int = PAGE_SIZE) -> Iterator[Mapping[str, Any]]:
    """All answers, of `size` entries each, to a request that `make` makes anew for every page.

    A listing that does not end is broken: part of it must not pass for all of it.
    """
    token = ""
    seen: set[str] = set()
    for _ in range(PAGES_AT_MOST):
        request = make()
        request.set_MaxResults(size)
        if token:
            request.set_NextToken(token)
        answer = cloud.call(request)
        yield answer
        token = str(answer.get("NextToken") or "")
        if not token:
            return
        if token in seen:
            break
        seen.add(token)
    raise incomplete(str(make().get_action_name()), "an end")


def listed(cloud: Cloud, make: Any, name: str) -> Iterator[Mapping[str, Any]]:
    """The objects under `name` of all pages; only one page is in memory at a time."""
    action = str(make().get_action_name())
    for answer in pages(cloud, make):
        yield from own_list(action, answer, name) or ()
