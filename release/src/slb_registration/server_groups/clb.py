"""Classic Load Balancer: the default group of a load balancer, and vServer groups.

Both are changed synchronously. There is no ClientToken: after an answer that was lost, look
before writing again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aliyunsdkcore.request import RpcRequest
from aliyunsdkslb.request.v20140515.AddBackendServersRequest import AddBackendServersRequest
from aliyunsdkslb.request.v20140515.AddVServerGroupBackendServersRequest import (
    AddVServerGroupBackendServersRequest,
)
from aliyunsdkslb.request.v20140515.DescribeVServerGroupAttributeRequest import (
    DescribeVServerGroupAttributeRequest,
)
from aliyunsdkslb.request.v20140515.RemoveBackendServersRequest import RemoveBackendServersRequest
from aliyunsdkslb.request.v20140515.RemoveVServerGroupBackendServersRequest import (
    RemoveVServerGroupBackendServersRequest,
)
from aliyunsdkslb.request.v20140515.SetBackendServersRequest import SetBackendServersRequest
from aliyunsdkslb.request.v20140515.SetVServerGroupAttributeRequest import (
    SetVServerGroupAttributeRequest,
)

from slb_registration.cloud.client import Cloud
from slb_registration.model.balancer_settings import Settings
from slb_registration.model.server_group import (
    BackendServer,
    Changed,
    ListenerHealth,
    Members,
    StillWanted,
    always,
)
from slb_registration.server_groups.answers import incomplete, objects, text, whole
from slb_registration.server_groups.clb_health import HealthReader, describe_load_balancer
from slb_registration.server_groups.lenient_answers import line


class DefaultGroup:
    """The default server group of a load balancer. Its servers have no port of their own."""

    port: int | None = None
    read_only: str | None = None

    def __init__(self, cloud: Cloud, load_balancer_id: str, *, suffix: str = "") -> None:
        """`suffix` of the name: tells two registrations of one VM in the same group apart."""
        self.name = f"clb/{load_balancer_id}{suffix}"
        self._cloud = cloud
        self._id = load_balancer_id
        self._health = HealthReader(cloud, load_balancer_id)
        self._vpc_id = ""

    def find(self) -> Members:
        """All servers of the default group."""
        answer = describe_load_balancer(self._cloud, self._id)
        self._vpc_id = line(answer.get("VpcId"))
        return _members("DescribeLoadBalancerAttribute", answer, with_port=False)

    def add(self, server: BackendServer) -> Changed:
        """Register a server."""
        return self._write(AddBackendServersRequest(), server)

    def set_weight(self, server: BackendServer) -> Changed:
        """Change a server's weight."""
        return self._write(SetBackendServersRequest(), server)

    def remove(self, server: BackendServer) -> Changed:
        """Take a server out."""
        return self._write(RemoveBackendServersRequest(), server)

    @property
    def round_robin(self) -> bool:
        """Return whether a listener is known that leads to the group and may not heed weights."""
        return self._health.round_robin

    def health(self, wanted: StillWanted = always) -> tuple[ListenerHealth, ...] | None:
        """The health of every server, per listener."""
        return self._health.read(wanted)

    def settings(self, *, ask: bool = False) -> Settings | None:
        """Return what is set on the listeners; one call where it is asked for."""
        found = self._health.settings(ask=ask)
        return None if found is None else replace(found, vpc_id=self._vpc_id)

    def _write(self, request: RpcRequest, server: BackendServer) -> Changed:
        request.set_LoadBalancerId(self._id)
        request.set_BackendServers(_backend_servers(server))
        self._cloud.call(request)
        return Changed()


class VServerGroup:
    """A vServer group. A server's key is its id and its port."""

    read_only: str | None = None

    def __init__(self, cloud: Cloud, vserver_group_id: str, port: int, *, suffix: str = "") -> None:
        """`suffix` of the name: tells two registrations of one VM in the same group apart."""
        self.name = f"clb/{vserver_group_id}:{port}{suffix}"
        self.port: int | None = port
        self._cloud = cloud
        self._id = vserver_group_id
        self._health: HealthReader | None = None

    def find(self) -> Members:
        """All servers of the group, whatever their port."""
        answer = self._describe()
        return _members("DescribeVServerGroupAttribute", answer, with_port=True)

    def add(self, server: BackendServer) -> Changed:
        """Register a server."""
        return self._write(AddVServerGroupBackendServersRequest(), server)

    def set_weight(self, server: BackendServer) -> Changed:
        """Change a server's weight; the group's other servers are left as they are."""
        return self._write(SetVServerGroupAttributeRequest(), server)

    def remove(self, server: BackendServer) -> Changed:
        """Take a server out."""
        return self._write(RemoveVServerGroupBackendServersRequest(), server)

    @property
    def round_robin(self) -> bool:
        """Return whether a listener is known that leads to the group and may not heed weights."""
        return self._health is not None and self._health.round_robin

    def health(self, wanted: StillWanted = always) -> tuple[ListenerHealth, ...] | None:
        """The health of the servers with this port, as the group's load balancer reports it."""
        if self._health is None:
            self._describe()
        if self._health is None:
            return ()
        found = self._health.read(wanted)
        return None if found is None else tuple(one for one in found if one.port == self.port)

    def settings(self, *, ask: bool = False) -> Settings | None:
        """Return what is set on the listeners; one call where it is asked for."""
        return None if self._health is None else self._health.settings(ask=ask)

    def _describe(self) -> dict[str, Any]:
        request = DescribeVServerGroupAttributeRequest()
        request.set_VServerGroupId(self._id)
        answer = self._cloud.call(request)
        load_balancer_id = answer.get("LoadBalancerId")
        if self._health is None and load_balancer_id:
            self._health = HealthReader(self._cloud, str(load_balancer_id), self._id)
        return answer

    def _write(self, request: RpcRequest, server: BackendServer) -> Changed:
        request.set_VServerGroupId(self._id)
        request.set_BackendServers(_backend_servers(server))
        self._cloud.call(request)
        return Changed()


def _backend_servers(server: BackendServer) -> str:
    """The API's JSON for one server. Its key alone decides what is changed."""
    fields: dict[str, object] = {
        "ServerId": server.server_id,
        "Weight": str(server.weight),
        "Type": server.server_type,
    }
    if server.server_type != "ecs":
        fields["ServerIp"] = server.server_ip
    if server.port is not None:
        fields["Port"] = str(server.port)
    if server.description:
        fields["Description"] = server.description
    return json.dumps([fields], separators=(",", ":"))


def _members(action: str, answer: Mapping[str, Any], *, with_port: bool) -> Members:
    listed = objects(action, answer, "BackendServers", "BackendServer")
    servers = tuple(backend_server(action, item, with_port=with_port) for item in listed)
    return Members(servers, implied="BackendServer" not in answer["BackendServers"])


def backend_server(action: str, item: Mapping[str, Any], *, with_port: bool) -> BackendServer:
    """A server as CLB's answers tell it; raises ApiError for an incomplete one."""
    try:
        server_type = (text(item.get("Type")) or "ecs").lower()
        return BackendServer(
            server_id=text(item["ServerId"]),
            port=whole(item["Port"]) if with_port else None,
            weight=whole(item["Weight"]),
            description=text(item.get("Description")),
            server_ip="" if server_type == "ecs" else text(item.get("ServerIp")),
            server_type=server_type,
            address=text(item.get("ServerIp")),
        )
    except (KeyError, TypeError, ValueError):
        raise incomplete(action, "a backend server") from None
