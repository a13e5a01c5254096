"""One listener: its port, which outlives every process, and the HAProxy processes behind it."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from mock_slb.account.addresses import Address
from mock_slb.data_plane.config import FRONTEND, configuration
from mock_slb.data_plane.counts import FRONTENDS, Counts, open_connections
from mock_slb.data_plane.follow import Follower, Key
from mock_slb.data_plane.haproxy import HAProxy
from mock_slb.data_plane.rules import Server, Wanted
from mock_slb.data_plane.seen import Frontend, Member
from mock_slb.data_plane.traffic import ListenerTraffic, ServerTraffic

BACKLOG = 1024


class Listening:
    """A port that is forwarded. Not for several threads at once."""

    def __init__(
        self,
        bound: socket.socket,
        argv: Sequence[str],
        *,
        source: str,
        nowhere: Address,
        certificate: Callable[[], str],
        tell: Callable[[str], None],
    ) -> None:
        """`bound`: a socket that listens, and is closed at the end. `argv` runs HAProxy.

        `source`: the address to connect from at layer 7, or empty. `nowhere`: what refuses
        connections. `certificate` gives a key with it, as PEM.
        """
        self._socket, self._certificate, self._source = bound, certificate, source
        self._argv, self._nowhere, self._tell = argv, nowhere, tell
        self._shape: object = None
        self._current: Follower | None = None
        self._before: list[Follower] = []
        """Processes that take no more connections and have some left."""
        self._past: dict[Key, Counts] = {}
        self._members: dict[Key, Member] = {}
        self._present: dict[Key, Server] = {}
        self._layer = 4
        self.restarts = 0
        """How often HAProxy has ended by itself."""

    @property
    def address(self) -> Address:
        """The address that it listens on."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    @property
    def pids(self) -> list[int]:
        """The processes behind it, the one that takes connections last."""
        return [one.haproxy.pid for one in self._followers]

    def follow(self, frontend: Frontend, wanted: Mapping[str, Wanted], now: float) -> None:
        """Be as the listener should be. `now` is in seconds. Raises DataPlaneError."""
        self._layer, self._present = frontend.layer, {}
        for pool in frontend.pools:
            self._members |= {(pool.name, one.name): one for one in pool.members}
            servers = wanted[pool.name].servers
            self._present |= {(pool.name, name): server for name, server in servers.items()}
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
        for one in self._followers:
            one.haproxy.close()
        self._before, self._current = [], None
        self._socket.close()

    def traffic(self) -> ListenerTraffic:
        """Traffic so far. Raises DataPlaneError."""
        running = self._followers
        for one in running:
            one.read()
        counts, is_open = dict(self._past), Counter[Key]()
        for one in running:
            for key, more in one.counts():
                counts[key] = counts.get(key, Counts()) + more
            is_open.update({(row.pool, row.name): row.open for row in one.rows})
        servers: dict[tuple[str, str, int], ServerTraffic] = {}
        for key, member in self._members.items():
            where = (key[0], member.server_id, member.port)
            server = servers.setdefault(where, ServerTraffic(*where))
            server.add(counts.get(key, Counts()), is_open[key])
            if key in self._present:
                server.share, server.health = self._present[key].share, member.health
        return ListenerTraffic(*self.address, self._layer, self.restarts, list(servers.values()))

    @property
    def _followers(self) -> list[Follower]:
        """Those of all processes, the one that takes connections last."""
        return [one for one in (*self._before, self._current) if one is not None]

    def _start(self, frontend: Frontend, wanted: Mapping[str, Wanted]) -> None:
        haproxy = HAProxy(
            self._argv,
            self._socket,
            lambda listening, commands, certificate: configuration(
                frontend,
                wanted,
                listening=listening,
                commands=commands,
                certificate=certificate,
                source=self._source,
                nowhere=self._nowhere,
            ),
            self._certificate() if frontend.tls else "",
        )
        if self._current is not None:
            # Not by its signal to stop softly: after that, servers could not be changed any more.
            self._current.haproxy.ask(f"shutdown frontend {FRONTEND}")
            self._before.append(self._current)
        pools = frozenset(pool.name for pool in frontend.pools)
        self._current = Follower(haproxy, pools, self._nowhere)

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
    """Settings that a process cannot change while it runs."""
    pools = tuple((pool.name, pool.product, pool.scheduler) for pool in frontend.pools)
    return frontend.layer, frontend.tls, frontend.default, frontend.rules, pools
