"""The data plane of an account: looks, compares and closes the gap, over and over again."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict

from mock_slb.account.account import Account
from mock_slb.account.addresses import Address
from mock_slb.data_plane import haproxy, rules, seen
from mock_slb.data_plane.haproxy import DataPlaneError
from mock_slb.data_plane.lag import Lag
from mock_slb.data_plane.listening import BACKLOG, Listening
from mock_slb.data_plane.seen import Frontend
from mock_slb.data_plane.settings import Settings
from mock_slb.data_plane.traffic import ListenerTraffic
from mock_slb.http.tls import Authority

LOOK_SECONDS = 0.05


def _tell(text: str) -> None:
    print(f"mock_slb: {text}", file=sys.stderr, flush=True)


class DataPlane:
    """Forwards what comes to the account's listeners, from `start` to `close`.

    Or `look` by hand, for tests; the thread that does must stay until the end, for HAProxy ends
    with it.
    """

    def __init__(
        self,
        account: Account,
        settings: Settings | None = None,
        *,
        authority: Authority | None = None,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] = _tell,
    ) -> None:
        """`authority` signs for listeners that end TLS; without one it is made when it is needed.
        `clock` gives seconds; `tell` takes what a person should know.

        Raises DataPlaneError where HAProxy is missing.
        """
        self.settings = settings or Settings()
        """May be replaced at any time, as far as `Settings.changed` changes it."""
        program = haproxy.find()
        self.version = haproxy.version(program)
        self._argv = (*self.settings.command, program)
        self._account, self._authority = account, authority
        self._clock, self._tell = clock, tell
        self._lag = Lag()
        self._lock = threading.Lock()
        self._listening: dict[str, Listening] = {}
        self._not_played: dict[str, str] = {}
        self._complaint = ""
        self._nowhere = _bound("127.0.0.1", 0)  # bound, never listening: it refuses
        self._stop, self._began = threading.Event(), threading.Event()
        self._failure: DataPlaneError | None = None
        self._thread = threading.Thread(target=self._run, name="mock_slb data plane", daemon=True)

    def start(self) -> None:
        """Return once all listeners that there are take connections. Raises DataPlaneError."""
        self._thread.start()
        self._began.wait()
        if self._failure is not None:
            self.close()
            raise self._failure
        for name in self.settings.ports.keys() - self._listening.keys():
            self._tell(f"a port is given for {name}, which is not there, or not forwarded")

    def close(self) -> None:
        """End everything, connections as well. Harmless when repeated."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            for one in self._listening.values():
                one.close()
            self._listening = {}
            self._nowhere.close()

    def look(self) -> None:
        """Make HAProxy be as the account says, once. Raises DataPlaneError."""
        with self._lock:
            now = self._clock()
            frontends = self._lag.after(now, seen.look(self._account), self.settings.lag_seconds)
            self._not_played = {
                name: one.why_not_played for name, one in frontends.items() if one.why_not_played
            }
            played = {n: one for n, one in frontends.items() if one.why_not_played is None}
            for name in [name for name in self._listening if name not in played]:
                self._listening.pop(name).close()
            complaints = [self._follow(name, one, now) for name, one in played.items()]
        if any(complaints):
            raise DataPlaneError("; ".join(filter(None, complaints)))

    def address(self, listener: str) -> Address:
        """The address of a listener (BALANCER/LISTENER). Raises KeyError for none such."""
        with self._lock:
            return self._listening[listener].address

    def pids(self) -> list[int]:
        """HAProxy's processes."""
        with self._lock:
            return [pid for one in self._listening.values() for pid in one.pids]

    def traffic(self) -> dict[str, ListenerTraffic]:
        """Traffic so far, by listener. Not with the account's lock held."""
        with self._lock:
            found = {}
            for name, one in self._listening.items():
                # if HAProxy has just ended, the next look starts another one
                with contextlib.suppress(DataPlaneError):
                    found[name] = one.traffic()
            return found

    def view(self) -> dict[str, object]:
        """For JSON: what is chosen, the listeners, and what went where."""
        settings = self.settings
        return {
            "haproxy": self.version,
            "lag_seconds": settings.lag_seconds,
            "unchecked": settings.unchecked,
            "without_draining": settings.without_draining,
            "round_robin_zero": settings.round_robin_zero,
            "listeners": {name: asdict(one) for name, one in self.traffic().items()},
            "not_played": dict(self._not_played),
            "ca": None if self._authority is None else self._authority.pem.decode(),
        }

    def summary(self) -> list[str]:
        """A line for each listener, for a person."""
        with self._lock:
            played = {name: one.address for name, one in self._listening.items()}
            lines = [f"{name} is on {host}:{port}" for name, (host, port) in played.items()]
            return lines + [f"{name}: {why}" for name, why in self._not_played.items()]

    def _follow(self, name: str, frontend: Frontend, now: float) -> str:
        """Make a listener be as it should be; what hinders that."""
        wanted = {pool.name: rules.wanted(pool, self.settings) for pool in frontend.pools}
        try:
            if name not in self._listening:
                self._listening[name] = Listening(
                    self._bind(name),
                    self._argv,
                    source=self.settings.layer_7_source,
                    nowhere=self._nowhere.getsockname()[:2],
                    certificate=self._certificate,
                    tell=self._tell,
                )
            self._listening[name].follow(frontend, wanted, now)
        except DataPlaneError as error:
            return str(error)
        return ""

    def _certificate(self) -> str:
        if self._authority is None:
            self._authority = Authority()
        return self._authority.key_and_certificate("localhost", "127.0.0.1", self.settings.address)

    def _bind(self, name: str) -> socket.socket:
        port = self.settings.ports.get(name, 0)
        try:
            bound = _bound(self.settings.address, port)
            bound.listen(BACKLOG)
        except OSError as error:
            place = f"{self.settings.address}:{port}"
            raise DataPlaneError(f"{name} cannot listen on {place}: {error.strerror}") from None
        return bound

    def _run(self) -> None:
        try:
            self.look()
        except DataPlaneError as error:
            self._failure = error
            return
        finally:
            self._began.set()
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self.look()
                self._complaint = ""
            except DataPlaneError as error:
                self._complain(str(error))

    def _complain(self, text: str) -> None:
        """Say it, but not twenty times a second."""
        if text != self._complaint:
            self._tell(text)
        self._complaint = text


def _bound(host: str, port: int) -> socket.socket:
    """A socket at an address, or for port 0 at a free one. Raises OSError."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made
