"""Members of a server group, now and as they were before, and how healthy each is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mock_slb.alb_nlb.resources import GroupServer
from mock_slb.core.past import Past
from mock_slb.core.resources import BackendKey

Servers = Mapping[BackendKey, GroupServer]


class Members:
    """Servers in the order they were added. Guarded by the account's lock.

    `is_probed` says to which servers health checks go: of the others nothing is remembered.
    """

    def __init__(self, is_probed: Callable[[GroupServer], bool]) -> None:
        self.now: Servers = {}
        self._past: Past[Servers] = Past()
        self._is_probed = is_probed
        self._health: dict[tuple[int, str], str] = {}

    def as_of(self, moment: float | None) -> Servers:
        """Those at a moment, in seconds since the epoch; None means now."""
        return self._past.as_of(moment, self.now)

    def change(
        self, at: float, changes: Mapping[BackendKey, GroupServer | None], *, remember: bool
    ) -> None:
        """Put in, replace, or (None) take out, as of a moment in seconds since the epoch.

        `remember` keeps what was for `as_of`.
        """
        if remember:
            self._past.replaced(at, self.now)
        merged = {**self.now, **changes}
        self.now = {key: server for key, server in merged.items() if server is not None}
        self._forget()

    def health(self, route: str, server: GroupServer) -> str | None:
        """Health that was reported of this membership behind this route; None for nothing yet."""
        return self._health.get((server.generation, route))

    def report_health(self, route: str, server: GroupServer, status: str) -> None:
        """Take a verdict, unless the server was removed or is not probed any more."""
        self._health[server.generation, route] = status
        self._forget()

    def _forget(self) -> None:
        probed = {one.generation for one in self.now.values() if self._is_probed(one)}
        self._health = {key: v for key, v in self._health.items() if key[0] in probed}
