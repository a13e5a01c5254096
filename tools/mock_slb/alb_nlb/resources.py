"""Plain values of ALB and NLB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mock_slb.core.resources import BackendKey

AVAILABLE = "Available"
ADDING = "Adding"
CONFIGURING = "Configuring"
REMOVING = "Removing"
DRAINING = "Draining"

ECS, ENI, ECI, IP = "Ecs", "Eni", "Eci", "Ip"
INSTANCE_GROUP, IP_GROUP = "Instance", "Ip"
FUNCTION_GROUP = "Fc"
"""Of ALB: it holds functions of Function Compute, and is in no VPC. Here it is only listed."""


@dataclass(frozen=True)
class GroupServer:
    """A server in a server group. For type Ip, `server_id` is the address itself."""

    server_id: str
    port: int
    weight: int = 100
    type: str = ECS
    server_ip: str = ""
    description: str = ""
    status: str = AVAILABLE
    zone_id: str = ""
    generation: int = 0
    """Changes each time the server is added, so that no health outlives a membership."""

    @property
    def key(self) -> BackendKey:
        """Key that tells it from others: a network interface may serve with several addresses."""
        return BackendKey(self.server_id, self.server_ip if self.type == ENI else "", self.port)


@dataclass(frozen=True)
class Rule:
    """A forwarding rule of an ALB listener."""

    id: str
    server_group_id: str
    path: str
    priority: int
    name: str


@dataclass(frozen=True)
class GroupListener:
    """A listener; its server group is the one that no rule diverts from."""

    id: str
    port: int
    protocol: str
    server_group_id: str
    status: str = "Running"
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Route:
    """A way by which a listener sends requests to a server group: by a rule, or by default."""

    listener: GroupListener
    rule: Rule | None
    server_group_id: str

    @property
    def name(self) -> str:
        """The rule's or the listener's id."""
        return self.rule.id if self.rule is not None else self.listener.id
