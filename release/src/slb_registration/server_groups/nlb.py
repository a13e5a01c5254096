"""Network Load Balancer (Nlb 2022-04-30): its requests. Most parameters go in a form body.

The SDK's setters for lists end in a second s, that of Add excepted.
"""

from __future__ import annotations

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

from slb_registration.server_groups.product_requests import ProductRequests, Taking

NLB = ProductRequests(
    adding=Taking(AddServersToServerGroupRequest, AddServersToServerGroupRequest.set_Servers),
    updating=Taking(
        UpdateServerGroupServersAttributeRequest,
        UpdateServerGroupServersAttributeRequest.set_Serverss,
    ),
    removing=Taking(
        RemoveServersFromServerGroupRequest, RemoveServersFromServerGroupRequest.set_Serverss
    ),
    servers_of=ListServerGroupServersRequest,
    listing=Taking(ListServerGroupsRequest, ListServerGroupsRequest.set_ServerGroupIdss),
    listeners_of=Taking(ListListenersRequest, ListListenersRequest.set_LoadBalancerIdss),
    balancer=GetLoadBalancerAttributeRequest,
    health_of=GetListenerHealthStatusRequest,
    jobs=GetJobStatusRequest,
)
