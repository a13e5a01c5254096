"""Plain values of an account, without behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

NORMAL = "normal"
ABNORMAL = "abnormal"
UNAVAILABLE = "unavailable"

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
    """Instances that the caller's RAM policy lets ECS show: none where it is `denied`, and never
    the `hidden` ones, as those of another account are."""

    denied: bool = False
    hidden: frozenset[str] = frozenset()

    def shows(self, instance_id: str) -> bool:
        """Tell whether DescribeInstances lists it."""
        return not self.denied and instance_id not in self.hidden


@dataclass(frozen=True)
class HealthCheck:
    """A listener's way to probe its backend servers; defaults are those of CLB."""

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


class BackendKey(NamedTuple):
    """The key that tells two servers of one group apart.

    `port` is 0 in a default group, whose servers have none. `server_ip` is empty but for network
    interfaces, of which one may serve with several addresses.
    """

    server_id: str
    server_ip: str
    port: int
