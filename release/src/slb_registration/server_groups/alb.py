"""Application Load Balancer (Alb 2020-06-16): its requests. Parameters go in the query."""

from __future__ import annotations

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

from slb_registration.server_groups.product_requests import ProductRequests, Taking

ALB = ProductRequests(
    adding=Taking(AddServersToServerGroupRequest, AddServersToServerGroupRequest.set_Servers),
    updating=Taking(
        UpdateServerGroupServersAttributeRequest,
        UpdateServerGroupServersAttributeRequest.set_Servers,
    ),
    removing=Taking(
        RemoveServersFromServerGroupRequest, RemoveServersFromServerGroupRequest.set_Servers
    ),
    servers_of=ListServerGroupServersRequest,
    listing=Taking(ListServerGroupsRequest, ListServerGroupsRequest.set_ServerGroupIds),
    listeners_of=Taking(ListListenersRequest, ListListenersRequest.set_LoadBalancerIds),
    balancer=GetLoadBalancerAttributeRequest,
    health_of=GetListenerHealthStatusRequest,
    by_rule=True,
)
