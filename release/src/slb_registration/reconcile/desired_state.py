"""Goal: what this VM's registration in one server group should be. Pure: no state, no clock.

It must never be the outage: an unhealthy VM keeps its weight if lowering it would leave too few
servers in rotation, and unknown health changes nothing that is there already.
"""

from __future__ import annotations

from slb_registration.model.desired import ABSENT, KEEP, Floor, Goal, Phase, Policy, Wish
from slb_registration.model.health import Health
from slb_registration.model.identity import KEPT, MARKER_PREFIX, Identity
from slb_registration.model.server_group import GOING, BackendServer, Members


def decide(
    wish: Wish,
    me: Identity,
    policy: Policy,
    members: Members,
    *,
    served: bool,
    broken_reads: int,
    size: int = 0,
) -> Goal:
    """Decide what should be.

    `served`: this VM was in rotation before, so the panic threshold protects it. `broken_reads`:
    how many reads in a row have found the threshold broken while this VM was out of rotation.
    `size`: as of `floor`.
    """
    mine = me.find(members)
    if wish.phase is Phase.REMOVE:
        return ABSENT
    if wish.phase in (Phase.LOWER, Phase.HOLD):
        return KEEP if mine is None else 0
    if wish.local is Health.HEALTHY:
        return me.weight
    if wish.local is Health.UNKNOWN:
        return 0 if mine is None else KEEP
    if policy.on_unhealthy == "ignore":
        return _ignoring(me, mine, served=served)
    if not served:
        return _lowered(policy)
    return _unhealthy(me, policy, members, floor(me, policy, members, size), broken_reads)


def floor(me: Identity, policy: Policy, members: Members, size: int = 0) -> Floor:
    """The panic threshold's view of a group. Others do not count that are stopped for a while, that
    SLB is taking out, or that this VM replaces.

    `size`: how many servers the group had of late. With `remove` those that left for their health
    are not seen any more, and one after the other all but the last would leave.
    """
    counted = [server for server in members.servers if _counts(me, server)]
    total = max(len(counted), size) if policy.on_unhealthy == "remove" else len(counted)
    needed = -(-policy.panic_threshold * total // 100)
    return Floor(needed, sum(server.weight > 0 for server in counted))


def _counts(me: Identity, server: BackendServer) -> bool:
    if me.is_me(server):
        return server.state not in GOING
    return not (_is_kept(server) or me.is_predecessor(server) or server.state in GOING)


def _is_kept(server: BackendServer) -> bool:
    ours = server.description.startswith(MARKER_PREFIX)
    return ours and server.weight == 0 and server.description.endswith(f"/{KEPT}")


def _lowered(policy: Policy) -> Goal:
    return ABSENT if policy.on_unhealthy == "remove" else 0


def _ignoring(me: Identity, mine: BackendServer | None, *, served: bool) -> Goal:
    if served:
        return me.weight
    return 0 if mine is None else KEEP


def _unhealthy(
    me: Identity, policy: Policy, members: Members, panic: Floor, broken_reads: int
) -> Goal:
    mine = me.find(members)
    if mine is None:
        # Visible at weight 0 it is among those that restore themselves.
        return 0 if panic.broken else _lowered(policy)
    if mine.weight > 0:
        return _lowered(policy) if panic.bears_one_less else KEEP
    if not panic.broken:
        return _lowered(policy)
    return me.weight if _restores_itself(me, members, panic, broken_reads) else 0


def _restores_itself(me: Identity, members: Members, panic: Floor, broken_reads: int) -> bool:
    """Several lowered at once and the floor broke: those first by ServerId restore themselves.

    Servers that drain or are held do not, so with every further read that finds the floor broken
    one more may.
    """
    zeros = sorted(
        server.key for server in members.servers if server.weight == 0 and _counts(me, server)
    )
    rank = zeros.index((me.server_id, me.server_ip, me.port or 0))
    return rank < panic.needed - panic.up + broken_reads
