"""The server groups that this VM belongs to: one worker each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from slb_registration.cloud.client import Cloud
from slb_registration.discovery.capacity import Capacity, Want, has_room
from slb_registration.instance.journal import Journal
from slb_registration.instance.metadata import Instance
from slb_registration.membership.worker import Clock, Worker
from slb_registration.model.configuration import Config, GroupIds, GroupSpec
from slb_registration.model.desired import Phase, Policy, Wish
from slb_registration.model.health import Health
from slb_registration.model.identity import Identity
from slb_registration.model.status import GroupStatus, Origin
from slb_registration.pacing.quotas import QUOTAS, Fleet
from slb_registration.reconcile.drain_plan import DrainPlan, Progress, Stage
from slb_registration.reconcile.registrar import Registrar
from slb_registration.server_groups.open import open_group
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.supervision.supervisor import Supervisor

STOP_SECONDS = 2.0
"""How long the end waits for calls under way; what they do is found again at the next start."""


class Groups:
    """Opens server groups and hands wishes to their workers. Thread-safe."""

    def __init__(
        self,
        config: Config,
        cloud: Cloud,
        instance: Instance,
        journal: Journal,
        log: EventLog,
        *,
        phase: Phase,
        on_step: Callable[[], None],
        supervisor: Supervisor,
        clock: Clock = time.monotonic,
    ) -> None:
        """`phase` is what groups begin with: a VM that leaves must not register first.

        `on_step` is told, in a worker's thread, after every step of any group.
        """
        self._config = config
        self._cloud = cloud
        self._instance = instance
        self._journal = journal
        self._log = log
        self._phase = phase
        self._on_step = on_step
        self._supervisor = supervisor
        self._clock = clock
        self._lock = threading.Lock()
        self._workers: dict[str, Worker] = {}
        self._capacity = Capacity()
        self._closed: list[Worker] = []  # whose last call may be under way
        self._stopped = False
        # One VM may be in a group more than once: what is ours is no predecessor of ours.
        known = (*config.groups, *(entry.spec for entry in journal.entries.values()))
        self._ours = {instance.instance_id, *(spec.server_id for spec in known if spec.server_id)}
        self.unknown_in: frozenset[GroupIds] = frozenset()
        """The server groups of which it is not known as which other servers this VM stands there.
        Any may be this VM, and none is taken for that which it has replaced."""
        self._leaving: dict[Worker, DrainPlan] = {}

    @property
    def workers(self) -> tuple[Worker, ...]:
        """All workers, in the order of their groups' names."""
        with self._lock:
            return tuple(worker for _, worker in sorted(self._workers.items()))

    @property
    def statuses(self) -> tuple[GroupStatus, ...]:
        """Return what is known of every group."""
        return tuple(worker.status for worker in self.workers)

    @property
    def left_out(self) -> Mapping[str, Want]:
        """Return what was asked for and is not joined, since there are too many, by name."""
        with self._lock:
            return self._capacity.left_out

    def open(self, spec: GroupSpec, origin: Origin, file: Path | None = None) -> None:
        """Take on a group, or take it on anew where it is wanted in another way.

        One that is wanted is not dropped (Origin.DROPPED) so: see `leave`. One that is too many
        waits until there is room (capacity). `file`: the one of a co-located job that wants it. The
        `spec` of a server type other than ecs has the server's id and address.
        """
        group = open_group(self._cloud, spec)
        with self._lock:
            if self._stopped:
                return
            present = self._workers.get(group.name)
            if present is not None:
                if origin is Origin.DROPPED or present.is_for(spec, origin, file):
                    return
                self._close(present)
            elif not self._takes(group.name, Want(spec, origin, file)):
                return
            if origin is not Origin.DROPPED:
                self._capacity.end(group.name)
            if spec.server_id is not None:
                self._ours.add(spec.server_id)
            entry = self._journal.entries.get(group.name)
            registrar = Registrar(
                self._identity(spec, group.port),
                Policy(self._config.on_unhealthy, self._config.panic_threshold),
                interval=self._config.reconcile_interval_seconds,
                served=entry is not None and entry.served,
                read_only=group.read_only,
                drain_seconds=self._config.drain.timeout_seconds,
                observes=self._config.observes,
            )
            worker = Worker(
                spec,
                group,
                registrar,
                self._journal,
                self._log,
                clock=self._clock,
                random=Random(),  # noqa: S311 - jitter, not a secret
                on_step=self._on_step,
                origin=origin,
                file=file,
            )
            phase = self._phase
            if origin is Origin.DROPPED:
                plan = self._leaving[worker] = DrainPlan(self._config.drain, self._clock())
                phase = plan.phase
            worker.want(Wish(phase))
            self._workers[group.name] = worker
            self._share(spec.product)
            worker.start(self._supervisor)

    def name_of(self, spec: GroupSpec) -> str:
        """The name under which the group is known in logs, status and the journal."""
        return open_group(self._cloud, spec).name

    def leave(self, spec: GroupSpec, origin: Origin) -> None:
        """Drain and leave a group that is ours for this reason; for any other it stays."""
        name = self.name_of(spec)
        with self._lock:
            self._capacity.forget(name, origin)
            present = self._workers.get(name)
            if present is None or present.origin is not origin:
                return
            self._close(present)
        self.open(spec, Origin.DROPPED)

    def leave_others(self) -> None:
        """Leave the groups of the journal that are not open: nobody wants them any more."""
        for entry in self._journal.entries.values():
            self.open(entry.spec, Origin.DROPPED)

    def want(
        self,
        phase: Phase,
        health_of: Callable[[str], Health],
        *,
        awaited: bool = False,
        keep: bool = False,
    ) -> None:
        """Hand the phase and the local health of its group to every worker.

        `awaited`: whether post-start waits for this VM. `keep`: as of Wish.
        """
        with self._lock:
            self._phase = phase
        for worker in self.workers:
            worker.expect(awaited)
            leaving = self._leaving.get(worker)
            if leaving is None:
                worker.want(Wish(phase, health_of(worker.name), keep))
            else:
                self._lead_out(worker, leaving, phase)
            worker.go_on(self._supervisor)
        if phase in (Phase.SERVE, Phase.HOLD):
            self._fill_up()
        for by, what in self._news():
            self._log.warning("more server groups than a VM can be in", file=by, because=what)

    def _lead_out(self, worker: Worker, leaving: DrainPlan, phase: Phase) -> None:
        """Have a group left that is not wanted any more, and end its worker when that is done."""
        progress = Progress(worker.status.lowered, worker.status.gone)
        if leaving.step(self._clock(), [progress], connections=0) is Stage.DONE:
            with self._lock:
                self._close(worker)
        else:
            worker.want(Wish(Phase.REMOVE if phase is Phase.REMOVE else leaving.phase))

    def _takes(self, name: str, want: Want) -> bool:
        return self._capacity.takes(name, want, self._workers, self._journal.entries)

    def _fill_up(self) -> None:
        """Join what was left out, now that there is room."""
        while (first := self._next()) is not None:
            self.open(first.spec, first.origin, first.file)

    def _next(self) -> Want | None:
        with self._lock:
            first = self._capacity.next()
            if first is None or self._stopped:
                return None
            return first if has_room(self._workers, self._journal.entries) else None

    def _news(self) -> list[tuple[str, str]]:
        with self._lock:
            return list(self._capacity.news())

    def _share(self, product: str) -> None:
        """Every VM of the fleet makes the calls of so many groups, as far as is known here."""
        alike = [worker for worker in self._workers.values() if worker.spec.product == product]
        fleet = Fleet(self._config.fleet_size * len(alike), QUOTAS[product])
        for worker in alike:
            worker.fleet = fleet

    def _close(self, worker: Worker) -> None:
        """End this worker, and no other of its group, which may have taken its place by now."""
        worker.stop()
        self._closed = [one for one in (*self._closed, worker) if not one.join(0.0)]
        self._leaving.pop(worker, None)
        if self._workers.get(worker.name) is worker:
            del self._workers[worker.name]
            self._share(worker.spec.product)

    def stop(self) -> None:
        """End all workers, and begin none any more; registrations stay as they are."""
        with self._lock:
            self._stopped = True
            workers = [*self._closed, *self._workers.values()]
        for worker in workers:
            worker.stop()
        ends = time.monotonic() + STOP_SECONDS
        for worker in workers:
            worker.join(max(0.0, ends - time.monotonic()))

    def _identity(self, spec: GroupSpec, port: int | None) -> Identity:
        config = self._config
        return Identity(
            server_id=spec.server_id or self._instance.instance_id,
            port=port,
            weight=spec.weight,
            marker=f"bosh/{config.spec.id}" if config.spec.id else "",
            description=spec.description or "",
            # create-env makes a new spec.id for each VM: the same id there is never a predecessor.
            replaces=config.spec.director and bool(config.spec.id),
            server_type=spec.server_type,
            server_ip=spec.server_ip or "",
            address=spec.server_ip or config.spec.address,
            also_ours=_Ours(self, spec.group_ids),
        )


@dataclass(frozen=True)
class _Ours:
    """The ServerIds under which this VM is, or may be, in one server group."""

    membership: Groups
    group: GroupIds

    def __contains__(self, server_id: object) -> bool:
        membership = self.membership
        return self.group in membership.unknown_in or server_id in membership._ours
