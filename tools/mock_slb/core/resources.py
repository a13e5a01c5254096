"""What an account is made of: plain values without behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

DEFAULT_VPC = "vpc-mock"


@dataclass(frozen=True)
class AccessKey:
    """A key pair; with a token it is a short-lived (STS) one that ends at `expires_at`."""

    id: str
    secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    """Seconds since the epoch, on the account's clock."""


@dataclass(frozen=True)
class Instance:
    """An ECS instance or a network interface (`type` eni) that can be a backend server."""

    id: str
    host: str
    """Where probes really connect, e.g. 127.0.0.1."""
    ports: Mapping[int, int]
    """Backend port -> port on `host`, so that a service on an unprivileged port can stand in."""
    private_ip: str
    type: str = "ecs"
    running: bool = True
    zone_id: str = "cn-hangzhou-h"
    vpc_id: str = DEFAULT_VPC
    mac: str = "00:16:3e:00:00:01"
    is_self: bool = False
    """The metadata service answers for this instance."""
    eni_id: str = ""
    """Its primary network interface, which can be a backend server of its own (type eni)."""
    other_ips: tuple[str, ...] = ()
    """Further addresses of that interface, IPv6 ones included."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address, the primary one first."""
        return (self.private_ip, *self.other_ips)


@dataclass(frozen=True)
class EcsAccess:
    """What the caller's RAM policy lets ECS show: nothing where it is `denied`, and never what is
    `hidden`, as instances of another account are."""

    denied: bool = False
    hidden: frozenset[str] = frozenset()

    def shows(self, instance_id: str) -> bool:
        """Whether DescribeInstances lists it."""
        return not self.denied and instance_id not in self.hidden


@dataclass(frozen=True)
class HealthCheck:
    """How a listener probes its backend servers; defaults are those of CLB."""

    type: str = "tcp"
    interval_seconds: float = 2.0
    timeout_seconds: float = 5.0
    healthy_threshold: int = 3
    unhealthy_threshold: int = 3
    port: int | None = None
    """Backend port to probe instead of the one that is served."""
    path: str = "/"
    domain: str = ""
    method: str = "head"
    http_codes: tuple[str, ...] = ("http_2xx",)


@dataclass(frozen=True)
class Listener:
    """A frontend port of a load balancer; without a vServer group it serves the default group."""

    port: int
    protocol: str
    backend_port: int | None
    """Port of the default group's servers; servers of a vServer group have their own."""
    vserver_group_id: str | None = None
    master_slave_group_id: str | None = None
    """The active/standby group that it serves instead."""
    health_check: HealthCheck | None = HealthCheck()
    """None: the check is off, and SLB reports `unavailable`."""
    scheduler: str = "wrr"
    status: str = "running"
    description: str = ""
    connection_drain_seconds: int | None = None
    """How long connections to a server that is removed or fails go on; None: draining is off."""
    sticky_seconds: int | None = None
    """How long a client stays with its server; None: session persistence is off."""

    @property
    def name(self) -> str:
        """The listener's key within its load balancer, e.g. tcp:80."""
        return f"{self.protocol}:{self.port}"


class BackendKey(NamedTuple):
    """What tells two servers of one group apart.

    `port` is 0 in a default group, whose servers have none. `server_ip` is empty but for network
    interfaces, of which one may serve with several addresses.
    """

    server_id: str
    server_ip: str
    port: int


@dataclass(frozen=True)
class Backend:
    """A server in a server group."""

    server_id: str
    port: int
    weight: int
    type: str = "ecs"
    server_ip: str = ""
    description: str = ""
    server_type: str = ""
    """Master or Slave in an active/standby group."""
    generation: int = 0
    """Changes each time the server is added, so that no health outlives a membership."""

    @property
    def key(self) -> BackendKey:
        """See BackendKey."""
        return BackendKey(self.server_id, "" if self.type == "ecs" else self.server_ip, self.port)
