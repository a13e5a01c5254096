"""SLB's own view of this VM's health, and when to read it again."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from slb_registration.model.identity import Identity
from slb_registration.model.operations import NEVER, Event, Op
from slb_registration.model.server_group import ListenerHealth
from slb_registration.pacing import backoff
from slb_registration.pacing.quotas import CHANGING_MINUTES, MINUTE, Fleet

CHANGING_SECONDS = CHANGING_MINUTES * MINUTE
"""How long after a change, or a start, it is read often, if it does not become normal."""

WHILE_CHANGING_SECONDS = 5.0
AT_REST_SECONDS = 60.0
"""How often it is read: while something changes, and at rest, where it is stretched as polls are.

Both are rarer where a fleet is too large for that.
"""


class SlbHealth:
    """Health of one VM in one server group. Times are those of one monotonic clock, in seconds."""

    def __init__(self, me: Identity) -> None:
        self.listeners: tuple[ListenerHealth, ...] = ()
        self.reads = 0
        self.current = False  # read since the last change
        self.due = NEVER
        self.awaited = False  # by post-start
        self._me = me
        self._began_at: float | None = None  # with the first read
        self._changed_at = NEVER
        self._looks = 0  # reads since the last change
        self._quiet = 0  # reads in a row, at rest, that brought no news

    def changed(self, now: float) -> None:
        """Take note that the registration was changed: SLB's view will follow."""
        self._changed_at = now
        self.current = False
        self.due = now
        self._looks = self._quiet = 0

    def hurry(self) -> None:
        """Read it now if it is not known to be normal: post-start begins to wait."""
        if not self._normal:
            self.due = NEVER

    def forget(self) -> None:
        """Take note that the VM is not in the group."""
        self.listeners = ()
        self.reads = 0

    def take(
        self, now: float, random: Random, answer: tuple[ListenerHealth, ...], fleet: Fleet
    ) -> list[Event]:
        """Take what SLB says of the group's servers; returns what is news of this one."""
        me = self._me
        mine = tuple(item for item in answer if item.is_of(me.server_id, me.port, me.server_ip))
        news = [
            Event(
                "info",
                "SLB reports this VM's health",
                {
                    "listener": item.listener,
                    "status": item.status,
                    "before": before,
                    **({"reason": item.reason} if item.reason else {}),
                },
            )
            for item in mine
            if (before := self._status(item)) != item.status
        ]
        self.listeners = mine
        self._began_at = now if self._began_at is None else self._began_at
        self.reads += 1
        self.current = True
        self._looks += 1
        self.due = now + self._until_next(now, random, fleet, quiet=not news)
        return news

    def _until_next(self, now: float, random: Random, fleet: Fleet, *, quiet: bool) -> float:
        if self._changing(now):
            soon = backoff.doubled(WHILE_CHANGING_SECONDS, self._looks)
            return min(soon, max(WHILE_CHANGING_SECONDS, fleet.between_looks))
        calls = max(1, len(self.listeners))  # a read may take one for each listener
        rarest = fleet.between_polls(Op.HEALTH) * calls
        if self._is_waited_for(now):
            # Registered before this agent began: no quota on writes has kept the fleet apart.
            return max(WHILE_CHANGING_SECONDS, backoff.spread(rarest, random))
        interval = max(AT_REST_SECONDS, rarest)
        self._quiet = self._quiet + 1 if quiet else 0
        return backoff.until_next_poll(interval, self._quiet, random)

    def _status(self, like: ListenerHealth) -> str | None:
        for item in self.listeners:
            same = replace(
                item,
                status=like.status,
                checked=like.checked,
                reason=like.reason,
                told_apart=like.told_apart,
            )
            if same == like:
                return item.status
        return None

    @property
    def _normal(self) -> bool:
        return bool(self.listeners) and all(item.good for item in self.listeners)

    def _changing(self, now: float) -> bool:
        if self._normal:
            return False
        return self.reads < 2 or now - self._changed_at < CHANGING_SECONDS

    def _is_waited_for(self, now: float) -> bool:
        began_at = now if self._began_at is None else self._began_at
        return not self._normal and (self.awaited or now - began_at < CHANGING_SECONDS)
