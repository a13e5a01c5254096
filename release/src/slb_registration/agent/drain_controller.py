"""The phase of this VM: it serves, is held or leaves, by the marker files and the drain under
way."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path

from slb_registration.agent.holding import Holding
from slb_registration.instance import markers
from slb_registration.instance.connection_tables import Ports
from slb_registration.instance.local_ends import LocalEnds, is_here
from slb_registration.instance.markers import UNKNOWN_SINCE, Held, Stop
from slb_registration.model.configuration import ANY_PORT, Drain
from slb_registration.model.desired import Phase
from slb_registration.model.orders import Order
from slb_registration.model.status import GroupStatus
from slb_registration.reconcile.drain_plan import DrainPlan, Progress, Stage
from slb_registration.support.logs.event_log import EventLog


class DrainController:
    """Follows the markers, and orders for which no marker could be written (a full disk).

    `follow` is called by the agent's main thread only. `checked_port` tells on which port the
    service behind a group is checked, where it is on one; `connections` how many there were at that
    moment or later, None where that is not known yet, and raises OSError; `has_address` whether it
    is one of this VM's.

    `clock` is monotonic; `wall` is only used to learn how much of its time a drain that began
    before this process has used.
    """

    def __init__(
        self,
        config: Drain,
        data_dir: Path,
        log: EventLog,
        *,
        run_dir: Path | None = None,
        checked_port: Callable[[GroupStatus], int | None],
        connections: Callable[[Ports, float], int | None],
        has_address: Callable[[str], bool] = is_here,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.plan: DrainPlan | None = None
        self.draining_since: float | None = None
        self.held: Held | None = None
        self.connections: int | None = None
        self._config = config
        self._draining = markers.draining(data_dir, run_dir)
        hold = markers.hold(data_dir, run_dir)
        self._holding = Holding(hold, log, clock=clock, wall=wall)
        self._log = log
        self._clock = clock
        self._wall = wall
        self._connections = connections
        self._ends = LocalEnds(checked_port, has_address)
        self._waiting_since = 0.0
        self._ordered: dict[Order, float] = {}
        self._uncounted = False
        self._began = 0.0
        self._stop: Stop | None = None  # the one that the plan counts by

    def order(self, order: Order) -> None:
        """Take an order for as long as this process lives."""
        if order is Order.HOLD:
            self._holding.order()
            return
        if order in (Order.PRE_STOP, Order.DRAIN):
            if order is Order.PRE_STOP:
                self._ordered.pop(Order.DRAIN, None)
            self._ordered.setdefault(order, self._wall())
            return
        self._ordered.pop(Order.PRE_STOP, None)
        self._ordered.pop(Order.DRAIN, None)
        if order is Order.RESUME:
            self._holding.resume()

    def follow(
        self, statuses: Collection[GroupStatus], *, complete: bool, barred: bool = False
    ) -> Phase:
        """The phase as of now. `complete`: all server groups are known; `barred`: they cannot be,
        and this VM was never seen in any."""
        self._ends.follow(statuses)
        stop = self._draining.read() or self._ordered_stop
        if stop is not None and stop.since == UNKNOWN_SINCE and self._stop is not None:
            stop = self._stop  # it cannot be read for a moment
        self.draining_since = None if stop is None else stop.since
        self.held = self._holding.follow()
        if stop is None:
            if self.plan is not None:
                self._log.info("drain ended by an operator or a new start")
            self.plan = self._stop = None
            self.connections = None
            return Phase.SERVE if self.held is None else Phase.HOLD
        plan = self.plan
        if plan is None or self._is_new_stop(stop.since, statuses):
            plan = self._begin(stop, statuses)
        elif stop != self._stop or plan.stage is Stage.AWAITING_DRAIN:
            plan.count_from(self._counted_from(stop))
        begins, self.plan, self._stop = plan is not self.plan, plan, stop
        # Where no marker can be written any more, the order stands for it.
        pre_stop = stop.drain_follows and Order.DRAIN not in self._ordered
        left = [status for status in statuses if status.barred is None]
        progress = [
            Progress(status.lowered, status.removed, status.unproven, status.rests)
            for status in left
        ]
        # Before a drain begins, what was given up proves nothing: it is looked at anew for it.
        known = complete or (barred and not begins)
        if not known or (begins and not progress):
            progress.append(Progress(lowered=False, removed=False))
        return self._continue(plan, progress, pre_stop=pre_stop, keep=stop.keep)

    @property
    def keeps(self) -> bool:
        """Return whether this VM, which drains, keeps its place with weight 0, as far as is
        known."""
        return self._stop is not None and self._stop.keep

    @property
    def drained(self) -> bool:
        """Return whether the drain is done."""
        return self.plan is not None and self.plan.stage is Stage.DONE

    @property
    def over(self) -> bool:
        """Return whether the drain is done, or goes on when BOSH drains."""
        return self.plan is not None and self.plan.over

    @property
    def _ordered_stop(self) -> Stop | None:
        """The stop that was ordered, and that no marker tells of."""
        drain, pre_stop = self._ordered.get(Order.DRAIN), self._ordered.get(Order.PRE_STOP)
        if drain is not None:
            return Stop(drain)
        return None if pre_stop is None else Stop(pre_stop, drain_follows=True)

    def _is_new_stop(self, since: float, statuses: Collection[GroupStatus]) -> bool:
        """Return whether a drain with time of its own began; what has left already needs none.

        Earlier than the one under way is only what a marker says that cannot be read.
        """
        out = self.drained and all(status.removed for status in statuses)
        return since > self._began and not out

    def _counted_from(self, stop: Stop) -> float:
        """The beginning of the drain's time, on this process's clock."""
        return self._clock() - min(stop.spent(self._wall()), self._config.timeout_seconds)

    def _begin(self, stop: Stop, statuses: Collection[GroupStatus]) -> DrainPlan:
        self._began = stop.since
        self._log.info(
            "draining", method=self._config.method, timeout_seconds=self._config.timeout_seconds
        )
        unknown = [status.name for status in statuses if status.spec.port == ANY_PORT]
        if unknown and self._config.connections_port is None:
            self._log.warning(
                "drain: a server group forwards all ports, and connections to the one that is "
                "checked are waited for at most: set drain.connections_port",
                groups=", ".join(unknown),
            )
        return DrainPlan(self._config, self._counted_from(stop))

    def _continue(
        self, plan: DrainPlan, progress: Collection[Progress], *, pre_stop: bool, keep: bool
    ) -> Phase:
        before = plan.stage
        if not progress:  # in no group, or in none that this VM was ever seen in
            plan.end()
        waits = plan.waits_for_connections(pre_stop=pre_stop)
        open_connections = self._count() if waits else 0
        stage = plan.step(self._clock(), progress, open_connections, pre_stop=pre_stop, keep=keep)
        if stage is Stage.WAITING and before is not stage:
            self._waiting_since = self._clock()
            self._count()
        if stage is not before:
            self._tell(before, stage)
        return plan.phase

    def _count(self) -> int:
        """Connections that are not, or cannot be, counted are waited for as if there was one."""
        ports = self._config.connections_port or self._ends.all
        try:
            found = self._connections(ports, self._waiting_since)
        except OSError as error:
            if not self._uncounted:
                self._log.warning(f"cannot count connections: {error}; waiting until that is over")
            self._uncounted = True
            return 1
        if found is None:
            return 1
        self._uncounted = False
        self.connections = found
        return found

    def _tell(self, before: Stage, stage: Stage) -> None:
        fields: dict[str, object] = {"stage": stage.value}
        if self.connections is not None:
            fields["connections"] = self.connections
        waited = before is Stage.WAITING and stage is not Stage.AWAITING_DRAIN
        if waited and self.connections:
            self._log.warning("drain: connections remain, going on all the same", **fields)
        else:
            self._log.info("drain", **fields)
