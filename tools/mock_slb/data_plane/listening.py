"""One listener: its port, which outlives every process, and the HAProxy processes behind it."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from mock_slb.addresses import Address
from mock_slb.data_plane.config import FRONTEND, configuration
from mock_slb.data_plane.counts import FRONTENDS, Counts, open_connections
from mock_slb.data_plane.follow import Follower, Key
from mock_slb.data_plane.haproxy import HAProxy
from mock_slb.data_plane.rules import Wanted
from mock_slb.data_plane.seen import Frontend, Member

BACKLOG = 1024


class Listening:
    """A port that is forwarded. Not for several threads at once."""

    def __init__(
        self,
        bound: socket.socket,
        argv: Sequence[str],
        nowhere: Address,
        tell: Callable[[str], None],
    ) -> None:
        """`bound`: a socket that listens, and is closed at the end. `argv` runs HAProxy.

        `nowhere`: what refuses connections.
        """
        self._socket = bound
        self._argv, self._nowhere, self._tell = argv, nowhere, tell
        self._shape: object = None
        self._current: Follower | None = None
        self._before: list[Follower] = []
        """Processes that take no more connections and have some left."""
        self._past: dict[Key, Counts] = {}
        self._members: dict[Key, Member] = {}
        self._frontend: Frontend | None = None
        self._wanted: Mapping[str, Wanted] = {}
        self.restarts = 0
        """How often HAProxy has ended by itself."""

    @property
    def address(self) -> Address:
        """Where it listens."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    @property
    def pids(self) -> list[int]:
        """The processes behind it, the one that takes connections last."""
        return [one.haproxy.pid for one in (*self._before, self._current) if one is not None]

    def follow(self, frontend: Frontend, wanted: Mapping[str, Wanted], now: float) -> None:
        """Be as the listener should be. `now` is in seconds. Raises DataPlaneError."""
        self._frontend, self._wanted = frontend, wanted
        for pool in frontend.pools:
            self._members.update({(pool.name, one.name): one for one in pool.members})
        self._replace_what_ended(frontend)
        shape = _shape(frontend)
        if self._current is None or shape != self._shape:
            self._start(frontend, wanted)
            self._shape = shape
        assert self._current is not None  # noqa: S101 - started
        self._current.follow(wanted, now)
        for one in list(self._before):
            self._finish(one, wanted, now)

    def close(self) -> None:
        """End the processes with all their connections, and the port."""
        for one in (*self._before, self._current):
            if one is not None:
                one.haproxy.close()
        self._before, self._current = [], None
        self._socket.close()

    def view(self) -> dict[str, object]:
        """For JSON: what the listener is, and what went where. Raises DataPlaneError."""
        assert self._frontend is not None  # noqa: S101 - followed before it is looked at
        running = [one for one in (*self._before, self._current) if one is not None]
        for one in running:
            one.read()
        host, port = self.address
        return {
            "address": host,
            "port": port,
            "layer": self._frontend.layer,
            "restarts": self.restarts,
            "pools": {
                pool.name: self._servers(pool.name, running) for pool in self._frontend.pools
            },
        }

    def _servers(self, pool: str, running: Sequence[Follower]) -> list[dict[str, object]]:
        counts = dict(self._past)
        for one in running:
            for key, more in one.counts():
                counts[key] = counts.get(key, Counts()) + more
        is_open: Counter[Key] = Counter()
        for one in running:
            is_open.update({(row.pool, row.name): row.open for row in one.rows})
        now = self._wanted[pool].servers
        found: dict[tuple[str, int], dict[str, object]] = {}
        for (of, name), member in self._members.items():
            if of == pool:
                entry = found.setdefault(
                    (member.server_id, member.port), _entry(member.server_id, member.port)
                )
                if name in now:
                    entry |= {"share": now[name].share, "health": member.health}
                _count(entry, counts.get((of, name), Counts()), is_open[of, name])
        return list(found.values())

    def _start(self, frontend: Frontend, wanted: Mapping[str, Wanted]) -> None:
        haproxy = HAProxy(
            self._argv,
            self._socket,
            lambda listening, commands: configuration(
                frontend, wanted, listening=listening, commands=commands, nowhere=self._nowhere
            ),
        )
        if self._current is not None:
            # Not by its signal to stop softly: after that, servers could not be changed any more.
            self._current.haproxy.ask(f"shutdown frontend {FRONTEND}")
            self._before.append(self._current)
        pools = frozenset(pool.name for pool in frontend.pools)
        self._current = Follower(haproxy, pools, self._nowhere, self._tell)

    def _finish(self, one: Follower, wanted: Mapping[str, Wanted], now: float) -> None:
        """A process that takes no more connections: it ends with the last of them."""
        if not one.haproxy.has_ended():
            one.follow(wanted, now)
            if open_connections(one.haproxy.ask(FRONTENDS)):
                return
            one.read()
        self._before.remove(one)
        self._bury(one)

    def _replace_what_ended(self, frontend: Frontend) -> None:
        if self._current is None or not self._current.haproxy.has_ended():
            return
        self.restarts += 1
        self._tell(f"HAProxy of {frontend.name} ended by itself; another one is started")
        self._bury(self._current)
        self._current = None

    def _bury(self, one: Follower) -> None:
        one.haproxy.close()
        for key, counts in one.counts():
            self._past[key] = self._past.get(key, Counts()) + counts


def _shape(frontend: Frontend) -> object:
    """What a process cannot change while it runs."""
    pools = tuple((pool.name, pool.product, pool.scheduler) for pool in frontend.pools)
    return frontend.layer, frontend.default, frontend.rules, pools


def _entry(server_id: str, port: int) -> dict[str, object]:
    """A server without counts, as long as it is not known to be in the group."""
    entry: dict[str, object] = {"server_id": server_id, "port": port, "share": 0, "health": "gone"}
    return entry | {"connections": 0, "requests": 0, "failed": 0, "open": 0}


def _count(entry: dict[str, object], counts: Counts, is_open: int) -> None:
    for name, more in (
        ("connections", counts.connections),
        ("requests", counts.requests),
        ("failed", counts.failed),
        ("open", is_open),
    ):
        entry[name] = int(str(entry[name])) + more
