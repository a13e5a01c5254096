"""The server groups that this VM belongs to: one worker each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from random import Random

from slb_registration.cloud import Cloud
from slb_registration.config import Config, GroupSpec
from slb_registration.goal import Identity, Phase, Policy, Wish
from slb_registration.health import Health
from slb_registration.instance import Instance
from slb_registration.journal import Journal
from slb_registration.log import EventLog
from slb_registration.registrar import Registrar
from slb_registration.server_groups.open import open_group
from slb_registration.status import GroupStatus
from slb_registration.worker import Clock, Worker

STOP_SECONDS = 2.0
"""How long the end waits for calls under way; what they do is found again at the next start."""


class Membership:
    """Opens server groups and hands wishes to their workers. Thread-safe."""

    def __init__(
        self,
        config: Config,
        cloud: Cloud,
        instance: Instance,
        journal: Journal,
        log: EventLog,
        *,
        on_step: Callable[[], None],
        clock: Clock = time.monotonic,
    ) -> None:
        """`on_step` is told, in a worker's thread, after every step of any group."""
        self._config = config
        self._cloud = cloud
        self._instance = instance
        self._journal = journal
        self._log = log
        self._on_step = on_step
        self._clock = clock
        self._lock = threading.Lock()
        self._workers: dict[str, Worker] = {}

    @property
    def workers(self) -> tuple[Worker, ...]:
        """All workers, in the order of their groups' names."""
        with self._lock:
            return tuple(worker for _, worker in sorted(self._workers.items()))

    @property
    def statuses(self) -> tuple[GroupStatus, ...]:
        """What is known of every group."""
        return tuple(worker.status for worker in self.workers)

    def open(self, spec: GroupSpec) -> None:
        """Take on a group; one that is open already stays as it is."""
        group = open_group(self._cloud, spec)
        with self._lock:
            if group.name in self._workers:
                return
            entry = self._journal.entries.get(group.name)
            registrar = Registrar(
                _identity(self._config, self._instance, spec, group.port),
                Policy(self._config.on_unhealthy, self._config.panic_threshold),
                interval=self._config.reconcile_interval_seconds,
                served=entry is not None and entry.served,
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
            )
            self._workers[group.name] = worker
        worker.start()

    def want(self, phase: Phase, health_of: Callable[[str], Health]) -> None:
        """Hand the phase and the local health of its group to every worker."""
        for worker in self.workers:
            worker.want(Wish(phase, health_of(worker.name)))

    def stop(self) -> None:
        """End all workers; registrations stay as they are."""
        workers = self.workers
        for worker in workers:
            worker.stop()
        ends = self._clock() + STOP_SECONDS
        for worker in workers:
            worker.join(max(0.0, ends - self._clock()))


def _identity(config: Config, instance: Instance, spec: GroupSpec, port: int | None) -> Identity:
    return Identity(
        server_id=instance.instance_id,
        port=port,
        weight=spec.weight,
        marker=f"bosh/{config.spec.id}" if config.spec.id else "",
        description=spec.description or "",
        # create-env makes a new spec.id for each VM: the same id there is never a predecessor.
        replaces=config.spec.director and bool(config.spec.id),
    )
