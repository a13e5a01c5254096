"""A server group of CLB: a default group, a vServer group, or an active/standby group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mock_slb.clb import errors
from mock_slb.clb.resources import Backend
from mock_slb.core.errors import ApiError
from mock_slb.core.past import Past
from mock_slb.core.resources import BackendKey
from mock_slb.core.tagged import Tagged

if TYPE_CHECKING:
    from mock_slb.core.base import BaseAccount


class ServerGroup(Tagged):
    """Backend servers in the order they were added. `ports`: a server has a port of its own."""

    def __init__(
        self,
        account: BaseAccount,
        id_: str,
        name: str,
        *,
        load_balancer_id: str,
        ports: bool,
        tags: Mapping[str, str] | None = None,
        active_standby: bool = False,
    ) -> None:
        self.id = id_
        self.name = name
        self.load_balancer_id = load_balancer_id
        self.ports = ports
        super().__init__(account, tags or {})
        self.active_standby = active_standby
        """Two servers of which the second serves while the first fails; only ever read."""
        self.created_at = account.now()
        self._servers: dict[BackendKey, Backend] = {}
        self._past: Past[Mapping[BackendKey, Backend]] = Past()
        self._health: dict[tuple[int, str], str] = {}

    def servers(self) -> list[Backend]:
        """Servers in the group now, or at the moment that a stale reader sees."""
        with self._account.lock:
            return list(self._past.as_of(self._account.as_of, self._servers).values())

    def server(self, server_id: str, port: int = 0, server_ip: str = "") -> Backend | None:
        """One server, if it is in the group; `server_ip` only for network interfaces.

        A default group takes no port.
        """
        with self._account.lock:
            return self._servers.get(BackendKey(server_id, server_ip, port))

    def add_server(
        self,
        server_id: str,
        *,
        port: int = 0,
        weight: int = 100,
        description: str = "",
        type: str | None = None,
        server_ip: str = "",
    ) -> Backend:
        """Put one in, as an operator would: an ECS instance, or of another `type`.

        Raises ApiError as `add`.
        """
        backend = Backend(
            server_id,
            port if self.ports else 0,
            weight,
            type or "ecs",
            server_ip,
            description=description,
        )
        with self._account.lock:
            self.add([backend])
            return self._servers[self._matching(backend.key)[-1]]

    def remove_server(self, server_id: str, *, port: int = 0, server_ip: str = "") -> None:
        """Take one out, as an operator would; absent is fine.

        A network interface goes with all of its addresses, where none is given.
        """
        self.remove([BackendKey(server_id, server_ip, port if self.ports else 0)])

    def set_weight(
        self, server_id: str, weight: int, *, port: int = 0, server_ip: str = ""
    ) -> None:
        """Change a weight and nothing else, as an operator would. Raises ApiError if absent."""
        with self._account.lock:
            old = self.server(server_id, port if self.ports else 0, server_ip)
            if old is None:
                raise errors.server_not_in_group()
            self._change({old.key: replace(old, weight=weight)})

    def add(self, backends: Sequence[Backend]) -> None:
        """Add all or none. Of two alike in one call the first counts.

        Raises ApiError: ObtainIpFail, or InvalidParameter for one that is there already where the
        account is set to refuse that.
        """
        with self._account.lock:
            fresh: dict[BackendKey, Backend] = {}
            for backend in map(self._admit, backends):
                if backend.key not in self._servers:
                    others = [*self._servers.values(), *fresh.values()]
                    address = (backend.server_ip, backend.port)
                    if backend.key not in fresh and self._account.refuses_address(*address, others):
                        raise errors.address_taken()
                    fresh.setdefault(backend.key, backend)
                elif self._account.already_there == "error":
                    raise errors.server_already_there()
            self._change(fresh)

    def change(self, backends: Sequence[Backend]) -> None:
        """Set weight and description of all or none; other servers stay as they are.

        A description that is not sent again is gone. Raises ApiError for a server that is absent.
        """
        with self._account.lock:
            changed: dict[BackendKey, Backend] = {}
            for wanted in backends:
                keys = self._matching(wanted.key)
                if not keys:
                    raise errors.server_not_in_group()
                for key in keys:
                    changed[key] = replace(
                        self._servers[key], weight=wanted.weight, description=wanted.description
                    )
            self._change(changed)

    def remove(self, keys: Iterable[BackendKey]) -> None:
        """Remove those that are there; a key without an address means each of its addresses."""
        with self._account.lock:
            self._change(dict.fromkeys(k for wanted in keys for k in self._matching(wanted)))

    def exchange(self, old: Iterable[BackendKey], new: Sequence[Backend]) -> None:
        """Replace servers by others, all or none. Raises ApiError as `add`."""
        with self._account.lock:
            before = dict(self._servers)
            self.remove(old)
            try:
                self.add(new)
            except ApiError:
                self._servers = before
                raise

    def drop(self, server_id: str) -> None:
        """Forget a server that was released, whatever its ports and addresses."""
        with self._account.lock:
            self._change(dict.fromkeys(k for k in self._servers if k.server_id == server_id))

    def health(self, listener: str, backend: Backend) -> str | None:
        """Health that was reported of this membership behind a listener; None for nothing yet."""
        with self._account.lock:
            return self._health.get((backend.generation, listener))

    def report_health(self, listener: str, backend: Backend, status: str) -> None:
        """Take the verdict of a probe, unless the server was removed meanwhile."""
        with self._account.lock:
            present = {one.generation for one in self._servers.values()}
            self._health = {k: v for k, v in self._health.items() if k[0] in present}
            if backend.generation in present:
                self._health[backend.generation, listener] = status

    def _change(self, changes: Mapping[BackendKey, Backend | None]) -> None:
        if self._account.read_lag_seconds > 0:
            self._past.replaced(self._account.now(), dict(self._servers))
        for key, backend in changes.items():
            if backend is None:
                del self._servers[key]
            else:
                self._servers[key] = backend

    def _admit(self, backend: Backend) -> Backend:
        instance = self._account.find_server(backend.type, backend.server_id)
        if instance is None or not instance.running:
            raise errors.obtain_ip_fail()
        return replace(
            backend,
            server_ip=backend.server_ip or instance.private_ip,
            generation=self._account.next_generation(),
        )

    def _matching(self, wanted: BackendKey) -> list[BackendKey]:
        return [
            key
            for key in self._servers
            if key.server_id == wanted.server_id
            and key.port == wanted.port
            and wanted.server_ip in {"", key.server_ip}
        ]
