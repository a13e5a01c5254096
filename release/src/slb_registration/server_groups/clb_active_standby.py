"""An active/standby server group of a Classic Load Balancer: two servers, one of which serves.

The API has no way to add, change or remove one of them: such a group is made as a whole. So it is
read and reported, and never written to.
"""

from __future__ import annotations

from aliyunsdkslb.request.v20140515.DescribeMasterSlaveServerGroupAttributeRequest import (
    DescribeMasterSlaveServerGroupAttributeRequest,
)

from slb_registration.cloud.client import Cloud
from slb_registration.model.balancer_settings import Settings
from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.server_group import (
    BackendServer,
    Changed,
    ListenerHealth,
    Members,
    StillWanted,
    always,
)
from slb_registration.server_groups.answers import objects
from slb_registration.server_groups.clb import backend_server
from slb_registration.server_groups.clb_health import HealthReader

ACTION = "DescribeMasterSlaveServerGroupAttribute"
REASON = "an active/standby server group cannot be changed server by server, only made anew"


class ActiveStandbyGroup:
    """Reads an active/standby group. Without a `port` this VM may be in it with any."""

    read_only: str | None = REASON
    round_robin = False  # nothing is lowered here

    def __init__(self, cloud: Cloud, id_: str, port: int | None, *, suffix: str = "") -> None:
        """`suffix` of the name: tells two registrations of one VM in the same group apart."""
        self.name = f"clb/{id_}{'' if port is None else f':{port}'}{suffix}"
        self.port = port
        self._cloud = cloud
        self._id = id_
        self._health: HealthReader | None = None
        self._keys: frozenset[tuple[str, int | None]] = frozenset()

    def find(self) -> Members:
        """Both servers of the group."""
        request = DescribeMasterSlaveServerGroupAttributeRequest()
        request.set_MasterSlaveServerGroupId(self._id)
        answer = self._cloud.call(request)
        load_balancer_id = answer.get("LoadBalancerId")
        if self._health is None and load_balancer_id:
            self._health = HealthReader(self._cloud, str(load_balancer_id), self._id)
        listed = objects(ACTION, answer, "MasterSlaveBackendServers", "MasterSlaveBackendServer")
        with_ports = [backend_server(ACTION, item, with_port=True) for item in listed]
        self._keys = frozenset((server.server_id, server.port) for server in with_ports)
        if self.port is not None:
            return Members(tuple(with_ports))
        return Members(tuple(backend_server(ACTION, item, with_port=False) for item in listed))

    def add(self, server: BackendServer) -> Changed:
        """Refused here; raises ApiError."""
        raise _refused("AddBackendServers", server)

    def set_weight(self, server: BackendServer) -> Changed:
        """Refused here; raises ApiError."""
        raise _refused("SetBackendServers", server)

    def remove(self, server: BackendServer) -> Changed:
        """Refused here; raises ApiError."""
        raise _refused("RemoveBackendServers", server)

    def health(self, wanted: StillWanted = always) -> tuple[ListenerHealth, ...] | None:
        """The health of both servers, as the group's load balancer reports it."""
        if self._health is None:
            self.find()
        if self._health is None:
            return ()
        found = self._health.read(wanted)
        if found is None:
            return None
        return tuple(one for one in found if (one.server_id, one.port) in self._keys)

    def settings(self, *, ask: bool = False) -> Settings | None:
        """Return what is set on the listeners; one call where it is asked for."""
        return None if self._health is None else self._health.settings(ask=ask)


def _refused(action: str, server: BackendServer) -> ApiError:
    return ApiError(action, Kind.INVALID, "ActiveStandbyGroup", f"{server.server_id}: {REASON}")
