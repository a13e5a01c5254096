"""What the adapter of ALB's and NLB's server groups needs of a product: its requests.

Both products have the same actions with the same parameters; their request classes differ in
where these go (query, form body) and in the names of the setters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

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

_TYPES = {"ecs": "Ecs", "eni": "Eni", "ip": "Ip", "eci": "Eci"}


class ProductRequests(Protocol):
    """Makes new requests: the SDK leaves its marks in used ones."""

    def add(self, group_id: str, servers: list[dict[str, object]], token: str) -> RpcRequest:
        """AddServersToServerGroup."""
        ...

    def update(self, group_id: str, servers: list[dict[str, object]], token: str) -> RpcRequest:
        """UpdateServerGroupServersAttribute."""
        ...

    def remove(self, group_id: str, servers: list[dict[str, object]], token: str) -> RpcRequest:
        """RemoveServersFromServerGroup."""
        ...

    def servers(self, group_id: str) -> RpcRequest:
        """ListServerGroupServers."""
        ...

    def groups(self, ids: Sequence[str] = (), tags: Mapping[str, str] | None = None) -> RpcRequest:
        """ListServerGroups: those with these ids, or with every one of these tags."""
        ...

    def listeners(self, load_balancer_ids: Sequence[str]) -> RpcRequest:
        """ListListeners."""
        ...

    def load_balancer(self, load_balancer_id: str) -> RpcRequest:
        """GetLoadBalancerAttribute."""
        ...

    def health(self, listener_id: str) -> RpcRequest:
        """GetListenerHealthStatus."""
        ...

    def job(self, job_id: str) -> RpcRequest | None:
        """GetJobStatus; None where the product has no such action."""
        ...


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
