"""What this VM's registration in one server group should be. Pure: no state, no clock.

It must never be the outage: an unhealthy VM keeps its weight if lowering it would leave too few
servers in rotation, and unknown health changes nothing that is there already.
"""

from __future__ import annotations

import enum
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Final

from slb_registration.health import Health
from slb_registration.server_groups import GOING, BackendServer, Members

MARKER_PREFIX = "bosh/"
"""How the Description of every VM begins that a job of this release has registered."""

KEPT = "kept-while-stopped"
"""How it ends while such a VM is stopped and keeps its place with weight 0."""


class Phase(enum.Enum):
    """What the operator and BOSH want of this VM."""

    SERVE = "serve"
    HOLD = "hold"  # an operator keeps it at weight 0
    LOWER = "lower"  # draining: weight 0, connections may end
    REMOVE = "remove"  # draining: out of the group


class Special(enum.Enum):
    """Goals that are no weight."""

    ABSENT = "absent"
    KEEP = "keep"  # as it is, whatever it is


ABSENT: Final = Special.ABSENT
KEEP: Final = Special.KEEP
Goal = int | Special
"""A weight to be registered with, or one of the special goals."""


@dataclass(frozen=True)
class Identity:
    """Who we are in a server group. `marker` is what our Description begins with, if anything.

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
        """Whether `server` is this VM as it is registered by this identity."""
        return server.key == (self.server_id, self.server_ip, self.port or 0)

    def holds_my_address(self, server: BackendServer) -> bool:
        """Whether `server` is another one that stands where this VM would stand."""
        same_place = server.address == self.address and server.port == self.port
        return bool(self.address) and same_place and not self.is_me(server)

    def is_predecessor(self, server: BackendServer) -> bool:
        """Whether `server` is the VM that BOSH has replaced by this one."""
        if not (self.replaces and self.marker):
            return False
        ours = server.server_id == self.server_id or server.server_id in self.also_ours
        if ours or server.server_id in self.alive:
            return False
        return self._is_marked(server) and server.port == self.port

    def must_claim(self, server: BackendServer) -> bool:
        """Whether this VM stands in the group with the marker of another one.

        An address outlives its VM in a group of type ip. As long as the other's marker stands at
        it, that one's successor takes it for its predecessor and removes it.
        """
        if self.server_type != "ip" or not self.marker or self._is_marked(server):
            return False
        return server.description.startswith(MARKER_PREFIX)

    def _is_marked(self, server: BackendServer) -> bool:
        return (server.description + "/").startswith(self.marker + "/")


@dataclass(frozen=True)
class Policy:
    """What to do when the local check fails; `panic_threshold` in percent, 0 turns it off."""

    on_unhealthy: str = "weight_zero"
    panic_threshold: int = 50


@dataclass(frozen=True)
class Wish:
    """What changes while the agent runs: the phase, and whether the local service is healthy.

    `keep`: this VM, which drains, comes back, and keeps its place with weight 0.
    """

    phase: Phase = Phase.SERVE
    local: Health = Health.UNKNOWN
    keep: bool = False


@dataclass(frozen=True)
class Floor:
    """How many of a group's servers are in rotation, and how many the panic threshold asks for."""

    needed: int
    up: int

    @property
    def broken(self) -> bool:
        """Whether too few servers are in rotation."""
        return self.up < self.needed

    @property
    def bears_one_less(self) -> bool:
        """Whether one of the servers in rotation may leave it."""
        return self.up - 1 >= self.needed


def decide(
    wish: Wish,
    me: Identity,
    policy: Policy,
    members: Members,
    *,
    served: bool,
    patience: int,
    size: int = 0,
) -> Goal:
    """What should be.

    `served`: this VM was in rotation before, so the panic threshold protects it. `patience`: how
    many reads in a row have found the threshold broken while this VM was out of rotation. `size`:
    as of `floor`.
    """
    mine = me.find(members)
    if wish.phase is Phase.REMOVE:
        return ABSENT
    if wish.phase in (Phase.LOWER, Phase.HOLD):
        return KEEP if mine is None else 0
    if wish.local is Health.HEALTHY:
        return me.weight
    if wish.local is Health.UNKNOWN:
        return 0 if mine is None else KEEP
    if policy.on_unhealthy == "ignore":
        return _ignoring(me, mine, served=served)
    if not served:
        return _lowered(policy)
    return _unhealthy(me, policy, members, floor(me, policy, members, size), patience)


def floor(me: Identity, policy: Policy, members: Members, size: int = 0) -> Floor:
    """The panic threshold's view of a group. Others do not count that are stopped for a while, that
    SLB is taking out, or that this VM replaces.

    `size`: how many servers the group had of late. With `remove` those that left for their health
    are not seen any more, and one after the other all but the last would leave.
    """
    counted = [server for server in members.servers if _counts(me, server)]
    total = max(len(counted), size) if policy.on_unhealthy == "remove" else len(counted)
    needed = -(-policy.panic_threshold * total // 100)
    return Floor(needed, sum(server.weight > 0 for server in counted))


def _counts(me: Identity, server: BackendServer) -> bool:
    if me.is_me(server):
        return server.state not in GOING
    return not (_is_kept(server) or me.is_predecessor(server) or server.state in GOING)


def _is_kept(server: BackendServer) -> bool:
    ours = server.description.startswith(MARKER_PREFIX)
    return ours and server.weight == 0 and server.description.endswith(f"/{KEPT}")


def _lowered(policy: Policy) -> Goal:
    return ABSENT if policy.on_unhealthy == "remove" else 0


def _ignoring(me: Identity, mine: BackendServer | None, *, served: bool) -> Goal:
    if served:
        return me.weight
    return 0 if mine is None else KEEP


def _unhealthy(me: Identity, policy: Policy, members: Members, view: Floor, patience: int) -> Goal:
    mine = me.find(members)
    if mine is None:
        # Visible at weight 0 it takes its turn among those that restore themselves.
        return 0 if view.broken else _lowered(policy)
    if mine.weight > 0:
        return _lowered(policy) if view.bears_one_less else KEEP
    if not view.broken:
        return _lowered(policy)
    return me.weight if _my_turn(me, members, view, patience) else 0


def _my_turn(me: Identity, members: Members, view: Floor, patience: int) -> bool:
    """Several lowered at once and the floor broke: those first by ServerId restore themselves.

    Servers that drain or are held do not, so with every further read that finds the floor broken
    one more may.
    """
    zeros = sorted(
        server.key for server in members.servers if server.weight == 0 and _counts(me, server)
    )
    rank = zeros.index((me.server_id, me.server_ip, me.port or 0))
    return rank < view.needed - view.up + patience
