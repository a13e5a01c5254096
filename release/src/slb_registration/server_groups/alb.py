"""Application Load Balancer (Alb 2020-06-16): its requests. Parameters go in the query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aliyunsdkalb.request.v20200616.AddServersToServerGroupRequest import (
    AddServersToServerGroupRequest,
)
from aliyunsdkalb.request.v20200616.GetListenerHealthStatusRequest import (
    GetListenerHealthStatusRequest,
)
from aliyunsdkalb.request.v20200616.GetLoadBalancerAttributeRequest import (
    GetLoadBalancerAttributeRequest,
)
from aliyunsdkalb.request.v20200616.ListListenersRequest import ListListenersRequest
from aliyunsdkalb.request.v20200616.ListServerGroupServersRequest import (
    ListServerGroupServersRequest,
)
from aliyunsdkalb.request.v20200616.ListServerGroupsRequest import ListServerGroupsRequest
from aliyunsdkalb.request.v20200616.RemoveServersFromServerGroupRequest import (
    RemoveServersFromServerGroupRequest,
)
from aliyunsdkalb.request.v20200616.UpdateServerGroupServersAttributeRequest import (
    UpdateServerGroupServersAttributeRequest,
)
from aliyunsdkcore.request import RpcRequest

from slb_registration.server_groups.product_requests import wire_tags

Servers = list[dict[str, object]]


class AlbRequests:
    """See ProductRequests."""

    def add(self, group_id: str, servers: Servers, token: str) -> RpcRequest:
        """AddServersToServerGroup."""
        request = AddServersToServerGroupRequest()
        request.set_Servers(servers)
        return _write(request, group_id, token)

    def update(self, group_id: str, servers: Servers, token: str) -> RpcRequest:
        """UpdateServerGroupServersAttribute."""
        request = UpdateServerGroupServersAttributeRequest()
        request.set_Servers(servers)
        return _write(request, group_id, token)

    def remove(self, group_id: str, servers: Servers, token: str) -> RpcRequest:
        """RemoveServersFromServerGroup."""
        request = RemoveServersFromServerGroupRequest()
        request.set_Servers(servers)
        return _write(request, group_id, token)

    def servers(self, group_id: str) -> RpcRequest:
        """ListServerGroupServers."""
        request = ListServerGroupServersRequest()
        request.set_ServerGroupId(group_id)
        return request

    def groups(self, ids: Sequence[str] = (), tags: Mapping[str, str] | None = None) -> RpcRequest:
        """ListServerGroups."""
        request = ListServerGroupsRequest()
        request.set_ServerGroupIds(list(ids))
        request.set_Tag(wire_tags(tags or {}))
        return request

    def listeners(self, load_balancer_ids: Sequence[str]) -> RpcRequest:
        """ListListeners."""
        request = ListListenersRequest()
        request.set_LoadBalancerIds(list(load_balancer_ids))
        return request

    def load_balancer(self, load_balancer_id: str) -> RpcRequest:
        """GetLoadBalancerAttribute."""
        request = GetLoadBalancerAttributeRequest()
        request.set_LoadBalancerId(load_balancer_id)
        return request

    def health(self, listener_id: str) -> RpcRequest:
        """GetListenerHealthStatus, with the groups that the listener's rules send requests to."""
        request = GetListenerHealthStatusRequest()
        request.set_ListenerId(listener_id)
        request.set_IncludeRule("true")
        return request

    def job(self, job_id: str) -> RpcRequest | None:  # noqa: ARG002 - NLB has it
        """ALB has no GetJobStatus: the servers' states tell."""
        return None


def _write(request: RpcRequest, group_id: str, token: str) -> RpcRequest:
    request.set_ServerGroupId(group_id)
    request.set_ClientToken(token)
    return request
