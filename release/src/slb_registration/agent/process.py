"""The process: threads, start and stop; wires the parts together."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from slb_registration.agent.control_socket import serving, serving_metrics
from slb_registration.agent.drain_controller import DrainController
from slb_registration.agent.lock import LOCK_NAME, AgentLock, only_one
from slb_registration.agent.metrics_tls import MetricsTlsError
from slb_registration.agent.readiness import ordered, word
from slb_registration.agent.readiness_server import ReadinessServer, answering, readiness_document
from slb_registration.cloud.call_counter import CallCounter, CallMade
from slb_registration.config import link
from slb_registration.discovery.capacity import by_asker
from slb_registration.instance.build import this_build
from slb_registration.instance.connection_counter import ConnectionCounter
from slb_registration.instance.journal_file import this_boot
from slb_registration.instance.last_answer import LastAnswer
from slb_registration.instance.metadata import IdentityError, MetadataError
from slb_registration.membership.startup import TURN_SECONDS, Startup
from slb_registration.model.configuration import Config
from slb_registration.model.desired import Phase
from slb_registration.model.orders import Order
from slb_registration.model.status import GroupStatus
from slb_registration.probes.monitor import Monitor
from slb_registration.reconcile.dry_run import OBSERVES
from slb_registration.reporting.document import (
    Document,
    choice_document,
    credentials_document,
    file_document,
    group_document,
    hold_document,
    part_document,
)
from slb_registration.reporting.metrics import exposition
from slb_registration.reporting.overall import although, overall
from slb_registration.reporting.reasons import kept, reason
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.logs.timestamps import timestamp
from slb_registration.support.supervision.awaited import Awaited
from slb_registration.support.supervision.supervisor import Supervisor

LOOK_SECONDS = 1.0
LOOK_WHILE_DRAINING_SECONDS = 0.2
"""How often the markers are read if nobody says that they changed."""

METRICS_FAIL = "metrics are on the agent's socket only"

LOOP_SECONDS = 30.0
"""How long the main loop may be silent: it waits for no network, but perhaps for a disk."""


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
        self._supervisor = Supervisor(log, on_trouble=self.look, clock=clock)
        self._calls = CallCounter(wall)
        self._build = this_build()
        self._monitor = Monitor(log, self.look, self._supervisor)
        self._controller = DrainController(
            config.drain,
            config.data_dir,
            log,
            run_dir=config.run_dir,
            checked_port=self._checked_port,
            connections=ConnectionCounter(
                config.drain.ignore_cidrs, on_counted=self.look, clock=clock
            ),
            clock=clock,
            wall=wall,
        )
        self._readiness: LastAnswer | None = None
        self._readiness_server: ReadinessServer | None = None
        self._phase = Phase.SERVE
        self._begun = False  # whether it joins
        self._awaited = Awaited(clock)
        self._startup = Startup(
            config,
            log,
            phase=lambda: self._phase,
            on_call=self._called,
            on_step=self.look,
            supervisor=self._supervisor,
            awaited=self._awaited,
            clock=clock,
        )

    # The process

    def run(self, stop: threading.Event, *, wait: Callable[[float], object] | None = None) -> None:
        """Serve until `stop` is set; registrations stay as they are.

        `wait`: waits for so many seconds for what may set `stop`; any thread calls it. Raises
        AlreadyRunningError and LockLostError, HopelessError where a part of it breaks again and
        again, and OSError where the run folder cannot be used.
        """
        with (
            only_one(self._config.run_dir / LOCK_NAME) as lock,
            self._answering_health_checks(),  # the first to begin and the last to end
            self._supervised(),
            serving(self._config.run_dir / "agent.sock", self, self._supervisor),
            self._metrics_on_their_port(),
        ):
            self._log.info("agent started", version=str(self._build), pid=os.getpid())
            wait = wait or stop.wait
            self._supervisor.start("signals", self._relay(stop, wait), turn_seconds=LOOP_SECONDS)
            if not self._config.register:
                self._log.info("register is false: idle")
            elif self._config.observes:
                self._log.info(OBSERVES)
            try:
                self._supervisor.run(
                    "main loop",
                    lambda: self._turn(lock, stop, wait),
                    turn_seconds=LOOP_SECONDS,
                    wake=self._wake,
                )
            finally:
                self._close()
                self._log.info("agent stopped, registrations stay as they are")

    def _turn(
        self, lock: AgentLock, stop: threading.Event, wait: Callable[[float], object]
    ) -> float | None:
        """Take a turn of the main loop; returns the seconds until the next, None at the end."""
        lock.check()
        wait(0.0)  # here as well: there may be no thread for it
        if stop.is_set():
            return None
        self._supervisor.tend()
        self._lend_a_hand()
        self._look()
        if self._config.register and not self._begun:
            # Groups begin in the phase that the markers tell, which is known now.
            self._begun = True
            self._supervisor.start(
                "joining", lambda: self._startup.turn(stop), turn_seconds=TURN_SECONDS
            )
        return LOOK_WHILE_DRAINING_SECONDS if self._leaving else LOOK_SECONDS

    def _lend_a_hand(self) -> None:
        """Answer health checks where no thread can be had for that."""
        if self._readiness_server is not None:
            try:
                self._readiness_server.lend_a_hand()
            except Exception as error:  # noqa: BLE001 - what else the main loop does goes on
                self._supervisor.tell("answering a health check in the main loop", error)

    def _relay(
        self, stop: threading.Event, wait: Callable[[float], object]
    ) -> Callable[[], float | None]:
        """Turns that wake the main loop once `stop` is set."""

        def turn() -> float | None:
            wait(LOOK_SECONDS)
            if not stop.is_set():
                return 0.0
            self._wake.set()
            return None

        return turn

    @contextlib.contextmanager
    def _supervised(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._supervisor.stop()

    def drain(self, order: Order, stop: threading.Event, *, patience_seconds: float) -> None:
        """Drain in this process, without a running agent, until that is done or `stop` is set.

        Raises IdentityError and MetadataError.
        """
        if not self._config.register or self._config.observes:
            return
        self._supervisor.persist()
        self._controller.order(order)
        try:
            self._supervisor.run(
                "drain",
                lambda: self._drain_turn(stop, patience_seconds),
                turn_seconds=LOOP_SECONDS,
                wake=self._wake,
                passes=(IdentityError, MetadataError),
            )
        finally:
            self._close()
            self._supervisor.stop()

    def _drain_turn(self, stop: threading.Event, patience_seconds: float) -> float | None:
        """As _turn. Raises IdentityError and MetadataError."""
        if stop.is_set() or self._controller.over:
            return None
        self._supervisor.tend()
        self._look()
        if not self._begun:
            self._startup.for_drain(stop, patience_seconds)
            self._begun = True
            return 0.0
        return LOOK_WHILE_DRAINING_SECONDS

    @contextlib.contextmanager
    def _answering_health_checks(self) -> Iterator[None]:
        config = self._config
        if config.readiness is None or not config.register:
            yield
            return
        last = self._readiness = LastAnswer(config.run_dir, self._log, this_boot())
        last.follow(ordered(config.data_dir, config.run_dir, self._wall()))
        with answering(
            config.readiness, lambda: last.now.status, self._log, self._supervisor
        ) as self._readiness_server:
            yield

    @contextlib.contextmanager
    def _metrics_on_their_port(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(serving_metrics(self._config.metrics, self, self._supervisor))
            except OSError as error:  # what only watches must not keep the VM out of service
                because = f"{error.filename}: {error.strerror}"
                self._log.error(METRICS_FAIL, because=because)
            except MetricsTlsError as error:
                self._log.error(METRICS_FAIL, because=str(error))
            yield

    def _close(self) -> None:
        self._monitor.stop()
        self._startup.close()

    @property
    def _leaving(self) -> bool:
        return self._controller.plan is not None and not self._controller.over

    def _called(self, call: CallMade) -> None:
        """A call has ended, in whichever part's thread."""
        self._calls.count(call)
        self._supervisor.beat()

    def _look(self) -> None:
        startup = self._startup
        # Before the groups: what is found in between must not count as none.
        complete = self._complete
        barred = startup.barred and not complete
        statuses = startup.statuses
        self._monitor.keep({status.name for status in statuses})
        for status in statuses:
            check = startup.check_for(status)
            if check is not None:
                self._monitor.watch(status.name, check, status.service_ports)
        before = self._controller.plan
        self._phase = self._controller.follow(statuses, complete=complete, barred=barred)
        if self._readiness is not None:  # before anything is asked of the API
            health = self._monitor.health
            groups = ((status, health(status.name)) for status in statuses)
            self._readiness.follow(word(self._phase, groups))
        if self._controller.plan is not before:
            startup.look_again()
        if startup.membership is not None:
            startup.membership.want(
                self._phase,
                self._monitor.health,
                awaited=self._awaited(),
                keep=self._controller.keeps,
            )

    @property
    def _complete(self) -> bool:
        """Return whether every server group that this VM may be in is known."""
        return self._startup.complete or not self._config.register

    def _checked_port(self, status: GroupStatus) -> int | None:
        config = self._config
        check = self._startup.check_for(status) or config.health_check.of(status.spec, config.port)
        return check.port

    # What the control socket asks

    def look(self) -> None:
        """Something changed: the main thread looks at once."""
        self._wake.set()

    def order(self, order: Order) -> None:
        """Take an order and look at once."""
        self._controller.order(order)
        self.look()
        self._log.info("order taken", order=order.value)

    def waited_for(self) -> Document:
        """Note that post-start waits; the status."""
        if self._awaited.say():
            self.look()
        return self.document()

    def alive(self) -> str | None:
        """None, or which parts do not work."""
        stuck = self._supervisor.stuck
        return f"stuck: {stuck}" if stuck else None

    def document(self) -> Document:
        """The status."""
        startup, spec = self._startup, self._config.spec
        since_epoch = self._wall() - self._clock()
        instance, dynamic = startup.instance, startup.dynamic
        left_out = {} if startup.membership is None else startup.membership.left_out
        names_left_out = by_asker(left_out)
        document: Document = {
            "version": self._build.version,
            "package": self._build.package,
            "time": timestamp(self._wall()),
            "time_seconds": self._wall(),
            "register": self._config.register,
            "mode": self._config.mode,
            "instance_id": instance.instance_id if instance else None,
            "region": instance.region if instance else None,
            "deployment": spec.deployment,
            "instance_group": spec.instance_group,
            "backend": link.described(self._config),
            **hold_document(self._controller.held),
            "drain": self._drain_document(),
            "readiness": readiness_document(self._readiness_server, self._readiness),
            "error": startup.error,
            "complete": self._complete,
            "barred": startup.barred,
            "needs_repair": startup.needs_repair,
            "under_way": startup.under_way,
            "remark": startup.remark,
            "credentials": credentials_document(
                self._config.credentials.source, startup.credentials
            ),
            "local_checks": [
                {
                    "check": str(check),
                    "health": checker.health.value,
                    "detail": checker.detail,
                    "passed": checker.passed,
                    "failed": checker.failed,
                }
                for check, checker in self._monitor.checkers()
            ],
            "groups": [self._group(status, since_epoch) for status in startup.statuses],
            "discovered": [
                choice_document(choice, [asked.spec for asked in left_out.values()])
                for choice in startup.choices
            ],
            "dynamic_configs": [
                file_document(state, names, names_left_out.get(str(state.path), ()))
                for state, names in (dynamic.files if dynamic else ())
            ],
            "log_lines_dropped": self._log.dropped,
            "log_lines_stuck": self._log.stuck,
            "parts": [part_document(sign) for sign in self._supervisor.signs],
        }
        document["state"] = overall(document)
        document["although"] = although(document)
        return document

    def _group(self, status: GroupStatus, since_epoch: float) -> Document:
        local = self._monitor.checks_of(status.name)
        why = reason(status, local, since_epoch)
        warnings = self._startup.notices.by_group.get(status.name, ())
        return group_document(status, since_epoch, why, kept(status, local), warnings)

    def metrics(self) -> str:
        """The metrics page."""
        return exposition(self.document(), self._calls)

    def _drain_document(self) -> dict[str, Any] | None:
        plan, since = self._controller.plan, self._controller.draining_since
        if plan is None or since is None:
            return None
        return {
            "stage": plan.stage.value,
            "since": timestamp(since),
            "since_seconds": since,
            "connections": self._controller.connections,
            "seconds_left": round(plan.seconds_left(self._clock()), 1),
        }
