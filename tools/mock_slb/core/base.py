"""The account as every product sees it: its clock, its instances and keys, how old reads are."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from mock_slb.core.instances import Instances
from mock_slb.core.keys import Keys
from mock_slb.core.quotas import Quotas
from mock_slb.core.resources import EcsAccess

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


class BaseAccount:
    """One account in one region, without load balancers. `clock` gives seconds since the epoch."""

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
        self._clock = clock
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
        """Tell whether something made at this moment is there yet for the reader."""
        return self.as_of is None or created_at <= self.as_of

    def next_generation(self) -> int:
        """A number not given out before."""
        return next(self._generations)

    def refuses_address(self, address: str, port: int, others: Iterable[Addressed]) -> bool:
        """Tell whether a server with this address and port may not join these others."""
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
