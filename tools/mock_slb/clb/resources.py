"""Plain values of CLB."""

from __future__ import annotations

from dataclasses import dataclass

from mock_slb.core.resources import BackendKey, HealthCheck


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
    health_check: HealthCheck | None = HealthCheck()  # noqa: RUF009 - frozen
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
