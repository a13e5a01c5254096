"""An account as a fleet sees it: server groups in memory behind the mocked cloud's quotas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from mock_slb.core.quotas import Quotas
from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.operations import Op
from slb_registration.model.server_group import (
    BackendServer,
    Changed,
    ListenerHealth,
    Members,
    StillWanted,
    always,
)

REGION = "cn-hangzhou"
NORMAL_SECONDS = 8.0
"""How long SLB's health checks take to find a new server normal."""

_GROUP_ACTIONS = {
    Op.FIND: "ListServerGroupServers",
    Op.ADD: "AddServersToServerGroup",
    Op.SET_WEIGHT: "UpdateServerGroupServersAttribute",
    Op.REMOVE: "RemoveServersFromServerGroup",
    Op.HEALTH: "GetListenerHealthStatus",
}
ACTIONS: Mapping[str, Mapping[Op, str]] = {
    "clb": {
        Op.FIND: "DescribeVServerGroupAttribute",
        Op.ADD: "AddVServerGroupBackendServers",
        Op.SET_WEIGHT: "SetVServerGroupAttribute",
        Op.REMOVE: "RemoveVServerGroupBackendServers",
        Op.HEALTH: "DescribeHealthStatus",
    },
    "nlb": _GROUP_ACTIONS,
}
API_NAMES = {"clb": "slb", "nlb": "nlb"}
JOB_SECONDS = 1.0
"""How long an asynchronous change takes, where a product makes its changes so."""

ASYNCHRONOUS = {"nlb"}
UNPUBLISHED = {("slb", "DescribeHealthStatus"): 3000.0}
"""Of this action no quota is published: it has that of the other reads here."""


class Cloud:
    """The quotas of `product`, clb or nlb, and what was called. `now` is in seconds."""

    def __init__(self, product: str, now: Callable[[], float]) -> None:
        self.now = now
        self.lost = False
        self.calls: Counter[Op] = Counter()
        self.refused: Counter[Op] = Counter()
        self.job_seconds = JOB_SECONDS if product in ASYNCHRONOUS else 0.0
        self._product = API_NAMES[product]
        self._actions = ACTIONS[product]
        self._quotas = Quotas(now)
        self._quotas.set_published()
        for (other, action), per_minute in UNPUBLISHED.items():
            self._quotas.set(other, action, per_minute)

    def per_minute(self, op: Op) -> float:
        """The quota of an action."""
        return self._quotas.view()[f"{self._product}.{self._actions[op]}"]

    def admit(self, op: Op) -> None:
        """Count a call. Raises ApiError where it is refused or the API is lost."""
        action = self._actions[op]
        self.calls[op] += 1
        if self.lost:
            raise ApiError(action, Kind.UNAVAILABLE, "ServiceUnavailable", "lost", 503)
        if not self._quotas.try_take(self._product, action, REGION):
            self.refused[op] += 1
            raise ApiError(action, Kind.THROTTLED, "Throttling.User", "refused", 400)


class SharedServers:
    """What one server group holds."""

    def __init__(self) -> None:
        self._servers: dict[str, BackendServer] = {}
        self._members = Members(())

    def put(self, server: BackendServer) -> None:
        """Add a server, or change its weight."""
        self._servers[server.server_id] = server
        self._members = Members(tuple(self._servers.values()))

    def drop(self, server: BackendServer) -> None:
        """Take a server out."""
        self._servers.pop(server.server_id, None)
        self._members = Members(tuple(self._servers.values()))

    @property
    def members(self) -> Members:
        """As a read brings it."""
        return self._members

    def weight(self, server_id: str) -> int:
        """Of one server, 0 where it is not there."""
        server = self._servers.get(server_id)
        return 0 if server is None else server.weight


class GroupOfVm:
    """A server group as the adapter of one VM: the calls that a registrar asks for."""

    name = "simulated"
    port: int | None = None
    read_only: str | None = None

    def __init__(self, cloud: Cloud, servers: SharedServers, vm: str) -> None:
        self._cloud = cloud
        self._servers = servers
        self._vm = vm
        self._since: dict[str, float] = {}
        self._job_ends = 0.0

    @property
    def weight(self) -> int:
        """Of this VM, whether it knows it or not; 0 where it is not in the group."""
        return self._servers.weight(self._vm)

    def find(self) -> Members:
        """`busy` while the last change is being made, as the adapter's job says."""
        self._cloud.admit(Op.FIND)
        members = self._servers.members
        return replace(members, busy=True) if self._cloud.now() < self._job_ends else members

    def add(self, server: BackendServer) -> Changed:
        self._cloud.admit(Op.ADD)
        self.put(server, self._cloud.now())
        return self._accepted()

    def set_weight(self, server: BackendServer) -> Changed:
        self._cloud.admit(Op.SET_WEIGHT)
        self.put(server, self._cloud.now())
        return self._accepted()

    def remove(self, server: BackendServer) -> Changed:
        self._cloud.admit(Op.REMOVE)
        self._servers.drop(server)
        return self._accepted()

    round_robin = False

    def settings(self, *, ask: bool = False) -> None:
        """Nothing is known of them."""

    def health(self, wanted: StillWanted = always) -> tuple[ListenerHealth, ...]:
        """Of this VM alone: what is said of others is not looked at."""
        self._cloud.admit(Op.HEALTH)
        now = self._cloud.now()
        return tuple(
            ListenerHealth(
                80,
                "tcp",
                server_id,
                8080,
                "normal" if now - since >= NORMAL_SECONDS else "unavailable",
            )
            for server_id, since in self._since.items()
        )

    def put(self, server: BackendServer, since: float) -> None:
        """Let a server be there, without a call; its health checks began at `since`."""
        self._since[server.server_id] = since
        self._servers.put(server)

    def _accepted(self) -> Changed:
        self._job_ends = self._cloud.now() + self._cloud.job_seconds
        return Changed(pending=self._cloud.job_seconds > 0)
