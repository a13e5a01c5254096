"""The order of a drain: weight 0, wait until connections are gone, remove. Pure.

With method `remove` the VM leaves first and connections are waited for afterwards: for listeners
under round robin, where weights have no effect.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass

from slb_registration.config import Drain
from slb_registration.goal import Phase

REMOVAL_SHARE = 0.25
REMOVAL_SECONDS = 15.0
"""Of the drain's time, what is not waited for connections, so that the removal and the end come
in time: a share of it, this much at most."""


class Stage(enum.Enum):
    """Where a drain is."""

    LOWERING = "lowering"
    WAITING = "waiting"
    REMOVING = "removing"
    DONE = "done"


@dataclass(frozen=True)
class Progress:
    """What is known of one server group."""

    lowered: bool
    removed: bool


class DrainPlan:
    """One drain, from `started` on; all times are those of one monotonic clock, in seconds."""

    def __init__(self, config: Drain, started: float) -> None:
        self._config = config
        self._leaves_first = config.method == "remove"
        self._ends = started + config.timeout_seconds
        reserve = min(REMOVAL_SECONDS, config.timeout_seconds * REMOVAL_SHARE)
        self._removal_at = self._ends - reserve
        self._quiet_since: float | None = None
        self.stage = Stage.REMOVING if self._leaves_first else Stage.LOWERING

    @property
    def phase(self) -> Phase:
        """What the registrars should bring about."""
        if self._leaves_first or self.stage in (Stage.REMOVING, Stage.DONE):
            return Phase.REMOVE
        return Phase.LOWER

    @property
    def waits_for_connections(self) -> bool:
        """Whether `step` needs to know how many connections are open."""
        return self.stage is Stage.WAITING

    def seconds_left(self, now: float) -> float:
        """Until the drain must have ended."""
        return max(0.0, self._ends - now)

    def step(self, now: float, groups: Collection[Progress], connections: int) -> Stage:
        """Take what is known now; returns the stage that the drain is in from now on."""
        if self.stage is Stage.WAITING:
            if self._waited(now, connections):
                self.stage = Stage.DONE if self._leaves_first else Stage.REMOVING
        elif self.stage is Stage.LOWERING:
            if all(group.lowered for group in groups):
                self._wait(now)  # until the next step: no connections were counted for this one
            elif now >= self._removal_at:
                self.stage = Stage.REMOVING
        if self.stage is Stage.REMOVING and all(group.removed for group in groups):
            if self._leaves_first:
                self._wait(now)
            else:
                self.stage = Stage.DONE
        return self.stage

    def end(self) -> None:
        """End it: there is nothing that could be taken out, and no one to wait for."""
        self.stage = Stage.DONE

    def _wait(self, now: float) -> None:
        self.stage = Stage.WAITING
        self._quiet_since = now

    def _waited(self, now: float, connections: int) -> bool:
        if now >= self._removal_at:
            return True
        since = now if self._quiet_since is None else self._quiet_since
        return connections == 0 and now - since >= self._config.min_wait_seconds
