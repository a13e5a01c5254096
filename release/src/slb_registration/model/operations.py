"""The operations on a server group: between a registrar and whoever carries them out."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from slb_registration.model.errors import ApiError
from slb_registration.model.server_group import BackendServer, Changed, ListenerHealth, Members

NEVER = float("-inf")
"""A moment before every other."""


class Op(enum.Enum):
    """The calls of a server group."""

    FIND = "find"
    ADD = "add"
    SET_WEIGHT = "set_weight"
    REMOVE = "remove"
    HEALTH = "health"


WRITES = (Op.ADD, Op.SET_WEIGHT, Op.REMOVE)


@dataclass(frozen=True)
class Call:
    """A call to make; `server` is what a write is about."""

    op: Op
    server: BackendServer | None = None

    @property
    def field(self) -> str:
        """Return which field of a registration a write changes."""
        return "weight" if self.op is Op.SET_WEIGHT else "registration"


@dataclass(frozen=True)
class Wait:
    """Nothing to do before this moment of the clock that steps are given."""

    until: float


Answer = Members | tuple[ListenerHealth, ...] | Changed | ApiError
"""What a call brought: in this order to FIND, to HEALTH, to a write, to any that failed."""


@dataclass(frozen=True)
class Event:
    """Something to tell the operator: level and message as of EventLog."""

    level: str
    message: str
    fields: dict[str, object] = field(default_factory=dict)
