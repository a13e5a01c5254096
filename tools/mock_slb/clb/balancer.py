"""A CLB instance: what it listens on, what is behind it, and how healthy that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mock_slb.clb.group import ServerGroup
from mock_slb.clb.resources import Backend, Listener
from mock_slb.core.resources import UNAVAILABLE, HealthCheck
from mock_slb.core.tagged import Tagged

if TYPE_CHECKING:
    from mock_slb.clb.fleet import Fleet

MASTER = "Master"
SLAVE = "Slave"


class LoadBalancer(Tagged):
    """A CLB instance with its default group, vServer groups, listeners and tags."""

    def __init__(
        self,
        fleet: Fleet,
        id_: str,
        *,
        name: str,
        tags: Mapping[str, str],
        region: str,
        vpc_id: str,
    ) -> None:
        super().__init__(fleet.account, tags)
        self.id = id_
        self.name = name
        self.region = region
        self.status = "active"
        self.vpc_id = vpc_id
        self.address = "192.168.255.1"
        self.created_at = fleet.account.now()
        self.default_group = ServerGroup(
            fleet.account, id_, "default", load_balancer_id=id_, ports=False
        )
        self.listeners: dict[str, Listener] = {}
        self._fleet = fleet

    def add_listener(
        self,
        port: int,
        protocol: str = "tcp",
        *,
        backend_port: int | None = None,
        vserver_group: str | None = None,
        master_slave_group: str | None = None,
        health_check: HealthCheck | None = HealthCheck(),  # noqa: B008 - frozen
        scheduler: str = "wrr",
        status: str = "running",
        description: str = "",
        connection_drain_seconds: int | None = None,
        sticky_seconds: int | None = None,
    ) -> Listener:
        """Open a frontend port; `backend_port` defaults to it, `health_check=None` is off.

        Raises ValueError for a listener that is there already or a group that is not.
        """
        if backend_port is None and vserver_group is None and master_slave_group is None:
            backend_port = port
        listener = Listener(
            port=port,
            protocol=protocol,
            backend_port=backend_port,
            vserver_group_id=vserver_group,
            master_slave_group_id=master_slave_group,
            health_check=health_check,
            scheduler=scheduler,
            status=status,
            description=description,
            connection_drain_seconds=connection_drain_seconds,
            sticky_seconds=sticky_seconds,
        )
        with self._account.lock:
            if listener.name in self.listeners:
                raise ValueError(f"{self.id} already has a listener {listener.name}")
            self.group_of(listener)
            self.listeners[listener.name] = listener
        return listener

    def add_vserver_group(
        self, id_: str, *, name: str = "", tags: Mapping[str, str] | None = None
    ) -> ServerGroup:
        """Make a vServer group; raises ValueError for an id that is taken."""
        return self._fleet.add_group(
            ServerGroup(
                self._account,
                id_,
                name or id_,
                load_balancer_id=self.id,
                ports=True,
                tags=tags,
            )
        )

    def add_master_slave_group(
        self,
        id_: str,
        *,
        master: tuple[str, int],
        slave: tuple[str, int],
        name: str = "",
        tags: Mapping[str, str] | None = None,
    ) -> ServerGroup:
        """Make an active/standby group of two servers, each given as (server id, port).

        Raises ValueError for an id that is taken, ApiError for a server that may not enter.
        """
        group = ServerGroup(
            self._account,
            id_,
            name or id_,
            load_balancer_id=self.id,
            ports=True,
            tags=tags,
            active_standby=True,
        )
        group.add(
            [
                Backend(*master, weight=100, server_type=MASTER),
                Backend(*slave, weight=100, server_type=SLAVE),
            ]
        )
        return self._fleet.add_group(group)

    def group_of(self, listener: Listener) -> ServerGroup:
        """The servers behind a listener."""
        if listener.master_slave_group_id is not None:
            return self._fleet.master_slave_group(listener.master_slave_group_id)
        if listener.vserver_group_id is None:
            return self.default_group
        return self._fleet.group(listener.vserver_group_id)

    def vserver_groups(self) -> list[ServerGroup]:
        """The vServer groups of this load balancer."""
        return [group for group in self._groups() if not group.active_standby]

    def master_slave_groups(self) -> list[ServerGroup]:
        """The active/standby groups of this load balancer."""
        return [group for group in self._groups() if group.active_standby]

    def health(self, listener: Listener, backend: Backend) -> str:
        """Health as CLB reports it of a backend server: normal, abnormal or unavailable."""
        with self._account.lock:
            forced = self._account.forced_health.get(backend.server_id)
            if forced is not None:
                return forced
            if listener.health_check is None:
                return UNAVAILABLE
            return self.group_of(listener).health(listener.name, backend) or UNAVAILABLE

    def report_health(self, listener: Listener, backend: Backend, status: str) -> None:
        """Take the verdict of a probe (or of a test)."""
        self.group_of(listener).report_health(listener.name, backend, status)

    def _groups(self) -> list[ServerGroup]:
        return [g for g in self._fleet.groups() if g.load_balancer_id == self.id]
