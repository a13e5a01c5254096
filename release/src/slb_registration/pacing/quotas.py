"""The agents that share an account's quotas on API calls, and how long a quota takes to serve them.

The quotas belong to the account, per region and action. The figures are those of Alibaba Cloud's
API references, on their pages of API rate quotas. All times are in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from slb_registration.model.operations import WRITES, Op

MINUTE = 60.0
BUCKET_SECONDS = MINUTE
"""Quotas are counted by the minute: so much of one may be used at once after a quiet minute."""

REST_SHARE = 0.45
"""The part of a read quota that a fleet at rest uses on average: with chance, less than half."""

CHANGING_MINUTES = 2.0
"""For how long, at most, SLB's health is read often after a change: see slb_health."""


@dataclass(frozen=True)
class Quota:
    """Calls a minute that an account may make of each action of a kind."""

    writes: float
    reads: float
    health: float

    def of(self, op: Op) -> float:
        """The quota of the action that `op` calls."""
        if op in WRITES:
            return self.writes
        return self.health if op is Op.HEALTH else self.reads


QUOTAS: Mapping[str, Quota] = MappingProxyType(
    {
        # AddBackendServers, SetBackendServers, RemoveBackendServers: 90 each. Of the reads only
        # DescribeVServerGroupAttribute's 3,000 are published; they stand for the others as well.
        "clb": Quota(writes=90, reads=3000, health=3000),
        # AddServersToServerGroup: 200; GetListenerHealthStatus 20 a second. For lists no figure is
        # published: that of NLB stands here.
        "alb": Quota(writes=200, reads=20 * MINUTE, health=20 * MINUTE),
        # Writes 200; lists 20 a second; GetListenerHealthStatus 10 a second.
        "nlb": Quota(writes=200, reads=20 * MINUTE, health=10 * MINUTE),
    }
)
"""By product of a server group."""


@dataclass(frozen=True)
class Fleet:
    """All who compete for a product's quotas. `size`: agents, times the server groups of each."""

    size: int = 1
    quota: Quota = QUOTAS["clb"]

    def seconds(self, op: Op) -> float:
        """How long the quota takes to let each of the fleet make one such call."""
        return self.size * MINUTE / self.quota.of(op)

    def between_polls(self, op: Op) -> float:
        """The shortest time between two such reads of one agent at rest."""
        return self.seconds(op) / REST_SHARE

    @property
    def between_looks(self) -> float:
        """The shortest time between two reads of SLB's health while a registration is new.

        No more agents are at that at once than the quota on writes lets register meanwhile.
        """
        crowd = min(self.size, self.quota.writes * (CHANGING_MINUTES + 1))
        return crowd * MINUTE / self.quota.health / REST_SHARE


ALONE = Fleet()
"""An agent that was told of no others."""


def between_listings(size: int, products: Iterable[str]) -> float:
    """The shortest time between two searches by tag, each a read of every product."""
    return max(Fleet(size, QUOTAS[product]).between_polls(Op.FIND) for product in products)
