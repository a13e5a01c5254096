"""Brings one HAProxy process in line with what is wanted: by what it has, not by what was told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mock_slb.account.addresses import Address
from mock_slb.data_plane.config import CUT_SERVERS, place, server_line
from mock_slb.data_plane.counts import SERVERS, Counts, Row, rows
from mock_slb.data_plane.haproxy import DataPlaneError, HAProxy
from mock_slb.data_plane.rules import Server, Wanted

LOOK_AGAIN_SECONDS = 1.0
_MAX_PASSES = 4
_DELETED = "Server deleted."
_EXPECTED = (
    "New server registered.",
    _DELETED,
    "Server still has connections",
    "no need to change",
)
_NOTHING = Wanted({}, removed_end_after=0.0, failed_end_after=None, cut_with_500=False)

Key = tuple[str, str]
"""A pool and a server's name in it."""


@dataclass
class Follower:
    """One process, and what is remembered of it. Moments are in seconds on one clock."""

    haproxy: HAProxy
    pools: frozenset[str]
    nowhere: Address
    rows: list[Row] = field(default_factory=list)
    """The servers that it has, as last seen."""
    past: dict[Key, Counts] = field(default_factory=dict)
    """Counts of servers that it has no more."""
    _since: dict[Key, float] = field(default_factory=dict)
    """Since when a server has been leaving."""
    _cut: set[str] = field(default_factory=set)
    _settled: Mapping[str, Wanted] | None = None
    _look_again: float = 0.0

    def follow(self, wanted: Mapping[str, Wanted], now: float) -> None:
        """Close the gap, as far as that can be done now. Raises DataPlaneError."""
        if wanted == self._settled and now < self._look_again:
            return
        self._settled = None
        for _ in range(_MAX_PASSES):
            self.read()
            commands = list(self._commands(wanted, now))
            if not commands:
                break
            for command in commands:
                self._order(command)
        else:
            return
        if not self._since:
            self._settled, self._look_again = wanted, now + LOOK_AGAIN_SECONDS

    def read(self) -> None:
        """Look at what the process has. Raises DataPlaneError."""
        self.rows = rows(self.haproxy.ask(SERVERS))

    def counts(self) -> Iterable[tuple[Key, Counts]]:
        """Of all servers that it has and had; a server may come more than once."""
        yield from self.past.items()
        for row in self.rows:
            yield (row.pool, row.name), row.counts

    def _commands(self, wanted: Mapping[str, Wanted], now: float) -> Iterator[str]:
        left = {(row.pool, row.name): row for row in self.rows}
        for pool in sorted(self.pools):
            for name, server in wanted.get(pool, _NOTHING).servers.items():
                row = left.pop((pool, name), None)
                if row is None:
                    yield f"add server {pool}/{server_line(name, server, self.nowhere)}"
                    yield f"set server {pool}/{name} state ready"
                else:
                    yield from self._adjust(row, server, wanted[pool], now)
        for row in left.values():
            yield from self._remove(row, wanted.get(row.pool, _NOTHING), now)

    def _adjust(self, row: Row, server: Server, pool: Wanted, now: float) -> Iterator[str]:
        where = f"{row.pool}/{row.name}"
        address = place(server, self.nowhere)
        if row.address != address:
            host, _, port = address.rpartition(":")
            yield f"set server {where} addr {host.strip('[]')} port {port}"
        if row.weight != server.share:
            yield f"set weight {where} {server.share}"
        if server.leaving and row.open and pool.failed_end_after is not None:
            if self._is_over(row, pool.failed_end_after, now):
                yield from self._cut_off(row, pool)
        else:
            yield from self._stay(row)

    def _remove(self, row: Row, pool: Wanted, now: float) -> Iterator[str]:
        where = f"{row.pool}/{row.name}"
        if row.weight:
            yield f"set weight {where} 0"
        over = self._is_over(row, pool.removed_end_after, now)
        if row.open:
            if over:
                yield from self._cut_off(row, pool)
            return
        yield f"set server {where} state maint"
        yield f"del server {where}"

    def _is_over(self, row: Row, after: float | None, now: float) -> bool:
        since = self._since.setdefault((row.pool, row.name), now)
        return after is not None and now >= since + after

    def _cut_off(self, row: Row, pool: Wanted) -> Iterator[str]:
        if pool.cut_with_500 and row.name not in self._cut:
            self._cut.add(row.name)
            yield f"add acl {CUT_SERVERS} {row.name}"
        yield f"shutdown sessions server {row.pool}/{row.name}"

    def _stay(self, row: Row) -> Iterator[str]:
        self._since.pop((row.pool, row.name), None)
        if row.name in self._cut:
            self._cut.discard(row.name)
            yield f"del acl {CUT_SERVERS} {row.name}"

    def _order(self, command: str) -> None:
        answer = self.haproxy.ask(command).strip()
        if answer == _DELETED:
            self._forget(command.removeprefix("del server "))
        elif answer and not answer.startswith(_EXPECTED) and "changed from" not in answer:
            raise DataPlaneError(f"HAProxy answers {answer!r} to: {command}")

    def _forget(self, where: str) -> None:
        pool, _, name = where.partition("/")
        for row in self.rows:
            if (row.pool, row.name) == (pool, name):
                self.past[pool, name] = self.past.get((pool, name), Counts()) + row.counts
        self.rows = [row for row in self.rows if (row.pool, row.name) != (pool, name)]
        self._since.pop((pool, name), None)
        self._cut.discard(name)  # in the list it stays: no other server will ever have its name
