"""The desired state of a registration, and what it follows from."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from slb_registration.model.health import Health


class Phase(enum.Enum):
    """The part that the operator and BOSH want this VM to play."""

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
class Policy:
    """The action when the local check fails; `panic_threshold` in percent, 0 turns it off."""

    on_unhealthy: str = "weight_zero"
    panic_threshold: int = 50


@dataclass(frozen=True)
class Wish:
    """The wishes that change while the agent runs: the phase, and whether the local service is
    healthy.

    `keep`: this VM, which drains, comes back, and keeps its place with weight 0.
    """

    phase: Phase = Phase.SERVE
    local: Health = Health.UNKNOWN
    keep: bool = False


@dataclass(frozen=True)
class Floor:
    """The number of a group's servers in rotation, and that which the panic threshold asks for."""

    needed: int
    up: int

    @property
    def broken(self) -> bool:
        """Return whether too few servers are in rotation."""
        return self.up < self.needed

    @property
    def bears_one_less(self) -> bool:
        """Return whether one of the servers in rotation may leave it."""
        return self.up - 1 >= self.needed
