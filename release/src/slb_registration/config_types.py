"""What the agent is told, as plain data. Read and checked by config.load; nothing is checked here.

Durations are in seconds.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class StaticKeys:
    """The AccessKey pair from the manifest, with a token if it is a temporary one."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    security_token: str | None = field(repr=False)


@dataclass(frozen=True)
class GroupSpec:
    """One server group to be in: a CLB's default group, or a vServer group with its port."""

    product: str
    load_balancer_id: str | None
    vserver_group_id: str | None
    port: int | None
    weight: int
    description: str | None


@dataclass(frozen=True)
class Discovery:
    """Whether load balancers are found by their tags, and by which."""

    enabled: bool
    interval_seconds: float
    tags: Mapping[str, str]


@dataclass(frozen=True)
class HealthCheck:
    """How to find out whether the service on this VM is serving."""

    type: str
    host: str
    port: int | None
    path: str
    tls: bool
    expected_status: frozenset[int]
    script: str | None
    interval_seconds: float
    timeout_seconds: float
    healthy_threshold: int
    unhealthy_threshold: int


@dataclass(frozen=True)
class Drain:
    """How the VM is taken out of rotation."""

    timeout_seconds: float
    min_wait_seconds: float
    method: str
    connections_port: int | None
    ignore_cidrs: tuple[Network, ...]
    on_error: str


@dataclass(frozen=True)
class PostStart:
    """How long a deploy waits for the VM to be in service, and whether it needs to be."""

    timeout_seconds: float
    required: bool


@dataclass(frozen=True)
class Endpoints:
    """Where the services are, as URLs without a path; slb is None for the public endpoint."""

    slb: str | None
    metadata: str


@dataclass(frozen=True)
class LogConfig:
    """What is logged, and in which form."""

    level: str
    format: str


@dataclass(frozen=True)
class Spec:
    """What BOSH says about this instance; director is false under create-env."""

    id: str
    deployment: str
    instance_group: str
    director: bool
    address: str


@dataclass(frozen=True)
class Config:
    """Everything the agent was told."""

    keys: StaticKeys
    region: str | None
    instance_id: str | None
    groups: tuple[GroupSpec, ...]
    discovery: Discovery
    endpoints: Endpoints
    register: bool
    health_check: HealthCheck
    on_unhealthy: str
    panic_threshold: int
    reconcile_interval_seconds: float
    drain: Drain
    post_start: PostStart
    dns_enabled: bool
    log: LogConfig
    metrics_port: int | None
    spec: Spec
    run_dir: Path
    data_dir: Path
