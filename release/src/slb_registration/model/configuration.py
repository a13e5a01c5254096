"""The configuration, as plain data. Read and checked by config.load; nothing is checked here.

Durations are in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from slb_registration.model.addresses import Network

ANY_PORT = 0
"""The port of every server in an NLB server group that forwards all ports (AnyPortEnabled)."""


def lowest_port(product: str) -> int:
    """Return the lowest port that a server can have in server groups of the product."""
    return ANY_PORT if product == "nlb" else 1


MOST_GROUPS = 200
"""Of one VM, by the manifest alone and over all that ask for them. Each has a thread. CLB's quota
lets one server into 50: this leaves room for ALB, NLB and a quota that was raised."""


@dataclass(frozen=True)
class StaticKeys:
    """The AccessKey pair from the manifest, with a token if it is a temporary one."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    security_token: str | None = field(repr=False)


@dataclass(frozen=True)
class CredentialConfig:
    """The source of the keys: `source` is static, ecs_ram_role or assume_role.

    With assume_role, `keys` or those in `credentials_file` assume it, else the instance's role.
    """

    source: str
    keys: StaticKeys | None
    ram_role_name: str | None
    role_arn: str | None
    session_name: str
    duration_seconds: int
    credentials_file: Path | None


GroupIds = tuple[str, str | None, str | None, str | None, str | None]
"""A server group: product, and which load balancer, vServer, active/standby or server group."""


@dataclass(frozen=True)
class GroupSpec:
    """One server group to be in, and as what.

    Of clb it is a default group (`load_balancer_id`), a vServer group with its port, or an
    active/standby group; of alb and nlb a server group (`server_group_id`) with its port, which is
    ANY_PORT in those of nlb that forward all ports.
    `server_type` is ecs, eni or ip; `server_id` and `server_ip` are None where the instance or the
    metadata service tells them.
    """

    product: str
    load_balancer_id: str | None
    vserver_group_id: str | None
    port: int | None
    weight: int
    description: str | None
    active_standby_group_id: str | None = None
    server_group_id: str | None = None
    server_type: str = "ecs"
    server_id: str | None = None
    server_ip: str | None = None

    @property
    def group_ids(self) -> GroupIds:
        """Return which server group it is, as whatever this VM is in it."""
        clb = (self.load_balancer_id, self.vserver_group_id, self.active_standby_group_id)
        return (self.product, *clb, self.server_group_id)


@dataclass(frozen=True)
class Discovery:
    """The tags by which load balancers and server groups are found, if they are.

    `leave`: whether one whose tags are gone is left.
    """

    enabled: bool
    interval_seconds: float
    tags: Mapping[str, str]
    products: tuple[str, ...] = ("clb", "alb", "nlb")
    leave: bool = False


@dataclass(frozen=True)
class HealthCheck:
    """The way to find out whether the service on this VM is serving."""

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

    @property
    def names_its_place(self) -> bool:
        """Return whether the port of a server group has no say in what is checked."""
        return self.port is not None or self.type in ("script", "none")

    def of(self, spec: GroupSpec, default_port: int | None) -> HealthCheck:
        """As it is made for a server group: one that forwards all ports is checked on the default
        port, where no other is named."""
        if spec.port != ANY_PORT or self.port is not None:
            return self
        return replace(self, port=default_port)


@dataclass(frozen=True)
class PortRanges:
    """Ports, as an operator has named them. `port in ranges` tells whether it is one of them."""

    ranges: tuple[range, ...]

    def __contains__(self, port: object) -> bool:
        return any(port in one for one in self.ranges)


@dataclass(frozen=True)
class Drain:
    """The way in which the VM is taken out of rotation."""

    timeout_seconds: float
    min_wait_seconds: float
    method: str
    connections_port: PortRanges | None
    ignore_cidrs: tuple[Network, ...]
    on_error: str
    keep_registered: str = "auto"


@dataclass(frozen=True)
class Readiness:
    """The place where the agent answers load balancers' checks; None is the VM's own address."""

    port: int
    address: str | None


@dataclass(frozen=True)
class MetricsTls:
    """PEM files: the agent's certificate and its key, and the authority of who may ask."""

    certificate: Path
    private_key: Path
    ca: Path


@dataclass(frozen=True)
class Metrics:
    """The place where Prometheus may ask. Without TLS it is a loopback address."""

    port: int
    address: str
    tls: MetricsTls | None = None


@dataclass(frozen=True)
class PostStart:
    """The time that a deploy waits for the VM to be in service, and whether it needs to be."""

    timeout_seconds: float
    required: bool


@dataclass(frozen=True)
class Endpoints:
    """The places of the services, as URLs without a path; None for a product's public endpoint."""

    slb: str | None
    metadata: str
    alb: str | None = None
    nlb: str | None = None
    sts: str | None = None
    ecs: str | None = None

    @property
    def by_product(self) -> Mapping[str, str | None]:
        """Those of the API's products, by the name that the SDK gives them, in lower case."""
        return {
            "slb": self.slb,
            "alb": self.alb,
            "nlb": self.nlb,
            "sts": self.sts,
            "ecs": self.ecs,
        }


@dataclass(frozen=True)
class LogConfig:
    """The level of the log, and its form."""

    level: str
    format: str


@dataclass(frozen=True)
class Spec:
    """The instance as BOSH describes it; director is false under create-env."""

    id: str
    deployment: str
    instance_group: str
    director: bool
    address: str


@dataclass(frozen=True)
class Backend:
    """The origin of the service's port and path, in words; None where neither has a meaning.

    `ignored`: why the link slb-backend is not used, None where it is, or where there is none.
    """

    port_from: str = "default"
    path_from: str | None = None
    ignored: str | None = None


@dataclass(frozen=True)
class Config:
    """Everything the agent was told."""

    credentials: CredentialConfig
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
    fleet_size: int
    drain: Drain
    post_start: PostStart
    dns_enabled: bool
    log: LogConfig
    metrics: Metrics | None
    spec: Spec
    run_dir: Path
    data_dir: Path
    port: int | None = None
    backend: Backend = Backend()
    network: str = "internet"
    ca_bundle: Path | None = None
    dynamic_config_globs: tuple[str, ...] = ()
    readiness: Readiness | None = None
    mode: str = "register"

    @property
    def observes(self) -> bool:
        """Return whether what would be changed is only told."""
        return self.register and self.mode == "observe"

    @property
    def keys(self) -> StaticKeys | None:
        """The keys that stand in the manifest, None where they come from elsewhere."""
        return self.credentials.keys
