"""The process: threads, start and stop; wires the parts together."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from slb_registration import __version__
from slb_registration.board import Board
from slb_registration.choosing import Chooser, named_ids
from slb_registration.cloud import Cloud
from slb_registration.config import Config
from slb_registration.connect import connect
from slb_registration.control import serving, serving_metrics
from slb_registration.discovery import Discoverer
from slb_registration.goal import Phase
from slb_registration.instance import IdentityError, Instance, Metadata, MetadataError, identify
from slb_registration.journal import Journal, last_instance
from slb_registration.log import EventLog
from slb_registration.membership import Membership
from slb_registration.metrics import CallCounter, exposition
from slb_registration.own_server import resolved
from slb_registration.pacing import RECHECK_SECONDS
from slb_registration.phases import Order, Phases
from slb_registration.report import Document, choice_document, group_document, overall, timestamp
from slb_registration.server_groups.tagged import listings
from slb_registration.status import Origin

JOURNAL = "journal.json"
GIVEN_IDENTITY_SECONDS = 30.0
"""How long the metadata service is asked where region and instance_id are given."""

LOOK_SECONDS = 1.0
LOOK_WHILE_DRAINING_SECONDS = 0.2
"""How often the markers are read if nobody says that they changed."""


class AlreadyRunningError(Exception):
    """Another agent holds the lock."""


class Agent:
    """One agent. `run` blocks until `stop` is set."""

    def __init__(
        self,
        config: Config,
        log: EventLog,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._log = log
        self._clock = clock
        self._wall = wall
        self._wake = threading.Event()
        self._calls = CallCounter(wall)
        self._metadata = Metadata(config.endpoints.metadata)
        self._board = Board(config.health_check, log, self.look)
        self._phases = Phases(
            config.drain,
            config.data_dir,
            log,
            check_port=config.health_check.port,
            clock=clock,
            wall=wall,
        )
        self._phase = Phase.SERVE
        self._instance: Instance | None = None
        self._membership: Membership | None = None
        self._discoverer: Discoverer | None = None
        self._error: str | None = None

    # The process

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set; registrations stay as they are.

        Raises AlreadyRunningError, and OSError where the run folder cannot be used.
        """
        with (
            _only_one(self._config.run_dir / "agent.lock"),
            serving(self._config.run_dir / "agent.sock", self),
            serving_metrics(self._config.metrics_port, self),
        ):
            self._log.info("agent started", version=__version__, pid=os.getpid())
            _in_background("stop", _relay, stop, self._wake)
            self._look()  # groups begin in the phase that the markers tell
            if self._config.register:
                _in_background("join", self._join_at_last, stop)
            else:
                self._log.info("register is false: idle")
            try:
                while not stop.is_set():
                    self._look()
                    self._wait(LOOK_WHILE_DRAINING_SECONDS if self._leaving else LOOK_SECONDS)
            finally:
                self._close()
                self._log.info("agent stopped, registrations stay as they are")

    def drain(self, stop: threading.Event, *, patience_seconds: float) -> None:
        """Drain in this process, without a running agent, until done or `stop` is set.

        Raises IdentityError and MetadataError.
        """
        if not self._config.register:
            return
        self._phases.order(Order.DRAIN)
        self._look()
        try:
            self._join(stop, self._identify_for_drain(stop, patience_seconds))
            while not stop.is_set() and not self._phases.drained:
                self._look()
                self._wait(LOOK_WHILE_DRAINING_SECONDS)
        finally:
            self._close()

    def _wait(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def _close(self) -> None:
        self._board.stop()
        if self._membership is not None:
            self._membership.stop()

    @property
    def _leaving(self) -> bool:
        return self._phases.plan is not None and not self._phases.drained

    def _look(self) -> None:
        membership = self._membership
        statuses = membership.statuses if membership is not None else ()
        for status in statuses:
            port = status.spec.port
            self._board.watch(status.name, status.backend_ports if port is None else (port,))
        self._phase = self._phases.follow(statuses, complete=self._complete)
        if membership is not None:
            membership.want(self._phase, self._board.health)

    @property
    def _complete(self) -> bool:
        """Whether every server group that this VM may be in is known."""
        if not self._config.register:
            return True
        discoverer = self._discoverer
        return self._membership is not None and (discoverer is None or discoverer.looked)

    # Who we are, and where we belong

    def _join_at_last(self, stop: threading.Event) -> None:
        """Join once it is known who we are. What a person must mend is looked at seldom."""
        while not stop.is_set():
            try:
                self._join(stop, self._identify(stop, self._patience))
            except (IdentityError, MetadataError) as error:
                if stop.is_set():
                    return
                self._warn(str(error))
                stop.wait(RECHECK_SECONDS)
            else:
                return

    def _join(self, stop: threading.Event, instance: Instance) -> None:
        if stop.is_set():
            return
        config = self._config
        self._instance = instance
        self._log.info("this VM", instance_id=instance.instance_id, region=instance.region)
        cloud = connect(config, instance.region, self._log, on_call=self._calls.count)
        journal = Journal(config.data_dir / JOURNAL, instance, self._warn)
        groups = tuple(resolved(one, self._metadata) for one in config.groups)
        config = replace(config, groups=groups)
        membership = Membership(
            config,
            cloud,
            instance,
            journal,
            self._log,
            phase=self._phase,
            on_step=self.look,
            clock=self._clock,
        )
        for spec in config.groups:
            membership.open(spec, Origin.MANIFEST)
        membership.open_journaled(discovery=config.discovery.enabled)
        self._discover(cloud, membership, instance, stop)
        self._membership = membership
        self.look()

    def _identify(self, stop: threading.Event, patience_seconds: float | None) -> Instance:
        config = self._config
        return identify(
            self._metadata,
            region=config.region,
            instance_id=config.instance_id,
            stop=stop,
            patience_seconds=patience_seconds,
            on_retry=self._still_asking,
        )

    def _identify_for_drain(self, stop: threading.Event, patience_seconds: float) -> Instance:
        """Where the metadata service is gone, the journal still knows who we were."""
        try:
            return self._identify(stop, patience_seconds)
        except MetadataError:
            last = last_instance(self._config.data_dir / JOURNAL)
            if last is None:
                raise
            return last

    def _discover(
        self,
        cloud: Cloud,
        membership: Membership,
        instance: Instance,
        stop: threading.Event,
    ) -> None:
        discovery = self._config.discovery
        if not discovery.enabled:
            return
        self._discoverer = Discoverer(
            discovery,
            instance.region,
            listings(cloud, discovery.products, discovery.tags),
            Chooser(
                discovery,
                self._config.port,
                functools.cache(lambda: self._metadata.get("vpc-id")),
                named_ids(self._config.groups),
            ),
            self._log,
            join=lambda spec: membership.open(resolved(spec, self._metadata), Origin.TAGS),
            leave=membership.leave,
            known=[status.spec for status in membership.statuses if status.origin is Origin.TAGS],
            retry_seconds=self._config.reconcile_interval_seconds,
            random=Random(),  # noqa: S311 - jitter, not a secret
            clock=self._clock,
        )
        _in_background("discovery", self._discoverer.run, stop)

    @property
    def _patience(self) -> float | None:
        """Without end, unless the configuration alone says who we are."""
        given = self._config.region is not None and self._config.instance_id is not None
        return GIVEN_IDENTITY_SECONDS if given else None

    def _still_asking(self, text: str) -> None:
        """Say why once, however often it is asked again."""
        reason = text.partition(";")[0]
        news = self._error is None or self._error.partition(";")[0] != reason
        self._error = text
        if news:
            self._log.warning(text)

    def _warn(self, text: str) -> None:
        self._error = text
        self._log.warning(text)

    # What the control socket asks

    def look(self) -> None:
        """Something changed: the main thread looks at once."""
        self._wake.set()

    def order(self, order: Order) -> None:
        """Take an order and look at once."""
        self._log.info("order taken", order=order.value)
        self._phases.order(order)
        self.look()

    def alive(self) -> str | None:
        """None, or which part hangs."""
        membership = self._membership
        stuck = [] if membership is None else [w.name for w in membership.workers if not w.alive]
        return f"stuck: {', '.join(stuck)}" if stuck else None

    def document(self) -> Document:
        """The status."""
        since_epoch = self._wall() - self._clock()
        statuses = self._membership.statuses if self._membership is not None else ()
        document: Document = {
            "version": __version__,
            "register": self._config.register,
            "instance_id": self._instance.instance_id if self._instance else None,
            "region": self._instance.region if self._instance else None,
            "deployment": self._config.spec.deployment,
            "instance_group": self._config.spec.instance_group,
            "held_since": _since(self._phases.held_since),
            "drain": self._drain_document(),
            "error": self._current_error(),
            "local_checks": [
                {
                    "check": str(check),
                    "health": checker.health.value,
                    "detail": checker.detail,
                    "passed": checker.passed,
                    "failed": checker.failed,
                }
                for check, checker in self._board.checkers().items()
            ],
            "groups": [group_document(status, since_epoch) for status in statuses],
            "discovered": [
                choice_document(choice)
                for choice in (self._discoverer.choices if self._discoverer is not None else ())
            ],
        }
        document["state"] = overall(document)
        return document

    def metrics(self) -> str:
        """The metrics page."""
        return exposition(self.document(), self._calls)

    def _current_error(self) -> str | None:
        if self._discoverer is not None:
            return self._discoverer.error
        return self._error if self._membership is None else None

    def _drain_document(self) -> dict[str, Any] | None:
        plan, since = self._phases.plan, self._phases.draining_since
        if plan is None or since is None:
            return None
        return {
            "stage": plan.stage.value,
            "since": timestamp(since),
            "since_seconds": since,
            "connections": self._phases.connections,
            "seconds_left": round(plan.seconds_left(self._clock()), 1),
        }


def _since(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)


def _in_background(name: str, target: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=target, args=arguments, name=name, daemon=True).start()


def _relay(stop: threading.Event, wake: threading.Event) -> None:
    stop.wait()
    wake.set()


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Hold the lock of the one agent; the kernel drops it with the process."""
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(f"another agent is running (it holds {path})") from None
        yield
