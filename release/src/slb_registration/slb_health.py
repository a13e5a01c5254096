"""SLB's own view of this VM's health, and when to read it again."""

from __future__ import annotations

from dataclasses import replace

from slb_registration import pacing
from slb_registration.goal import Identity
from slb_registration.server_groups import ListenerHealth
from slb_registration.steps import Event

NEVER = float("-inf")
CHANGING_SECONDS = 120.0
"""How long after a change it is read often, if it does not become normal."""


class SlbHealth:
    """Of one VM in one server group. Times are those of one monotonic clock, in seconds."""

    def __init__(self, me: Identity) -> None:
        self.listeners: tuple[ListenerHealth, ...] = ()
        self.reads = 0
        self.current = False  # read since the last change
        self.due = NEVER
        self._me = me
        self._changed_at = NEVER

    def changed(self, now: float) -> None:
        """The registration was changed: SLB's view will follow."""
        self._changed_at = now
        self.current = False
        self.due = now

    def forget(self) -> None:
        """The VM is not in the group."""
        self.listeners = ()
        self.reads = 0

    def take(self, now: float, answer: tuple[ListenerHealth, ...]) -> list[Event]:
        """Take what SLB says of the group's servers; returns what is news of this one."""
        me = self._me
        mine = tuple(item for item in answer if item.is_of(me.server_id, me.port, me.server_ip))
        news = [
            Event(
                "info",
                "SLB reports this VM's health",
                {
                    "listener": f"{item.protocol}:{item.listener_port}",
                    "status": item.status,
                    "before": before,
                },
            )
            for item in mine
            if (before := self._status(item)) != item.status
        ]
        self.listeners = mine
        self.reads += 1
        self.current = True
        self.due = now + (
            pacing.HEALTH_WHILE_CHANGING_SECONDS
            if self._changing(now)
            else pacing.HEALTH_AT_REST_SECONDS
        )
        return news

    def _status(self, like: ListenerHealth) -> str | None:
        for item in self.listeners:
            if replace(item, status=like.status, checked=like.checked) == like:
                return item.status
        return None

    def _changing(self, now: float) -> bool:
        if self.listeners and all(item.good for item in self.listeners):
            return False
        return self.reads < 2 or now - self._changed_at < CHANGING_SECONDS
