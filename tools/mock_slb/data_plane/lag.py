"""The time that a change of a server group takes until the data plane knows of it.

Health is found out there, so it needs no time to get there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace

from mock_slb.data_plane.seen import UNUSED, Frontend, Member, Pool

Frontends = Mapping[str, Frontend]
Key = tuple[str, str, str]
"""A listener, a pool and a member."""


class Lag:
    """Views of the account, held back until they are due. Moments are in seconds on one clock."""

    def __init__(self) -> None:
        self._coming: deque[tuple[float, Frontends]] = deque()
        self._arrived: Frontends | None = None
        self._health: dict[Key, str] = {}

    def after(self, now: float, seen: Frontends, seconds: float) -> Frontends:
        """The view that has arrived by now; the first one is taken as it is."""
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
        known = {key for key, _ in _members(self._arrived)} & self._health.keys()
        now = {key: one.health for key, one in _members(seen) if not _is_untold(one)}
        self._health = {key: self._health[key] for key in known} | now

    def _with_health(self, frontend: Frontend) -> Frontend:
        pools = tuple(
            replace(pool, members=tuple(self._as_now(frontend, pool, one) for one in pool.members))
            for pool in frontend.pools
        )
        return replace(frontend, pools=pools)

    def _as_now(self, frontend: Frontend, pool: Pool, member: Member) -> Member:
        health = self._health.get((frontend.name, pool.name, member.name), member.health)
        return replace(member, health=health)


def _is_untold(member: Member) -> bool:
    """Tell whether its weight of 0 is all that its health tells of: ALB and NLB say Unused then."""
    return member.weight == 0 and member.health == UNUSED


def _members(frontends: Frontends) -> Iterator[tuple[Key, Member]]:
    for frontend in frontends.values():
        for pool in frontend.pools:
            for member in pool.members:
                yield (frontend.name, pool.name, member.name), member
