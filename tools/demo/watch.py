"""Watches our backend server in the load balancer, and tells each change that it sees."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from demo.cloud import LOAD_BALANCER, OUR_SERVER
from mock_slb.account.account import Account

_LOOK_SECONDS = 0.05


class TooLate(Exception):  # noqa: N818 - it is one
    """What was waited for did not happen in time."""


@dataclass(frozen=True)
class Seen:
    """Our backend server as the load balancer has it; without a weight it is not there."""

    weight: int | None = None
    health: tuple[tuple[str, str], ...] = ()

    @property
    def in_service(self) -> bool:
        """Whether it has a weight, and every listener reports it normal."""
        return bool(self.weight) and all(status == "normal" for _, status in self.health)

    def __str__(self) -> str:
        if self.weight is None:
            return f"{LOAD_BALANCER}: {OUR_SERVER} is not registered"
        health = ", ".join(f"{listener} {status}" for listener, status in self.health)
        return f"{LOAD_BALANCER}: {OUR_SERVER} weight {self.weight}, {health}"


@dataclass
class Watch:
    """Looks into the account itself, so that nothing of the agent's is believed."""

    account: Account
    tell: Callable[[str], None]
    _last: Seen = field(default_factory=Seen)

    def look(self) -> Seen:
        """Return what is there now; told if it has changed."""
        seen = self._now()
        if seen != self._last:
            self.tell(str(seen))
            self._last = seen
        return seen

    def until(self, wanted: Callable[[Seen], bool], what: str, timeout_seconds: float) -> None:
        """Wait for it. Raises TooLate."""
        self.wait(lambda: wanted(self.look()), what, timeout_seconds)

    def wait(self, condition: Callable[[], bool], what: str, timeout_seconds: float) -> None:
        """Wait for something else. Raises TooLate."""
        deadline = time.monotonic() + timeout_seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TooLate(f"{what}: not within {timeout_seconds:g} s; {self._last}")
            time.sleep(_LOOK_SECONDS)

    def _now(self) -> Seen:
        balancer = self.account.load_balancer(LOAD_BALANCER)
        with self.account.lock:
            backend = balancer.default_group.server(OUR_SERVER)
            if backend is None:
                return Seen()
            listeners = balancer.listeners.items()
            health = tuple((name, balancer.health(one, backend)) for name, one in listeners)
            return Seen(backend.weight, health)
