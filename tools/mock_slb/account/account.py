"""The account: instances, load balancers of all products, their groups and listeners. No HTTP here.

Every public method may be called from any thread. Refusals are `errors.ApiError`.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from mock_slb.alb_nlb.fleet import Fleet
from mock_slb.alb_nlb.product import ALB, NLB
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.clb.group import ServerGroup
from mock_slb.core import errors
from mock_slb.core.instances import Instances
from mock_slb.core.keys import Keys
from mock_slb.core.quotas import Quotas
from mock_slb.core.resources import (
    DEFAULT_VPC,
    AccessKey,
    Backend,
    BackendKey,
    EcsAccess,
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


class Addressed(Protocol):
    """A server in a group."""

    @property
    def server_ip(self) -> str:
        """Its address."""
        ...

    @property
    def port(self) -> int:
        """Its port, 0 in a default group."""
        ...


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
        self.id = "1234567890123456"
        self.lock = threading.RLock()
        self.clock_offset_seconds = 0.0
        """Added to the clock: a server that disagrees with its callers about the time."""
        self.already_there = already_there
        """Adding a server that is in the group: `ignore` (older documentation) or `error`."""
        self.address_taken = "refuse"
        """Adding a server whose address and port another entry has: `refuse` or `accept`."""
        self.address_code: str | None = None
        """The code of that refusal, for products that have it."""
        self.change_seconds = 1.0
        """How long a change of an ALB or NLB server group takes, on this account's clock."""
        self.job_reasons = False
        """Let NLB say why a job failed, which its reference has no field for."""
        self.read_lag_seconds = 0.0
        """How old the answers to Describe, List and Get calls are (eventual consistency).

        What was changed before this was set is seen at once.
        """
        self.as_of: float | None = None
        """The moment that a stale read under way sees; None for now. Guarded by the lock."""
        self.ecs_access = EcsAccess()
        self.metadata_mode = "both"
        """`both` protocols, `hardened` (token required) or `old` (no token endpoint)."""
        self.forced_health: dict[str, str] = {}
        """Server id -> health status reported whatever its probes say."""
        self.load_balancers: dict[str, LoadBalancer] = {}
        self._clock = clock
        self._groups: dict[str, ServerGroup] = {}
        self._generations = itertools.count(1)

        self._instances = Instances(region, self.lock)
        self.add_instance = self._instances.add
        self.instance = self._instances.get
        self.instances = self._instances.all
        self.find_server = self._instances.find_server
        self.instance_by_address = self._instances.by_address
        self.self_instance = self._instances.self_instance
        self.set_self = self._instances.set_self
        self.set_running = self._instances.set_running

        self.keys = Keys(self.id, self.now, self.lock)
        self.add_key = self.keys.add
        self.remove_key = self.keys.remove
        self.key = self.keys.get
        self.access_keys = self.keys.all
        self.add_role = self.keys.add_role

        self.quotas = Quotas(self.now)

        self.alb = Fleet(self, ALB)
        self.add_alb = self.alb.add_load_balancer
        self.add_alb_server_group = self.alb.add_server_group
        self.nlb = Fleet(self, NLB)
        self.add_nlb = self.nlb.add_load_balancer
        self.add_nlb_server_group = self.nlb.add_server_group

    def now(self) -> float:
        """Seconds since the epoch, as this account's servers see it."""
        return self._clock() + self.clock_offset_seconds

    def real_now(self) -> float:
        """The same without what the clock is off by."""
        return self._clock()

    @contextlib.contextmanager
    def stale_reading(self) -> Iterator[None]:
        """Inside, the model tells its state of `read_lag_seconds` ago. The lock is held."""
        with self.lock:
            if self.read_lag_seconds > 0:
                self.as_of = self.now() - self.read_lag_seconds
            try:
                yield
            finally:
                self.as_of = None

    def sees(self, created_at: float) -> bool:
        """Whether something made at this moment is there yet for the reader."""
        return self.as_of is None or created_at <= self.as_of

    def next_generation(self) -> int:
        """A number not given out before."""
        return next(self._generations)

    def refuses_address(self, address: str, port: int, others: Iterable[Addressed]) -> bool:
        """Whether a server with this address and port may not join these others."""
        return self.address_taken == "refuse" and any(
            (one.server_ip, one.port) == (address, port) for one in others
        )

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
            released = self._instances.remove(id_)
            for server_id in {released.id, released.eni_id}:
                for group in [*self._groups.values(), *self._default_groups()]:
                    group.drop(server_id)
                for fleet in (self.alb, self.nlb):
                    fleet.release(server_id)

    def add_load_balancer(
        self,
        id_: str,
        *,
        name: str = "",
        tags: Mapping[str, str] | None = None,
        region: str | None = None,
        vpc_id: str = DEFAULT_VPC,
    ) -> LoadBalancer:
        """Make a CLB instance; raises ValueError if the id is taken.

        `vpc_id` is empty for one of the classic network.
        """
        with self.lock:
            if id_ in self.load_balancers:
                raise ValueError(f"load balancer {id_} exists already")
            balancer = LoadBalancer(
                self,
                id_,
                name=name or id_,
                tags=tags or {},
                region=region or self.region,
                vpc_id=vpc_id,
            )
            self.load_balancers[id_] = balancer
            return balancer

    def remove_load_balancer(self, id_: str) -> None:
        """Delete a CLB instance with its groups. Raises KeyError for none such."""
        with self.lock:
            balancer = self.load_balancers.pop(id_)
            for group in [*balancer.vserver_groups(), *balancer.master_slave_groups()]:
                del self._groups[group.id]

    def load_balancer(self, id_: str, region: str | None = None) -> LoadBalancer:
        """The CLB instance with this id in this region; raises ApiError for none such."""
        with self.lock:
            balancer = self.load_balancers.get(id_)
        if balancer is None or balancer.region != (region or self.region):
            raise errors.load_balancer_not_found()
        return balancer

    def add_group(self, group: ServerGroup) -> ServerGroup:
        """Take in a CLB server group that has an id of its own; ValueError if the id is taken."""
        with self.lock:
            if group.id in self._groups:
                raise ValueError(f"server group {group.id} exists already")
            self._groups[group.id] = group
            return group

    def groups(self) -> list[ServerGroup]:
        """All CLB server groups that have an id of their own."""
        with self.lock:
            return list(self._groups.values())

    def group(self, id_: str) -> ServerGroup:
        """The vServer group with this id; raises ApiError for none such."""
        with self.lock:
            group = self._groups.get(id_)
        if group is None or group.active_standby:
            raise errors.vserver_group_not_found()
        return group

    def master_slave_group(self, id_: str) -> ServerGroup:
        """The active/standby group with this id; raises ApiError for none such."""
        with self.lock:
            group = self._groups.get(id_)
        if group is None or not group.active_standby:
            raise errors.master_slave_group_not_found()
        return group

    def _default_groups(self) -> list[ServerGroup]:
        return [balancer.default_group for balancer in self.load_balancers.values()]
