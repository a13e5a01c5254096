"""Which local checks stand for which server group, and what they say together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from slb_registration.config import HealthCheck
from slb_registration.health import Check, Checker, Health, checks_for
from slb_registration.log import EventLog

STOP_SECONDS = 0.5
"""How long the end waits for a check: long enough to kill a script, too short to wait for one."""


@dataclass(frozen=True)
class _Running:
    checker: Checker
    stop: threading.Event
    thread: threading.Thread


class Board:
    """Runs one checker for each distinct check. Thread-safe.

    A group's health is unknown until its ports are known and every check has its first verdict;
    it is unhealthy as soon as one check is. A group without checks counts as healthy.
    """

    def __init__(self, config: HealthCheck, log: EventLog, on_change: Callable[[], None]) -> None:
        self._config = config
        self._log = log
        self._on_change = on_change
        self._lock = threading.Lock()
        self._running: dict[Check, _Running] = {}
        self._groups: dict[str, tuple[Check, ...]] = {}
        self._ports: dict[str, tuple[int, ...]] = {}

    def watch(self, group: str, ports: tuple[int, ...] | None) -> None:
        """Check for `group`: on its `ports` where the configuration names none.

        None: its ports are not known yet. () after known ports changes nothing: SLB forgets a
        server's listeners when it is removed, and its checks go on.
        """
        own = self._config.port is not None or self._config.type in ("script", "none")
        if not own and (ports is None or ports == self._ports.get(group)):
            return
        with self._lock:
            if group in self._groups and (own or not ports):
                return
            self._ports[group] = ports or ()
            checks = checks_for(self._config, ports or ())
            self._groups[group] = checks
            self._start(checks)
            self._stop_unused()
        if not checks and self._config.type != "none":
            self._log.warning(
                "no backend port to check: this VM counts as healthy here; set health_check.port",
                group=group,
            )
        self._on_change()

    def health(self, group: str) -> Health:
        """The verdict for one group."""
        with self._lock:
            checks = self._groups.get(group)
            if checks is None:
                return Health.UNKNOWN
            verdicts = {self._running[check].checker.health for check in checks}
        return combined(verdicts)

    def checkers(self) -> dict[Check, Checker]:
        """All checks under way."""
        with self._lock:
            return {check: running.checker for check, running in self._running.items()}

    def stop(self) -> None:
        """End all checks; what a script started is killed before this returns."""
        with self._lock:
            every = list(self._running.values())
        for running in every:
            running.stop.set()
        for running in every:
            running.thread.join(STOP_SECONDS)

    def _start(self, checks: tuple[Check, ...]) -> None:
        for check in checks:
            if check in self._running:
                continue
            checker = Checker(check, self._config, self._changed(check))
            stop = threading.Event()
            thread = threading.Thread(
                target=checker.run, args=(stop,), name=f"check {check}", daemon=True
            )
            self._running[check] = _Running(checker, stop, thread)
            thread.start()

    def _stop_unused(self) -> None:
        used = {check for checks in self._groups.values() for check in checks}
        for check in [check for check in self._running if check not in used]:
            self._running.pop(check).stop.set()

    def _changed(self, check: Check) -> Callable[[Health, str], None]:
        def tell(health: Health, detail: str) -> None:
            level = self._log.info if health is Health.HEALTHY else self._log.warning
            level("local check", check=str(check), health=health.value, detail=detail)
            self._on_change()

        return tell


def combined(verdicts: set[Health]) -> Health:
    """What several checks say together."""
    if Health.UNHEALTHY in verdicts:
        return Health.UNHEALTHY
    return Health.UNKNOWN if Health.UNKNOWN in verdicts else Health.HEALTHY
