"""Supervises the threads of all that lasts: where one breaks that is told, and it is begun again;
where that does not help, the process ends so that monit starts it anew.

A part is a turn that is taken again and again. It cannot end without a word: it says how long to
rest, or that its work is done, or it has broken. What may hang has a limit for its silence, of
which /healthz speaks.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from slb_registration.model.failure import Failure
from slb_registration.pacing.repeats import worth_telling
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.supervision.part import Part, Turn
from slb_registration.support.supervision.vitals import Sign, Vitals
from slb_registration.support.threads import NoThreadError, reason_of, spawn


class HopelessError(Failure):
    """A part of this process breaks again and again."""


class Supervisor:
    """Starts the parts of one process, and looks after them: `tend` has to be called every now and
    then, by the one thread that may end the process."""

    def __init__(
        self,
        log: EventLog,
        *,
        on_trouble: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_trouble`: told, in any thread, where there is something to tend."""
        self._log = log
        self._on_trouble = on_trouble
        self._clock = clock
        self._lock = threading.Lock()
        self._parts: tuple[Part, ...] = ()  # never changed in place: it is read without the lock
        self._here: dict[int, Part] = {}  # by thread
        self._stopped = False
        self._told: Counter[tuple[str, str]] = Counter()
        self._persists = False
        self._given_up: HopelessError | None = None

    def start(
        self,
        name: str,
        turn: Turn,
        *,
        turn_seconds: float,
        wake: threading.Event | None = None,
        alone: bool = False,
    ) -> Part:
        """Have these turns taken in a thread of their own. Raises nothing where there is none.

        `turn_seconds`: how long a turn may go without a `beat`. `wake` ends a rest. `alone`: it
        begins only when every other part of its name has ended.
        """
        vitals = Vitals(name, turn_seconds, self._clock)
        part = Part(vitals, turn, wake or threading.Event(), alone=alone)
        with self._lock:
            self._parts = (*self._parts, part)
        self._begin()
        return part

    def run(
        self,
        name: str,
        turn: Turn,
        *,
        turn_seconds: float,
        wake: threading.Event,
        passes: tuple[type[Exception], ...] = (),
    ) -> None:
        """Take these turns in this thread until the work is done. `wake` ends a rest.

        Raises at once what is a Failure or among `passes`, and HopelessError for whatever else goes
        on for too long.
        """
        vitals = Vitals(name, turn_seconds, self._clock)
        part = Part(vitals, turn, wake, passes=(Failure, KeyboardInterrupt, SystemExit, *passes))
        part.thread = threading.current_thread()
        with self._lock:
            self._parts = (*self._parts, part)
        self._run(part)
        self._raise_if_hopeless()

    def tend(self) -> None:
        """Begin what has no thread, tell what is silent. Raises HopelessError."""
        for part in self._parts:
            thread = part.thread
            if thread is not None and not thread.is_alive() and not part.over:
                part.thread = None
                self._failed(part, "its thread has ended")
            self._tell_of_silence(part)
        self._begin()
        for part in self._begun:
            if part.by_hand and not part.stopping and part.is_due(self._clock()):
                self._take_by_hand(part)
        self._raise_if_hopeless()

    def persist(self) -> None:
        """From now on give nothing up: this process is the last that can get its work done.

        `tend` itself takes the turns of parts for which no thread can be had. One after the other
        is slow, and one that hangs delays all.
        """
        self._persists = True

    def tell(self, what: str, error: BaseException) -> None:
        """Tell what broke and is not begun again: each reason seldom, with a count."""
        reason = reason_of(error)
        with self._lock:
            self._told[what, reason] += 1
            times = self._told[what, reason]
        if worth_telling(times):
            self._log.error(f"{what} broke", because=reason, times=times)

    def beat(self) -> None:
        """Note that the part in whose thread this is called works."""
        part = self._here.get(threading.get_ident())
        if part is not None:
            part.vitals.beat()

    def stop(self) -> None:
        """End every part after its turn, and begin none any more."""
        self._stopped = True
        for part in self._parts:
            part.stop()

    @property
    def signs(self) -> tuple[Sign, ...]:
        """Return what is known of each part."""
        return tuple(part.vitals.sign for part in self._begun)

    @property
    def stuck(self) -> str | None:
        """Return what does not work, None where everything does."""
        found = []
        for part in self._begun:
            if part.thread is None or part.vitals.sign.overdue:
                trouble = part.trouble
                if trouble is not None:
                    found.append(f"{part.name} ({trouble})")
        return ", ".join(found) or None

    @property
    def _begun(self) -> Iterator[Part]:
        """The parts that wait for no other's end."""
        return (part for part in self._parts if not self._waits(part))

    # Threads

    def _begin(self) -> None:
        """Start the thread of each part that is to have one."""
        with self._lock:
            for part in self._parts:
                if part.thread is None and part.stopping:
                    part.end()
            self._parts = tuple(part for part in self._parts if not part.over)
            if self._stopped:
                return
            now = self._clock()
            for part in self._parts:
                wants_thread = part.thread is None and not part.by_hand
                if wants_thread and now >= part.not_before and not self._waits(part):
                    self._find_thread(part)

    def _waits(self, part: Part) -> bool:
        """Return whether it has to wait for the end of another."""
        if not part.alone or part.thread is not None:
            return False
        return any(
            other.name == part.name and other.thread is not None and not other.over
            for other in self._parts
        )

    def _find_thread(self, part: Part) -> None:
        part.vitals.begins()
        try:
            part.thread = spawn(part.name, self._run, part)
        except NoThreadError as error:
            delay = self._failed(part, str(error.strerror))
            part.not_before = self._clock() + (0.0 if self._persists else delay)
            if self._persists:
                part.by_hand, part.passes = True, (KeyboardInterrupt,)

    def _run(self, part: Part) -> None:
        with self._at_work(part):
            self._take_turns(part)
        part.end()
        self._begin()  # what has waited for this

    def _take_turns(self, part: Part) -> None:
        while not part.stopping and self._given_up is None:
            worked, seconds = self._take_turn(part)
            if seconds is None:
                return
            (part.rest if worked else part.recover)(seconds)

    def _take_by_hand(self, part: Part) -> None:
        part.rest(0.0)
        with self._at_work(part):
            _, seconds = self._take_turn(part)
        if seconds is None:
            part.end()
        else:
            part.not_before = self._clock() + seconds

    @contextlib.contextmanager
    def _at_work(self, part: Part) -> Iterator[None]:
        """Let this thread's beats be the part's, and afterwards again those of the one before."""
        before = self._here.get(threading.get_ident())
        self._here[threading.get_ident()] = part
        try:
            yield
        finally:
            if before is None:
                del self._here[threading.get_ident()]
            else:
                self._here[threading.get_ident()] = before

    def _take_turn(self, part: Part) -> tuple[bool, float | None]:
        """Return whether it worked, and the seconds until the next one, None for none."""
        part.vitals.begins()
        try:
            seconds = part.turn()
        except part.passes:
            raise
        except BaseException as error:  # noqa: BLE001 - told, and given up in time
            return False, self._failed(part, reason_of(error))
        failures = part.vitals.rests(seconds or 0.0)
        if failures is not None:
            self._log.info(
                "a part of the agent works again", part=part.name, after_failures=failures
            )
        return True, seconds

    def _failed(self, part: Part, reason: str) -> float:
        """Tell it; returns the seconds until it is tried again."""
        failed = part.vitals.failed(reason)
        if failed.count is not None:
            self._log.error(
                "a part of the agent broke, and is begun again",
                part=part.name,
                because=reason,
                times=failed.count,
            )
        if part.vitals.hopeless and not part.stopping and not self._persists:
            text = (
                f"{part.name} breaks again and again ({reason}): this process ends, and monit"
                " starts it anew; registrations stay"
            )
            self._given_up = HopelessError(text)
            self._log.error(text)
            self._on_trouble()
        return failed.delay_seconds

    def _raise_if_hopeless(self) -> None:
        if self._given_up is not None:
            raise self._given_up

    def _tell_of_silence(self, part: Part) -> None:
        if self._waits(part):
            return
        sign = part.vitals.sign
        if sign.overdue is part.silent:
            return
        part.silent = sign.overdue
        if part.silent:
            self._log.error(
                "a part of the agent is silent",
                part=part.name,
                silent_seconds=round(sign.silent_seconds, 1),
            )
        else:
            self._log.info("a part of the agent is heard of again", part=part.name)
