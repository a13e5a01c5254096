"""The order of a drain: weight 0, wait until connections are gone, remove. Pure.

BOSH calls twice. All jobs' pre-stops run before any job's drain: ours only sees to it that no new
connection comes, since a service closes those it has in its own drain, beside which ours waits.

A VM that comes back is not removed: it keeps its place with weight 0, and that is the end.

With method `remove` the VM leaves first and connections are waited for afterwards: for listeners
under round robin, where weights have no effect.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass

from slb_registration.model.configuration import Drain
from slb_registration.model.desired import Phase

REMOVAL_SHARE = 0.25
REMOVAL_SECONDS = 15.0
"""Of the drain's time, what is not waited for connections, so that the removal and the end come
in time: a share of it, this much at most."""


class Stage(enum.Enum):
    """Where a drain is."""

    LOWERING = "lowering"
    WAITING = "waiting"
    AWAITING_DRAIN = "awaiting drain"  # the pre-stop is over
    REMOVING = "removing"
    DONE = "done"


@dataclass(frozen=True)
class Progress:
    """What is known of one server group. `unproven`: only a removal will prove that this VM is out,
    since the API does not list what the group has. `rests`: a read has shown it with weight 0, and
    not only the API's word for the change."""

    lowered: bool
    removed: bool
    unproven: bool = False
    rests: bool = False


class DrainPlan:
    """One drain, from `started` on; all times are those of one monotonic clock, in seconds."""

    def __init__(self, config: Drain, started: float) -> None:
        self._config = config
        self._leaves_first = config.method == "remove"
        self._quiet_since: float | None = None
        self._kept = False
        self.stage = Stage.REMOVING if self._leaves_first else Stage.LOWERING
        self.count_from(started)

    def count_from(self, started: float) -> None:
        """Take `started` for the beginning of its time: what BOSH was busy with does not count."""
        timeout = self._config.timeout_seconds
        self._ends = started + timeout
        self._removal_at = self._ends - min(REMOVAL_SECONDS, timeout * REMOVAL_SHARE)

    @property
    def phase(self) -> Phase:
        """What the registrars should bring about."""
        removes = self.stage in (Stage.REMOVING, Stage.DONE) and not self._kept
        return Phase.REMOVE if self._leaves_first or removes else Phase.LOWER

    @property
    def over(self) -> bool:
        """Whether there is nothing to do, or not until BOSH drains."""
        return self.stage in (Stage.AWAITING_DRAIN, Stage.DONE)

    def seconds_left(self, now: float) -> float:
        """Until the drain must have ended."""
        return max(0.0, self._ends - now)

    def waits_for_connections(self, *, pre_stop: bool = False) -> bool:
        """Whether `step` needs to know how many connections are open."""
        return self.stage is Stage.WAITING and not pre_stop

    def step(
        self,
        now: float,
        groups: Collection[Progress],
        connections: int,
        *,
        pre_stop: bool = False,
        keep: bool = False,
    ) -> Stage:
        """Take what is known now; returns the stage that the drain is in from now on.

        `pre_stop`: the drain is still to come. `keep`: this VM is not to be removed.
        """
        if self.stage is Stage.AWAITING_DRAIN and not pre_stop:
            self._go_on(now)
        elif self.stage is Stage.WAITING and self._waited(now, connections, pre_stop=pre_stop):
            proven = not any(group.unproven for group in groups)
            rests = all(group.rests for group in groups)
            self.stage = self._after_the_wait(pre_stop=pre_stop and proven, keep=keep and rests)
        if self.stage is Stage.LOWERING:
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

    def _go_on(self, now: float) -> None:
        """Begin what is the drain's. The shortest wait is over, unless another group has come."""
        if self._leaves_first:
            self._wait(now)
        else:
            self.stage = Stage.LOWERING

    def _wait(self, now: float) -> None:
        self.stage = Stage.WAITING
        if self._quiet_since is None:
            self._quiet_since = now

    def _after_the_wait(self, *, pre_stop: bool, keep: bool) -> Stage:
        if pre_stop:
            return Stage.AWAITING_DRAIN
        self._kept = keep and not self._leaves_first
        return Stage.DONE if self._leaves_first or self._kept else Stage.REMOVING

    def _waited(self, now: float, connections: int, *, pre_stop: bool) -> bool:
        if now >= self._removal_at:
            return True
        since = now if self._quiet_since is None else self._quiet_since
        quiet = now - since >= self._config.min_wait_seconds
        return quiet and (pre_stop or connections == 0)
