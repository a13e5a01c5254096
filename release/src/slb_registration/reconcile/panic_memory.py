"""Memory that a VM keeps of its server group so that bad health does not empty it."""

from __future__ import annotations

from slb_registration.model.desired import Policy
from slb_registration.model.identity import Identity
from slb_registration.model.operations import NEVER
from slb_registration.model.server_group import Members
from slb_registration.reconcile import desired_state as goals

SIZE_SECONDS = 600.0
"""How long a group that has become smaller counts as large as it was."""


class PanicMemory:
    """Memory of one group. Times are those of one monotonic clock, in seconds.

    `size`: the most servers that the group had of late: while this VM is unhealthy others may be,
    too, and leave. `broken_reads`: how many reads in a row found too few servers in rotation
    and this VM not among them.
    """

    def __init__(self) -> None:
        self.size = 0
        self.broken_reads = 0
        self._size_at = NEVER
        self._out_of_broken_floor = False

    def note(
        self, now: float, me: Identity, policy: Policy, members: Members, *, healthy: bool
    ) -> None:
        """Take what a read has found."""
        size = sum(not me.is_predecessor(server) for server in members.servers)
        forgotten = now - self._size_at > SIZE_SECONDS and healthy
        if size >= self.size or forgotten:
            self.size, self._size_at = size, now
        mine = me.find(members)
        out = mine is not None and mine.weight == 0
        out = out and goals.floor(me, policy, members, self.size).broken
        self.broken_reads = self.broken_reads + 1 if out and self._out_of_broken_floor else 0
        self._out_of_broken_floor = out

    @property
    def state(self) -> tuple[int, int, bool]:
        """All that decides, for those who look for states that repeat."""
        return self.size, self.broken_reads, self._out_of_broken_floor
