"""Network Load Balancer (Nlb 2022-04-30): its requests. Most parameters go in a form body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aliyunsdkcore.request import RpcRequest
from aliyunsdknlb.request.v20220430.AddServersToServerGroupRequest import (
    AddServersToServerGroupRequest,
)
from aliyunsdknlb.request.v20220430.GetJobStatusRequest import GetJobStatusRequest
from aliyunsdknlb.request.v20220430.GetListenerHealthStatusRequest import (
    GetListenerHealthStatusRequest,
)
from aliyunsdknlb.request.v20220430.GetLoadBalancerAttributeRequest import (
    GetLoadBalancerAttributeRequest,
)
from aliyunsdknlb.request.v20220430.ListListenersRequest import ListListenersRequest
from aliyunsdknlb.request.v20220430.ListServerGroupServersRequest import (
    ListServerGroupServersRequest,
)
from aliyunsdknlb.request.v20220430.ListServerGroupsRequest import ListServerGroupsRequest
from aliyunsdknlb.request.v20220430.RemoveServersFromServerGroupRequest import (
    RemoveServersFromServerGroupRequest,
)
from aliyunsdknlb.request.v20220430.UpdateServerGroupServersAttributeRequest import (
    UpdateServerGroupServersAttributeRequest,
)

from slb_registration.server_groups.product_requests import wire_tags

Servers = list[dict[str, object]]


class NlbRequests:
    """See ProductRequests. The SDK's setters for lists end in a second s, that of Add excepted."""

    def add(self, group_id: str, servers: Servers, token: str) -> RpcRequest:
        """AddServersToServerGroup."""
        request = AddServersToServerGroupRequest()
        request.set_Servers(servers)
        return _write(request, group_id, token)

    def update(self, group_id: str, servers: Servers, token: str) -> RpcRequest:
        """UpdateServerGroupServersAttribute."""
        request = UpdateServerGroupServersAttributeRequest()
        request.set_Serverss(servers)
        return _write(request, group_id, token)

    def remove(self, group_id: str, servers: Servers, token: str) -> RpcRequest:
        """RemoveServersFromServerGroup."""
        request = RemoveServersFromServerGroupRequest()
        request.set_Serverss(servers)
        return _write(request, group_id, token)

    def servers(self, group_id: str) -> RpcRequest:
        """ListServerGroupServers."""
        request = ListServerGroupServersRequest()
        request.set_ServerGroupId(group_id)
        return request

    def groups(self, ids: Sequence[str] = (), tags: Mapping[str, str] | None = None) -> RpcRequest:
        """ListServerGroups."""
        request = ListServerGroupsRequest()
        request.set_ServerGroupIdss(list(ids))
        request.set_Tag(wire_tags(tags or {}))
        return request

    def listeners(self, load_balancer_ids: Sequence[str]) -> RpcRequest:
        """ListListeners."""
        request = ListListenersRequest()
        request.set_LoadBalancerIdss(list(load_balancer_ids))
        return request

    def load_balancer(self, load_balancer_id: str) -> RpcRequest:
        """GetLoadBalancerAttribute."""
        request = GetLoadBalancerAttributeRequest()
        request.set_LoadBalancerId(load_balancer_id)
        return request

    def health(self, listener_id: str) -> RpcRequest:
        """GetListenerHealthStatus."""
        request = GetListenerHealthStatusRequest()
        request.set_ListenerId(listener_id)
        return request

    def job(self, job_id: str) -> RpcRequest | None:
        """GetJobStatus."""
        request = GetJobStatusRequest()
        request.set_JobId(job_id)
        return request


def _write(request: RpcRequest, group_id: str, token: str) -> RpcRequest:
    request.set_ServerGroupId(group_id)
    request.set_ClientToken(token)
    return request
