"""The time that a change of a server group takes until the data plane knows of it.

Health is found out there, so it needs no time to get there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace

from mock_slb.data_plane.seen import Frontend, Member, Pool

Frontends = Mapping[str, Frontend]


class Lag:
    """What was seen, until it is due. Moments are in seconds on one clock."""

    def __init__(self) -> None:
        self._coming: deque[tuple[float, Frontends]] = deque()
        self._arrived: Frontends | None = None
        self._health: dict[tuple[str, str, str], str] = {}

    def after(self, now: float, seen: Frontends, seconds: float) -> Frontends:
        """What has arrived by now; what is seen first is taken as it is."""
        if self._arrived is None:
            self._arrived = seen
        if not self._coming or self._coming[-1][1] != seen:
            self._coming.append((now, seen))
        while self._coming and self._coming[0][0] + seconds <= now:
            self._arrived = self._coming.popleft()[1]
        self._remember(seen)
        return {name: self._with_health(one) for name, one in self._arrived.items()}

    def _remember(self, seen: Frontends) -> None:
        """Keep the health of those that the account has forgotten and the data plane has not."""
        assert self._arrived is not None  # noqa: S101 - set before
        known = {key: self._health.get(key) for key, _ in _healths(self._arrived)}
        self._health = {key: health for key, health in known.items() if health is not None}
        self._health.update(_healths(seen))

    def _with_health(self, frontend: Frontend) -> Frontend:
        pools = tuple(
            replace(pool, members=tuple(self._as_now(frontend, pool, one) for one in pool.members))
            for pool in frontend.pools
        )
        return replace(frontend, pools=pools)

    def _as_now(self, frontend: Frontend, pool: Pool, member: Member) -> Member:
        health = self._health.get((frontend.name, pool.name, member.name), member.health)
        return replace(member, health=health)


def _healths(frontends: Frontends) -> list[tuple[tuple[str, str, str], str]]:
    return [
        ((frontend.name, pool.name, member.name), member.health)
        for frontend in frontends.values()
        for pool in frontend.pools
        for member in pool.members
    ]
