"""What this VM's registration in one server group should be. Pure: no state, no clock.

It must never be the outage: an unhealthy VM keeps its weight if lowering it would leave too few
servers in rotation, and unknown health changes nothing that is there already.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from slb_registration.health import Health
from slb_registration.server_groups import BackendServer, Members


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
    """Who we are in a server group. `marker` is what our Description begins with, if anything."""

    server_id: str
    port: int | None
    weight: int
    marker: str = ""
    description: str = ""
    replaces: bool = False  # a server with our marker and another id is the VM we replace

    def server(self, weight: int) -> BackendServer:
        """This VM as a backend server of that weight."""
        text = "/".join(part for part in (self.marker, self.description) if part)
        return BackendServer(self.server_id, self.port, weight, text)

    def is_predecessor(self, server: BackendServer) -> bool:
        """Whether `server` is the VM that BOSH has replaced by this one."""
        if not (self.replaces and self.marker) or server.server_id == self.server_id:
            return False
        marked = (server.description + "/").startswith(self.marker + "/")
        return marked and server.port == self.port


@dataclass(frozen=True)
class Policy:
    """What to do when the local check fails; `panic_threshold` in percent, 0 turns it off."""

    on_unhealthy: str = "weight_zero"
    panic_threshold: int = 50


@dataclass(frozen=True)
class Wish:
    """What changes while the agent runs: the phase, and whether the local service is healthy."""

    phase: Phase = Phase.SERVE
    local: Health = Health.UNKNOWN


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
    wish: Wish, me: Identity, policy: Policy, members: Members, *, served: bool, patience: int
) -> Goal:
    """What should be.

    `served`: this VM was in rotation before, so the panic threshold protects it. `patience`: how
    many reads in a row have found the threshold broken while this VM was out of rotation.
    """
    mine = members.get(me.server_id, me.port)
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
    return _unhealthy(me, mine, policy, members, patience)


def floor(me: Identity, policy: Policy, members: Members) -> Floor:
    """The panic threshold's view of a group; a VM that this one replaces does not count."""
    counted = [server for server in members.servers if not me.is_predecessor(server)]
    needed = -(-policy.panic_threshold * len(counted) // 100)
    return Floor(needed, sum(server.weight > 0 for server in counted))


def _lowered(policy: Policy) -> Goal:
    return ABSENT if policy.on_unhealthy == "remove" else 0


def _ignoring(me: Identity, mine: BackendServer | None, *, served: bool) -> Goal:
    if served:
        return me.weight
    return 0 if mine is None else KEEP


def _unhealthy(
    me: Identity, mine: BackendServer | None, policy: Policy, members: Members, patience: int
) -> Goal:
    view = floor(me, policy, members)
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
        (server.server_id, server.port or 0)
        for server in members.servers
        if server.weight == 0 and not me.is_predecessor(server)
    )
    rank = zeros.index((me.server_id, me.port or 0))
    return rank < view.needed - view.up + patience
