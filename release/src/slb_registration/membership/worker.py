"""One thread for one server group: carries out what its registrar asks for.

A group whose calls hang delays no other; a changed wish, a drain or the end is felt at once. Of one
group no two threads ever run: the next one begins when the one before it has ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from random import Random

from slb_registration.instance.journal import Journal
from slb_registration.membership.calls import carry_out
from slb_registration.model.balancer_settings import Settings
from slb_registration.model.configuration import GroupSpec
from slb_registration.model.desired import Phase, Wish
from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.operations import Answer, Call, Op, Wait
from slb_registration.model.server_group import ServerGroup
from slb_registration.model.status import GroupStatus, Origin
from slb_registration.pacing.quotas import Fleet
from slb_registration.reconcile.registrar import Registrar
from slb_registration.reporting.group_status import describe
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.supervision.part import Part
from slb_registration.support.supervision.supervisor import Supervisor
from slb_registration.support.threads import reason_of

Clock = Callable[[], float]

LONG_SECONDS = 30.0
"""From so long a wait on, a group that is not there is waited for without a thread."""

CALL_SECONDS = 120.0
"""Longer than any call with its timeouts takes: a worker silent for so long is stuck. One that
makes many calls in a turn is heard of at each (Supervisor.beat)."""


class Worker:
    """Drives one registrar in a thread of its own."""

    def __init__(
        self,
        spec: GroupSpec,
        group: ServerGroup,
        registrar: Registrar,
        journal: Journal,
        log: EventLog,
        *,
        clock: Clock,
        random: Random,
        on_step: Callable[[], None],
        origin: Origin,
        file: Path | None = None,
    ) -> None:
        """`clock` is monotonic, in seconds. `on_step` is told after every answer.

        `file`: of origin FILE, the one that asks for the group.
        """
        self.origin = origin
        self.file = None if file is None else str(file)
        self.spec = spec
        self.name = group.name
        self._group = group
        self._registrar = registrar
        self._journal = journal
        self._log = log
        self._clock = clock
        self._random = random
        self._on_step = on_step
        self._lock = threading.Lock()
        self._wish = registrar.wish
        self._awaited = False
        self._wake = threading.Event()
        self._answer: Answer | None = None
        self._stopping = False
        self._warned = False
        self._part: Part | None = None
        self._rests_until: float | None = None
        self.status: GroupStatus = self._described()

    def is_for(self, spec: GroupSpec, origin: Origin, file: Path | None) -> bool:
        """Return whether it does this already."""
        file_name = None if file is None else str(file)
        return (self.spec, self.origin, self.file) == (spec, origin, file_name)

    @property
    def settings(self) -> Settings | None:
        """Return what is set on the group and its listeners, as far as it was read in passing."""
        return self._group.settings()

    def start(self, supervisor: Supervisor) -> None:
        """Begin, as soon as no other worker of this group works any more."""
        self._part = supervisor.start(
            f"server group {self.name}",
            self._next_turn,
            turn_seconds=CALL_SECONDS,
            wake=self._wake,
            alone=True,
        )

    def want(self, wish: Wish) -> None:
        """Hand on a wish; felt at once if it differs from the last."""
        with self._lock:
            if wish == self._wish:
                return
            self._wish = wish
        self._hurry()

    def expect(self, awaited: bool) -> None:
        """Hand on whether post-start waits; felt at once where it begins to."""
        begins, self._awaited = awaited and not self._awaited, awaited
        if begins:
            self._hurry()

    @property
    def fleet(self) -> Fleet:
        """Return who shares the quotas; a change counts from the next step on."""
        return self._registrar.pacer.fleet

    @fleet.setter
    def fleet(self, fleet: Fleet) -> None:
        self._registrar.pacer.fleet = fleet

    def go_on(self, supervisor: Supervisor) -> None:
        """Begin again after a rest without a thread, where that is over."""
        until = self._rests_until
        due = until is not None and (self._wake.is_set() or self._clock() >= until)
        if due and not self._stopping:
            self._rests_until = None
            self._wake.clear()  # before the turn that takes in what it was set for
            self.start(supervisor)

    def stop(self) -> None:
        """End after the call under way. Nothing is deregistered."""
        self._stopping = True
        if self._part is not None:
            self._part.stop()

    def join(self, timeout: float) -> bool:
        """Wait for the end, in seconds; whether nothing of it goes on any more."""
        return self._part is None or self._part.join(timeout)

    def _hurry(self) -> None:
        self._wake.set()
        if self._part is not None:
            self._part.hurry()

    def _next_turn(self) -> float | None:
        until = self.turn()
        if until is None:
            return 0.0
        seconds = max(0.0, until - self._clock())
        if seconds < LONG_SECONDS or not self._registrar.group.observed.not_found:
            return seconds
        self._rests_until = until
        return None

    def turn(self) -> float | None:
        """One step, and the call that it asks for; returns the moment to wait for, None if now.

        The thread takes turns without end; without a thread, whoever holds the worker does.
        """
        with self._lock:
            wish = self._wish
        now = self._clock()
        self._registrar.want(wish)
        self._registrar.expect(self._awaited)
        # An answer that breaks the step is not taken in again and again.
        answer, self._answer = self._answer, None
        step = self._registrar.step(now, self._random, answer)
        self._publish()
        if isinstance(step, Wait):
            return step.until
        self._answer = self._perform(step)
        return None

    def _perform(self, call: Call) -> Answer | None:
        try:
            if call.op is Op.ADD:
                self._remember()
            self._warn_of_round_robin(call)
            return carry_out(self._group, call, self._has_no_other_wish)
        except ApiError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a bug in one adapter must not end its thread
            reason = f"internal error, please report it: {reason_of(error)}"
            return ApiError(call.op.value, Kind.UNAVAILABLE, "Internal", reason)

    def _has_no_other_wish(self) -> bool:
        """Return whether what is being done may go on: reading health may take long."""
        with self._lock:
            return self._wish == self._registrar.wish and not self._stopping

    def _warn_of_round_robin(self, call: Call) -> None:
        """Once, before a drain relies on weight 0. Only what was read in passing is known of it."""
        lowers = call.op is Op.SET_WEIGHT and self._registrar.wish.phase is Phase.LOWER
        if lowers and self._group.round_robin and not self._warned:
            self._warned = True
            self._log.warning(
                "a listener of this server group uses round robin, which may not heed weight 0: "
                "choose weighted round robin for it, or drain.method: remove",
                group=self.name,
            )

    def _publish(self) -> None:
        registrar = self._registrar
        events, registrar.events = registrar.events, []
        for event in events:
            getattr(self._log, event.level)(event.message, group=self.name, **event.fields)
        self._note()
        self.status = self._described()
        self._on_step()

    def _described(self) -> GroupStatus:
        return describe(
            self._registrar,
            self.spec,
            self.name,
            self.origin,
            self.file,
            confirmed=self._journal.is_confirmed(self.name),
            begun=self._journal.is_begun(self.name),
        )

    def _note(self) -> None:
        """Keep the journal in step with what was seen.

        What is only observed is another writer's: it is not for us to take it out one day.
        """
        registrar = self._registrar
        if registrar.dry_run is not None:
            return
        if registrar.mine is not None:
            self._remember()
            if registrar.group.served:
                self._journal.served(self.name)
            elif registrar.wish.keep:
                self._journal.rests(self.name)
            else:
                self._journal.confirm(self.name)
        elif registrar.group.forgettable:
            self._journal.forget(self.name)

    def _remember(self) -> None:
        if self.origin is not Origin.DROPPED:
            discovered = self.origin is Origin.TAGS
            self._journal.remember(self.name, self.spec, discovered=discovered, file=self.file)
