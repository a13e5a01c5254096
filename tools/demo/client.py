"""Somebody who asks through the load balancer all the while, and counts who answers."""

from __future__ import annotations

import threading
from collections import Counter
from http.client import HTTPConnection, HTTPException

from mock_slb.account.addresses import Address

_PAUSE_SECONDS = 0.02
_TIMEOUT_SECONDS = 10
_PATH = "/"


class Client:
    """Two threads from `start` to `stop`: one connects for each request, one keeps its connection.

    Nothing is tried twice: a request without a complete answer that is 200 has failed.
    """

    def __init__(self, anew: Address, kept: Address) -> None:
        """`anew`: where to ask with a connection each time; `kept`: with one that is kept."""
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._answers: Counter[str] = Counter()
        self._told: Counter[str] = Counter()
        self.failures: list[str] = []
        """What went wrong, each time."""
        self._threads = [
            threading.Thread(target=self._ask_anew, args=(anew,), name="client", daemon=True),
            threading.Thread(target=self._ask_on, args=(kept,), name="kept client", daemon=True),
        ]

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End with the answers under way. Harmless when repeated, or before the start."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    @property
    def answers(self) -> Counter[str]:
        """How many came from each server."""
        with self._lock:
            return Counter(self._answers)

    @property
    def total(self) -> str:
        """How many requests there were, and how many of them failed."""
        failed = len(self.failures)
        return f"{self.answers.total() + failed} requests, {failed} failed"

    def news(self) -> str:
        """How many answers have come since this was asked last, and from whom."""
        now = self.answers
        new, self._told = now - self._told, now
        servers = ", ".join(f"{new[name]} from {name}" for name in sorted(new))
        failed = f"; {len(self.failures)} failed so far" if self.failures else ""
        return f"{new.total()} answers{f': {servers}' if servers else ''}{failed}"

    def _ask_anew(self, address: Address) -> None:
        while not self._stop.wait(_PAUSE_SECONDS):
            connection = _connection(address)
            self._ask(connection)
            connection.close()

    def _ask_on(self, address: Address) -> None:
        connection = _connection(address)
        while not self._stop.wait(_PAUSE_SECONDS):
            if not self._ask(connection):
                connection.close()
                connection = _connection(address)
        connection.close()

    def _ask(self, connection: HTTPConnection) -> bool:
        """Ask once; whether the connection can be asked again."""
        try:
            if connection.sock is None:
                connection.connect()
            connection.request("GET", _PATH)
            answer = connection.getresponse()
            body = answer.read().decode()
        except (OSError, HTTPException) as error:
            self._failed(f"{type(error).__name__}: {error}")
            return False
        if answer.status == 200:
            with self._lock:
                self._answers[body] += 1
        else:
            self._failed(f"{answer.status} {answer.reason}")
        return not answer.will_close

    def _failed(self, why: str) -> None:
        with self._lock:
            self.failures.append(why)


def _connection(address: Address) -> HTTPConnection:
    connection = HTTPConnection(*address, timeout=_TIMEOUT_SECONDS)
    connection.auto_open = 0  # or one that was closed would be opened again without a word
    return connection
