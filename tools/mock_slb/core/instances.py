"""The instances of an account, and which of them this VM is."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace

from mock_slb.core.resources import DEFAULT_VPC, Instance


class Instances:
    """Instances and network interfaces by their ids, guarded by the account's lock."""

    def __init__(self, region: str, lock: threading.RLock) -> None:
        self._region = region
        self._lock = lock
        self._instances: dict[str, Instance] = {}

    def add(
        self,
        id_: str,
        *,
        host: str = "127.0.0.1",
        ports: Mapping[int, int] | None = None,
        private_ip: str | None = None,
        type: str = "ecs",
        running: bool = True,
        zone_id: str | None = None,
        is_self: bool = False,
        vpc_id: str = DEFAULT_VPC,
        eni_id: str | None = None,
        other_ips: tuple[str, ...] = (),
    ) -> Instance:
        """Start an instance (or make a network interface); raises ValueError if the id is taken."""
        with self._lock:
            if id_ in self._instances:
                raise ValueError(f"instance {id_} exists already")
            number = len(self._instances) + 1
            self._instances[id_] = Instance(
                id=id_,
                host=host,
                ports=dict(ports or {}),
                private_ip=private_ip or f"192.168.{number // 256}.{number % 256}",
                type=type,
                running=running,
                zone_id=zone_id or f"{self._region}-h",
                vpc_id=vpc_id,
                mac=f"00:16:3e:00:{number // 256:02x}:{number % 256:02x}",
                eni_id=eni_id or (id_ if type == "eni" else f"eni-{id_.removeprefix('i-')}"),
                other_ips=other_ips,
            )
            if is_self:
                self.set_self(id_)
            return self._instances[id_]

    def get(self, id_: str) -> Instance | None:
        """The instance with this id, if there is one."""
        with self._lock:
            return self._instances.get(id_)

    def all(self) -> list[Instance]:
        """All instances, running or not."""
        with self._lock:
            return list(self._instances.values())

    def find_server(self, type_: str, id_: str) -> Instance | None:
        """Find what a backend server's type and id mean: an instance, or the owner of an interface.

        `type_` is ecs, eni or eci.
        """
        if type_ == "eni":
            return next((one for one in self.all() if one.eni_id == id_), None)
        instance = self.get(id_)
        return instance if instance is not None and instance.type == type_ else None

    def by_address(self, address: str) -> Instance | None:
        """The instance that has this address now, if any has."""
        return next((one for one in self.all() if address in one.addresses), None)

    def self_instance(self) -> Instance | None:
        """The instance whose VM asks the metadata service."""
        return next((one for one in self.all() if one.is_self), None)

    def set_self(self, id_: str) -> None:
        """Make the metadata service answer for this instance. Raises KeyError for none such."""
        with self._lock:
            chosen = self._instances[id_]
            for other in self.all():
                self._instances[other.id] = replace(other, is_self=other is chosen)

    def set_running(self, id_: str, running: bool) -> None:
        """Start or stop an instance; its memberships stay. Raises KeyError for none such."""
        with self._lock:
            self._instances[id_] = replace(self._instances[id_], running=running)

    def remove(self, id_: str) -> Instance:
        """Delete an instance. Raises KeyError for none such."""
        with self._lock:
            return self._instances.pop(id_)
