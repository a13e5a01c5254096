"""Health checks for real: connect to the backend servers as their listeners say, and report."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from mock_slb.account.account import Account
from mock_slb.core.resources import ABNORMAL, NORMAL, HealthCheck
from mock_slb.health.targets import Target, TargetId, targets

__all__ = ["Prober", "Target", "Tracker", "attempt", "targets"]

MAX_AT_ONCE = 16
LOOK_AROUND_SECONDS = 0.05
"""How soon a server that was just added, or a changed listener, is noticed."""


def attempt(target: Target) -> bool:
    """One probe. A server that does not answer is a verdict, not an error."""
    if target.address is None:
        return False
    check = target.check
    try:
        if target.protocol == "udp":
            return _udp(target.address, check.timeout_seconds)
        if check.type == "http":
            return _http(target.address, check)
        socket.create_connection(target.address, timeout=check.timeout_seconds).close()
        return True
    except (OSError, http.client.HTTPException):
        return False


def _http(address: tuple[str, int], check: HealthCheck) -> bool:
    connection = http.client.HTTPConnection(*address, timeout=check.timeout_seconds)
    try:
        headers = {"Host": check.domain} if check.domain else {}
        connection.request(check.method.upper(), check.path, headers=headers)
        return f"http_{connection.getresponse().status // 100}xx" in check.http_codes
    finally:
        connection.close()


def _udp(address: tuple[str, int], timeout_seconds: float) -> bool:
    """Only a port that is reported closed is a failure; silence is fine (as with CLB)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(timeout_seconds)
        sender.connect(address)
        sender.send(b"healthcheck")
        try:
            sender.recv(1)
        except TimeoutError:
            return True
        return True


@dataclass
class Tracker:
    """From single probes to a verdict: so many in a row change it."""

    check: HealthCheck
    status: str | None = None
    row: int = 0
    last: bool | None = None

    def observe(self, ok: bool) -> str | None:
        """Take one probe's result; the verdict, or None until the first is reached."""
        self.row = self.row + 1 if ok == self.last else 1
        self.last = ok
        needed = self.check.healthy_threshold if ok else self.check.unhealthy_threshold
        if self.row >= needed:
            self.status = NORMAL if ok else ABNORMAL
        return self.status


@dataclass
class _Watched:
    tracker: Tracker
    due: float
    running: Future[None] | None = field(default=None)


class Prober:
    """Probes in threads of its own until stopped; `round` does one round at once, for tests."""

    def __init__(
        self,
        account: Account,
        *,
        try_once: Callable[[Target], bool] = attempt,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._account = account
        self._attempt = try_once
        self._clock = clock
        self._stop = threading.Event()
        self._watched: dict[TargetId, _Watched] = {}
        self._thread = threading.Thread(target=self._run, name="mock_slb-probe", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; probes under way are waited for, at most their timeout."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def round(self) -> None:
        """Probe everything once, now, one after the other."""
        for target in targets(self._account):
            self._probe(target, self._watch(target))

    def _run(self) -> None:
        with ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="mock_slb-probe") as pool:
            while not self._stop.wait(LOOK_AROUND_SECONDS):
                self._start_due(pool)

    def _start_due(self, pool: ThreadPoolExecutor) -> None:
        now = self._clock()
        present = targets(self._account)
        ids = {target.id for target in present}
        self._watched = {id_: one for id_, one in self._watched.items() if id_ in ids}
        for target in present:
            watched = self._watch(target)
            busy = watched.running is not None and not watched.running.done()
            if not busy and watched.due <= now:
                watched.due = now + target.check.interval_seconds
                watched.running = pool.submit(self._probe, target, watched)

    def _watch(self, target: Target) -> _Watched:
        return self._watched.setdefault(
            target.id, _Watched(Tracker(target.check), due=self._clock())
        )

    def _probe(self, target: Target, watched: _Watched) -> None:
        status = watched.tracker.observe(self._attempt(target))
        if status is not None:
            target.report(status)
