"""Rules by which the products choose who gets new connections, and whose connections end.

Each rule with its source in Alibaba Cloud's documentation:

- Weight 0 gets no new connections: API reference of all three, Weight.
- Connections that are there stay, at layer 4 with all that comes over them; at layer 7 each request
  of one is balanced anew: not documented, but so do forwarders of connections and of requests.
- A server that fails its check gets none: health checks of CLB, ALB and NLB.
- ALB and NLB send to all servers of a group where all fail: health checks of ALB and NLB.
- Connections to a removed or failing server go on for the drain time, where draining is on: ALB,
  Configure connection draining; API reference of CLB and NLB, ConnectionDrainTimeout.
- ALB cuts requests with a 500 then: ALB, Configure connection draining.
- The standby server serves while the active one fails: CLB server groups.

Where they are silent or disagree there is a switch: see `settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mock_slb.account.addresses import Address
from mock_slb.data_plane.seen import DOWN, UNCHECKED, UNUSED, UP, Member, Pool
from mock_slb.data_plane.settings import Settings

FAIL_OPEN = ("alb", "nlb")
"""They send to all servers of a group where all fail. CLB does not."""


@dataclass(frozen=True)
class Server:
    """A member of a pool, as HAProxy is to treat it."""

    address: Address | None
    share: int
    """Of the new connections, next to the others' shares; with 0 it gets none."""
    leaving: bool = False
    """What connections it has are to end within the pool's drain time."""


@dataclass(frozen=True)
class Wanted:
    """A pool as it should be."""

    servers: Mapping[str, Server]
    removed_end_after: float | None
    """Seconds after which the connections of a removed server are cut; None: never."""
    failed_end_after: float | None
    """The same of a server that fails its check."""
    cut_with_500: bool
    """A request that is cut before its answer has begun is answered with 500, not 502."""


def wanted(pool: Pool, settings: Settings) -> Wanted:
    """The pool as it should be, by what its members are now.

    With connection draining on, those of a removed server and of one that fails its check go on
    for the time that is set. With it off, a failing server keeps those that it has.
    """
    shares = _shares(pool, settings)
    drain = pool.drain_seconds
    undrained = 0.0 if settings.without_draining == "cut" else None
    return Wanted(
        servers={
            one.name: Server(
                address=one.address,
                share=shares.get(one.name, 0),
                leaving=one.health == DOWN and not shares.get(one.name, 0),
            )
            for one in pool.members
        },
        removed_end_after=undrained if drain is None else drain,
        failed_end_after=drain,
        cut_with_500=pool.product == "alb",
    )


def _shares(pool: Pool, settings: Settings) -> dict[str, int]:
    chosen = _serving(pool, settings)
    if pool.active_standby:
        chosen = [one for one in chosen if not one.standby] or chosen
    return {one.name: _weight(pool, settings, one.weight) for one in chosen}


def _serving(pool: Pool, settings: Settings) -> list[Member]:
    good = {UP} if settings.unchecked == "waits" else {UP, UNCHECKED}
    serving = [one for one in pool.members if one.health in good]
    if pool.product in FAIL_OPEN and not any(one.weight for one in serving):
        return [one for one in pool.members if one.health != UNUSED]
    return serving


def _weight(pool: Pool, settings: Settings, weight: int) -> int:
    """Weight 0 gets no new connections, and keeps those that are there."""
    if pool.scheduler != "rr":
        return weight
    return 1 if weight or settings.round_robin_zero == "ignored" else 0
