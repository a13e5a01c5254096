"""Runs the local checks of every server group, and sums up what they say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from slb_registration.model.configuration import HealthCheck
from slb_registration.model.health import Health
from slb_registration.probes.checker import Check, Checker
from slb_registration.probes.probing import checks_for
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.supervision.part import Part
from slb_registration.support.supervision.supervisor import Supervisor

LATE_SECONDS = 15.0
"""How long a check may be silent beyond its timeout: more is no busy VM, but a check that hangs."""

STOP_SECONDS = 0.5
"""How long the end waits for all checks: long enough to kill scripts, too short to wait for one."""


@dataclass(frozen=True)
class _Pace:
    """The pace of a check, and the numbers of answers in a row that decide."""

    interval_seconds: float
    healthy_threshold: int
    unhealthy_threshold: int


_Key = tuple[Check, _Pace]


@dataclass(frozen=True)
class _Watched:
    """One group: how it is checked, on which ports, and by which checks that is."""

    config: HealthCheck
    ports: tuple[int, ...]
    keys: tuple[_Key, ...]


@dataclass(frozen=True)
class _Running:
    checker: Checker
    stop: threading.Event
    part: Part

    def end(self) -> None:
        """End it; what it has started is killed."""
        self.stop.set()
        self.part.stop()


class Monitor:
    """Runs one checker for each distinct check. Thread-safe.

    A group's health is unknown until its ports are known and every check has its first verdict;
    it is unhealthy as soon as one check is. A group without checks counts as healthy. A check that
    does not work any more leaves its groups' health unknown.
    """

    def __init__(
        self, log: EventLog, on_change: Callable[[], None], supervisor: Supervisor
    ) -> None:
        self._log = log
        self._supervisor = supervisor
        self._on_change = on_change
        self._lock = threading.Lock()
        self._running: dict[_Key, _Running] = {}
        self._groups: dict[str, _Watched] = {}

    def watch(self, group: str, config: HealthCheck, ports: tuple[int, ...] | None) -> None:
        """Check for `group`: on its `ports` where the configuration names none.

        None: its ports are not known yet. () after known ports changes nothing: SLB forgets a
        server's listeners when it is removed, and its checks go on.
        """
        if config.names_its_place:
            ports = ()
        with self._lock:
            before = self._groups.get(group)
            same = before is not None and before.config == config
            if ports is None or (same and before is not None and ports in ((), before.ports)):
                return
            pace = _Pace(
                config.interval_seconds, config.healthy_threshold, config.unhealthy_threshold
            )
            keys = tuple((check, pace) for check in checks_for(config, ports))
            self._groups[group] = _Watched(config, ports, keys)
            self._start(keys, config)
            self._stop_unused()
        if not keys and config.type != "none":
            self._log.warning(
                "no backend port to check: this VM counts as healthy here; set health_check.port",
                group=group,
            )
        self._on_change()

    def keep(self, groups: Collection[str]) -> None:
        """End the checks of all other groups."""
        with self._lock:
            for group in self._groups.keys() - groups:
                del self._groups[group]
            self._stop_unused()

    def health(self, group: str) -> Health:
        """The verdict for one group."""
        with self._lock:
            watched = self._groups.get(group)
            if watched is None:
                return Health.UNKNOWN
            verdicts = {self._running[key].checker.health for key in watched.keys}
        return combined(verdicts)

    def checkers(self) -> list[tuple[Check, Checker]]:
        """All checks under way."""
        with self._lock:
            return [(check, running.checker) for (check, _), running in self._running.items()]

    def checks_of(self, group: str) -> list[tuple[Check, Checker]]:
        """Those that stand for one group."""
        with self._lock:
            watched = self._groups.get(group)
            keys = () if watched is None else watched.keys
            return [(key[0], self._running[key].checker) for key in keys]

    def stop(self) -> None:
        """End all checks; what a script started is killed before this returns."""
        with self._lock:
            every = list(self._running.values())
        for running in every:
            running.end()
        ends = time.monotonic() + STOP_SECONDS
        for running in every:
            running.part.join(max(0.0, ends - time.monotonic()))

    def _start(self, keys: tuple[_Key, ...], config: HealthCheck) -> None:
        for key in keys:
            if key in self._running:
                continue
            check = key[0]
            self._running[key] = self._begun(check, config)

    def _begun(self, check: Check, config: HealthCheck) -> _Running:
        checker = Checker(check, config, self._changed(check))
        stop = threading.Event()
        part = self._supervisor.start(
            f"local check {check}",
            lambda: checker.turn(stop.is_set),
            turn_seconds=config.timeout_seconds + LATE_SECONDS,
        )
        checker.working, checker.trouble = lambda: part.working, lambda: part.trouble
        return _Running(checker, stop, part)

    def _stop_unused(self) -> None:
        used = {key for watched in self._groups.values() for key in watched.keys}
        for key in [key for key in self._running if key not in used]:
            self._running.pop(key).end()

    def _changed(self, check: Check) -> Callable[[Health, str], None]:
        def tell(health: Health, detail: str) -> None:
            level = self._log.info if health is Health.HEALTHY else self._log.warning
            level("local check", check=str(check), health=health.value, detail=detail)
            self._on_change()

        return tell


def combined(verdicts: set[Health]) -> Health:
    """Return what several checks say together."""
    if Health.UNHEALTHY in verdicts:
        return Health.UNHEALTHY
    return Health.UNKNOWN if Health.UNKNOWN in verdicts else Health.HEALTHY
