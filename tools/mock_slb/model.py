"""The account: instances, classic load balancers, their groups and listeners. No HTTP here.

Every public method may be called from any thread. Refusals are `errors.ApiError`.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from mock_slb import errors
from mock_slb.groups import ServerGroup
from mock_slb.load_balancer import LoadBalancer
from mock_slb.resources import (
    AccessKey,
    Backend,
    BackendKey,
    HealthCheck,
    Instance,
    Listener,
)

__all__ = [
    "AccessKey",
    "Account",
    "Backend",
    "BackendKey",
    "HealthCheck",
    "Instance",
    "Listener",
    "LoadBalancer",
    "ServerGroup",
]

METADATA_MODES = ("both", "hardened", "old")


class Account:
    """One account in one region. `clock` gives seconds since the epoch."""

    def __init__(
        self,
        region: str = "cn-hangzhou",
        *,
        clock: Callable[[], float] = time.time,
        already_there: str = "ignore",
    ) -> None:
        self.region = region
        self.lock = threading.RLock()
        self.clock_offset_seconds = 0.0
        """Added to the clock: a server that disagrees with its callers about the time."""
        self.already_there = already_there
        """Adding a server that is in the group: `ignore` (older documentation) or `error`."""
        self.metadata_mode = "both"
        """`both` protocols, `hardened` (token required) or `old` (no token endpoint)."""
        self.forced_health: dict[str, str] = {}
        """Server id -> health status reported whatever its probes say."""
        self.load_balancers: dict[str, LoadBalancer] = {}
        self._clock = clock
        self._keys: dict[str, AccessKey] = {}
        self._instances: dict[str, Instance] = {}
        self._groups: dict[str, ServerGroup] = {}
        self._generations = itertools.count(1)

    def now(self) -> float:
        """Seconds since the epoch, as this account's servers see it."""
        return self._clock() + self.clock_offset_seconds

    def next_generation(self) -> int:
        """A number not given out before."""
        return next(self._generations)

    def add_key(
        self,
        id_: str,
        secret: str,
        *,
        security_token: str | None = None,
        expires_at: float | None = None,
    ) -> AccessKey:
        """Accept calls signed with this key; adding an id again replaces it (rotation)."""
        key = AccessKey(id_, secret, security_token, expires_at)
        with self.lock:
            self._keys[id_] = key
        return key

    def remove_key(self, id_: str) -> None:
        """Accept no more calls signed with this key."""
        with self.lock:
            self._keys.pop(id_, None)

    def key(self, id_: str) -> AccessKey | None:
        """The key with this id, if the account has it."""
        with self.lock:
            return self._keys.get(id_)

    def access_keys(self) -> list[AccessKey]:
        """All keys."""
        with self.lock:
            return list(self._keys.values())

    def add_instance(
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
    ) -> Instance:
        """Start an instance (or make a network interface); raises ValueError if the id is taken."""
        with self.lock:
            if id_ in self._instances:
                raise ValueError(f"instance {id_} exists already")
            number = len(self._instances) + 1
            instance = Instance(
                id=id_,
                host=host,
                ports=dict(ports or {}),
                private_ip=private_ip or f"192.168.{number // 256}.{number % 256}",
                type=type,
                running=running,
                zone_id=zone_id or f"{self.region}-h",
                mac=f"00:16:3e:00:{number // 256:02x}:{number % 256:02x}",
            )
            self._instances[id_] = instance
            if is_self:
                self.set_self(id_)
            return self._instances[id_]

    def instance(self, id_: str) -> Instance | None:
        """The instance with this id, if there is one."""
        with self.lock:
            return self._instances.get(id_)

    def instances(self) -> list[Instance]:
        """All instances, running or not."""
        with self.lock:
            return list(self._instances.values())

    def self_instance(self) -> Instance | None:
        """The instance whose VM asks the metadata service."""
        return next((i for i in self.instances() if i.is_self), None)

    def set_self(self, id_: str) -> None:
        """Make the metadata service answer for this instance. Raises KeyError for none such."""
        with self.lock:
            chosen = self._instances[id_]
            for other in self.instances():
                self._instances[other.id] = replace(other, is_self=other is chosen)

    def set_running(self, id_: str, running: bool) -> None:
        """Start or stop an instance; its memberships stay. Raises KeyError for none such."""
        with self.lock:
            self._instances[id_] = replace(self._instances[id_], running=running)

    def force_health(self, id_: str, status: str | None) -> None:
        """Report this of a server whatever its probes say; None ends that."""
        with self.lock:
            if status is None:
                self.forced_health.pop(id_, None)
            else:
                self.forced_health[id_] = status

    def release_instance(self, id_: str) -> None:
        """Delete an instance: CLB drops it from every group, as the service does."""
        with self.lock:
            self._instances.pop(id_)
            for group in [*self._groups.values(), *self._default_groups()]:
                group.drop(id_)

    def add_load_balancer(
        self,
        id_: str,
        *,
        name: str = "",
        tags: Mapping[str, str] | None = None,
        region: str | None = None,
    ) -> LoadBalancer:
        """Make a CLB instance; raises ValueError if the id is taken."""
        with self.lock:
            if id_ in self.load_balancers:
                raise ValueError(f"load balancer {id_} exists already")
            balancer = LoadBalancer(self, id_, name or id_, tags or {}, region or self.region)
            self.load_balancers[id_] = balancer
            return balancer

    def remove_load_balancer(self, id_: str) -> None:
        """Delete a CLB instance with its groups. Raises KeyError for none such."""
        with self.lock:
            for group in self.load_balancers.pop(id_).vserver_groups():
                del self._groups[group.id]

    def load_balancer(self, id_: str, region: str | None = None) -> LoadBalancer:
        """The CLB instance with this id in this region; raises ApiError for none such."""
        with self.lock:
            balancer = self.load_balancers.get(id_)
        if balancer is None or balancer.region != (region or self.region):
            raise errors.load_balancer_not_found()
        return balancer

    def add_group(self, group: ServerGroup) -> ServerGroup:
        """Take in a server group that has an id of its own; ValueError if the id is taken."""
        with self.lock:
            if group.id in self._groups:
                raise ValueError(f"server group {group.id} exists already")
            self._groups[group.id] = group
            return group

    def groups(self) -> list[ServerGroup]:
        """All server groups that have an id of their own."""
        with self.lock:
            return list(self._groups.values())

    def group(self, id_: str) -> ServerGroup:
        """The vServer group with this id; raises ApiError for none such."""
        with self.lock:
            group = self._groups.get(id_)
        if group is None:
            raise errors.vserver_group_not_found()
        return group

    def _default_groups(self) -> list[ServerGroup]:
        return [balancer.default_group for balancer in self.load_balancers.values()]
