"""Where a VM stands in ONE server group: what is, what should be, and the call that closes the gap.

Pure but for what it keeps in mind; it knows nothing of failures, nor of when a call may be made.
"""

from __future__ import annotations

from slb_registration.model.desired import ABSENT, KEEP, Floor, Goal, Phase, Policy, Wish
from slb_registration.model.health import Health
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Call, Event, Op
from slb_registration.model.server_group import BackendServer, Members
from slb_registration.reconcile import desired_state as goals
from slb_registration.reconcile.observed_state import ObservedState, Place
from slb_registration.reconcile.panic_memory import PanicMemory


class GroupState:
    """One VM in one group. Times are those of one monotonic clock, in seconds.

    `served`: the VM was in rotation here before. `read_only`: why the group is only watched, None
    for one that can be changed.
    """

    def __init__(self, me: Identity, policy: Policy, *, served: bool, read_only: str | None):
        self.policy = policy
        self.served = served
        self.read_only = read_only
        self.wish = Wish()
        self.observed = ObservedState(me)
        self.panic = PanicMemory()
        self._established: Goal | None = None

    @property
    def goal(self) -> Goal:
        """The goal: what should be, as far as is known."""
        observed = self.observed
        if observed.members is None or self.read_only is not None:
            return KEEP
        return goals.decide(
            self.wish,
            observed.me,
            self.policy,
            observed.members,
            served=self.served,
            broken_reads=self.panic.broken_reads,
            size=self.panic.size,
        )

    @property
    def floor(self) -> Floor | None:
        """The panic threshold that keeps this unhealthy VM in rotation, None where none does."""
        observed, mine = self.observed, self.observed.mine
        if observed.members is None or mine is None or mine.weight == 0 or observed.stale:
            return None
        unhealthy = self.wish == Wish(Phase.SERVE, Health.UNHEALTHY)
        bound = unhealthy and self.served and self.policy.on_unhealthy != "ignore"
        kept = bound and self.read_only is None and self.goal is KEEP
        if not kept:
            return None
        return goals.floor(observed.me, self.policy, observed.members, self.panic.size)

    def at_least(self, place: Place) -> bool:
        """Return whether this VM is known to be so far out, or cannot be taken there.

        Where nothing can be changed there is nothing to wait for either.
        """
        return self.read_only is not None or self.observed.place >= place

    @property
    def forgettable(self) -> bool:
        """Return whether nothing of this VM can be left here, so that nobody needs to know of it.

        To have LEFT is enough for a drain, which has to end. To forget a registration it is not: a
        group may not be found for a while, because of keys of another account or a region's fault.
        """
        observed = self.observed
        return self.at_least(Place.LEFT) and not observed.not_found_of_late and not observed.going

    @property
    def lingers(self) -> bool:
        """Return whether this VM is to serve, and has to wait until SLB has taken it out."""
        return self.wish.phase is Phase.SERVE and self.observed.place is Place.LEFT

    @property
    def settled(self) -> bool:
        """Return whether what was last read is what should be, with nothing under way."""
        observed = self.observed
        known = not observed.stale and not observed.pending and not observed.doubted
        return known and self.gap() is None

    @property
    def drains(self) -> bool:
        """Return whether this VM drains."""
        return self.wish.phase in (Phase.LOWER, Phase.REMOVE)

    @property
    def out_as_wanted(self) -> bool:
        """Return whether this VM, that drains or is held, is as far out as it is to be."""
        return self.at_least(Place.LEFT if self.wish.phase is Phase.REMOVE else Place.LOWERED)

    @property
    def gives_way(self) -> bool:
        """Return whether this VM, that was in rotation, is to leave it because of its health."""
        unhealthy = self.wish.phase is Phase.SERVE and self.wish.local is Health.UNHEALTHY
        return unhealthy and self.served and self.goal in (0, ABSENT)

    def want(self, wish: Wish) -> None:
        """Take a wish. Lowering is decided on what is, so it needs another read."""
        self.wish = wish
        self.observed.unseen = 0  # what is to be seen now is another change
        if not self._needs_no_read:
            self.observed.stale = True

    @property
    def _needs_no_read(self) -> bool:
        """Return whether what is to be done is the same whatever others do."""
        mine, goal = self.observed.mine, self.goal
        if self.wish.phase is Phase.REMOVE:
            return mine is not None
        return isinstance(goal, int) and goal > (0 if mine is None else mine.weight)

    def gap(self) -> Call | None:
        """The one write that brings what is closer to what should be."""
        observed = self.observed
        if observed.members is None or observed.pending:
            return None
        mine, goal = observed.mine, self.goal
        if goal is ABSENT:
            if mine is None and observed.unproven:
                # It may be there: removing one that is not does no harm.
                mine = observed.me.server(0)
            return Call(Op.REMOVE, mine) if mine is not None else None
        if not isinstance(goal, int):
            return None
        if mine is None:
            # One that holds our address leaves before us: nothing else makes room.
            in_the_way = observed.predecessor if observed.conflicted else None
            if in_the_way is not None:
                return Call(Op.REMOVE, in_the_way)
            return Call(Op.ADD, observed.me.server(goal))
        if mine.weight != goal or observed.me.must_claim(mine):
            return Call(Op.SET_WEIGHT, observed.me.server(goal, kept=self.wish.keep))
        # Raising goes before lowering: the predecessor leaves once this VM serves.
        predecessor = observed.predecessor if goal > 0 else None
        return None if predecessor is None else Call(Op.REMOVE, predecessor)

    def found(self, now: float, members: Members) -> list[Event]:
        """Take what a read has brought; returns what is news of other VMs."""
        first = self.observed.members is None
        news = self.observed.found(now, members)
        mine = self.observed.mine
        if first and mine is not None and mine.weight > 0:
            self.served = True  # found in rotation, whatever the journal knows of it
        healthy = self.wish.local is Health.HEALTHY
        self.panic.note(now, self.observed.me, self.policy, members, healthy=healthy)
        return news

    def reached(self) -> bool:
        """Note that there is no gap; returns whether what should be, is."""
        goal, observed = self.goal, self.observed
        unseen = observed.unseen > 0 and not observed.seen
        if goal is KEEP or observed.pending or observed.doubted or unseen:
            return False
        observed.unseen = 0
        self._established = goal
        # One that keeps its place begins anew: it has to be healthy first, as if it were removed.
        served = self.served and not self.wish.keep
        self.served = served or (isinstance(goal, int) and goal > 0)
        return True

    def begins(self, call: Call) -> bool:
        """Note that `call` is made now; returns whether it repairs what someone else changed.

        With a change of our own nothing is established any more, whatever comes of it: before it
        is seen, health may have turned round again, and it would look like somebody else's.
        """
        repairs = self.drifted(call)
        if not repairs and self.is_ours(call.server):
            self._established = None
        return repairs

    def is_ours(self, server: BackendServer | None) -> bool:
        """Return whether it is this VM."""
        return server is not None and self.observed.me.is_me(server)

    def drifted(self, call: Call) -> bool:
        """Return whether what `call` repairs was established here and changed by someone else."""
        established = self._established is not None and self._established == self.goal
        by_someone = self.observed.confirmed or not self.observed.doubted
        return established and by_someone and self.is_ours(call.server)
