"""A VM as a backend server of one server group, told from all others."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from slb_registration.model.server_group import BackendServer, Members

MARKER_PREFIX = "bosh/"
"""How the Description of every VM begins that a job of this release has registered."""


KEPT = "kept-while-stopped"
"""How it ends while such a VM is stopped and keeps its place with weight 0."""


@dataclass(frozen=True)
class Identity:
    """This VM's identity in a server group. `marker` is what our Description begins with, if
    anything.

    `server_type` and `server_ip` as of BackendServer. `address`: this VM's, empty where it is not
    known. `also_ours`: ServerIds under which this VM is in this group, or in others, as well (a
    network interface, its IPv6 address). `alive`: ServerIds of other VMs that bear the marker, and
    registered themselves while this one looked on.
    """

    server_id: str
    port: int | None
    weight: int
    marker: str = ""
    description: str = ""
    replaces: bool = False  # a server with our marker and another id is the VM we replace
    server_type: str = "ecs"
    server_ip: str = ""
    address: str = field(default="", compare=False)
    also_ours: Container[str] = field(default=(), compare=False)
    alive: frozenset[str] = frozenset()

    def server(self, weight: int, *, kept: bool = False) -> BackendServer:
        """This VM as a backend server of that weight, or `kept` while it is stopped."""
        description = KEPT if kept and self.marker else self.description
        text = "/".join(part for part in (self.marker, description) if part)
        return BackendServer(
            self.server_id,
            self.port,
            weight,
            text,
            server_ip=self.server_ip,
            server_type=self.server_type,
        )

    def find(self, members: Members) -> BackendServer | None:
        """This VM among the servers of the group, None where it is not in it."""
        return members.get(self.server_id, self.port, self.server_ip)

    def is_me(self, server: BackendServer) -> bool:
        """Return whether `server` is this VM as it is registered by this identity."""
        return server.key == (self.server_id, self.server_ip, self.port or 0)

    def holds_my_address(self, server: BackendServer) -> bool:
        """Return whether `server` is another one that stands where this VM would stand."""
        same_place = server.address == self.address and server.port == self.port
        return bool(self.address) and same_place and not self.is_me(server)

    def is_predecessor(self, server: BackendServer) -> bool:
        """Return whether `server` is the VM that BOSH has replaced by this one."""
        if not (self.replaces and self.marker):
            return False
        ours = server.server_id == self.server_id or server.server_id in self.also_ours
        if ours or server.server_id in self.alive:
            return False
        return self._is_marked(server) and server.port == self.port

    def must_claim(self, server: BackendServer) -> bool:
        """Return whether this VM stands in the group with the marker of another one.

        An address outlives its VM in a group of type ip. As long as the other's marker stands at
        it, that one's successor takes it for its predecessor and removes it.
        """
        if self.server_type != "ip" or not self.marker or self._is_marked(server):
            return False
        return server.description.startswith(MARKER_PREFIX)

    def _is_marked(self, server: BackendServer) -> bool:
        return (server.description + "/").startswith(self.marker + "/")
