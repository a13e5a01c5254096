"""Where a VM stands in ONE server group: what is, what should be, and the call that closes the gap.

Pure but for what it keeps in mind; it knows nothing of failures, nor of when a call may be made.
"""

from __future__ import annotations

from slb_registration.model.desired import ABSENT, KEEP, Floor, Goal, Phase, Policy, Wish
from slb_registration.model.health import Health
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Call, Event, Op
from slb_registration.model.server_group import AVAILABLE, BackendServer, Members
from slb_registration.reconcile import desired_state as goals
from slb_registration.reconcile.observed_state import View
from slb_registration.reconcile.panic_memory import PanicMemory


class Standing:
    """Of one VM in one group. Times are those of one monotonic clock, in seconds.

    `served`: the VM was in rotation here before. `read_only`: why the group is only watched, None
    for one that can be changed.
    """

    def __init__(self, me: Identity, policy: Policy, *, served: bool, read_only: str | None):
        self.policy = policy
        self.served = served
        self.read_only = read_only
        self.wish = Wish()
        self.view = View(me)
        self.panic = PanicMemory()
        self._established: Goal | None = None

    @property
    def goal(self) -> Goal:
        """What should be, as far as is known."""
        view = self.view
        if view.members is None or self.read_only is not None:
            return KEEP
        return goals.decide(
            self.wish,
            view.me,
            self.policy,
            view.members,
            served=self.served,
            patience=self.panic.patience,
            size=self.panic.size,
        )

    @property
    def floor(self) -> Floor | None:
        """The panic threshold that keeps this unhealthy VM in rotation, None where none does."""
        view, mine = self.view, self.view.mine
        if view.members is None or mine is None or mine.weight == 0 or view.stale:
            return None
        unhealthy = self.wish == Wish(Phase.SERVE, Health.UNHEALTHY)
        bound = unhealthy and self.served and self.policy.on_unhealthy != "ignore"
        kept = bound and self.read_only is None and self.goal is KEEP
        return goals.floor(view.me, self.policy, view.members, self.panic.size) if kept else None

    @property
    def lowered(self) -> bool:
        """Whether this VM is known to get no new connections, or that cannot be brought about."""
        view = self.view
        return self.removed or view.absent or self._at_zero or view.going

    @property
    def rests(self) -> bool:
        """Whether a read has shown this VM with weight 0, or it is out."""
        return self.removed or (self._at_zero and self.view.seen)

    @property
    def unconfirmed(self) -> bool:
        """Whether there is only the API's word for it that this VM has weight 0."""
        return self._at_zero and not self.view.seen

    @property
    def _at_zero(self) -> bool:
        view, mine = self.view, self.view.mine
        # Of a change under way a read may show the weight before it.
        at_zero = mine is not None and mine.weight == 0 and mine.state == AVAILABLE
        return at_zero and not view.stale and not view.doubted

    @property
    def removed(self) -> bool:
        """Whether this VM is known not to be in the group (or the group not to be there), or to be
        listed only until its connections have ended.

        Where it cannot be taken out there is nothing to wait for either.
        """
        view = self.view
        out = view.absent and not view.unproven
        return self.read_only is not None or view.deleted or out or view.as_good_as_gone

    @property
    def gone(self) -> bool:
        """Whether nothing of this VM can be left here, so that nobody needs to know of it.

        `removed` is enough for a drain, which has to end. To forget a registration it is not: a
        group may not be found for a while, because of keys of another account or a region's fault.
        """
        return self.removed and not self.view.missing_of_late and not self.view.going

    @property
    def lingers(self) -> bool:
        """Whether this VM is to serve, and has to wait until SLB has taken it out."""
        return self.wish.phase is Phase.SERVE and self.view.as_good_as_gone

    @property
    def settled(self) -> bool:
        """Whether what was last read is what should be, with nothing under way."""
        view = self.view
        known = not view.stale and not view.pending and not view.doubted
        return known and self.gap() is None

    @property
    def leaves(self) -> bool:
        """Whether this VM drains."""
        return self.wish.phase in (Phase.LOWER, Phase.REMOVE)

    @property
    def left(self) -> bool:
        """Whether this VM, that drains or is held, is known to be as far out as it is to be."""
        return self.removed if self.wish.phase is Phase.REMOVE else self.lowered

    @property
    def gives_way(self) -> bool:
        """Whether this VM, that was in rotation, is to leave it because of its health."""
        unhealthy = self.wish.phase is Phase.SERVE and self.wish.local is Health.UNHEALTHY
        return unhealthy and self.served and self.goal in (0, ABSENT)

    def want(self, wish: Wish) -> None:
        """Take a wish. Lowering is decided on what is, so it needs another read."""
        self.wish = wish
        self.view.unseen = 0  # what is to be seen now is another change
        if not self._needs_no_read:
            self.view.stale = True

    @property
    def _needs_no_read(self) -> bool:
        """Whether what is to be done is the same whatever others do."""
        mine, goal = self.view.mine, self.goal
        if self.wish.phase is Phase.REMOVE:
            return mine is not None
        return isinstance(goal, int) and goal > (0 if mine is None else mine.weight)

    def gap(self) -> Call | None:
        """The one write that brings what is closer to what should be."""
        view = self.view
        if view.members is None or view.pending:
            return None
        mine, goal = view.mine, self.goal
        if goal is ABSENT:
            if mine is None and view.unproven:
                mine = view.me.server(0)  # it may be there: removing one that is not does no harm
            return Call(Op.REMOVE, mine) if mine is not None else None
        if not isinstance(goal, int):
            return None
        if mine is None:
            # One that holds our address leaves before us: nothing else makes room.
            in_the_way = view.predecessor if view.conflicted else None
            return Call(Op.REMOVE, in_the_way) if in_the_way else Call(Op.ADD, view.me.server(goal))
        if mine.weight != goal or view.me.must_claim(mine):
            return Call(Op.SET_WEIGHT, view.me.server(goal, kept=self.wish.keep))
        # Raising goes before lowering: the predecessor leaves once this VM serves.
        predecessor = view.predecessor if goal > 0 else None
        return None if predecessor is None else Call(Op.REMOVE, predecessor)

    def found(self, now: float, members: Members) -> list[Event]:
        """Take what a read has brought; returns what is news of other VMs."""
        first = self.view.members is None
        news = self.view.found(now, members)
        mine = self.view.mine
        if first and mine is not None and mine.weight > 0:
            self.served = True  # found in rotation, whatever the journal knows of it
        healthy = self.wish.local is Health.HEALTHY
        self.panic.note(now, self.view.me, self.policy, members, healthy=healthy)
        return news

    def reached(self) -> bool:
        """Note that there is no gap; returns whether what should be, is."""
        goal, view = self.goal, self.view
        unseen = view.unseen > 0 and not view.seen
        if goal is KEEP or view.pending or view.doubted or unseen:
            return False
        view.unseen = 0
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
        """Whether it is this VM."""
        return server is not None and self.view.me.is_me(server)

    def drifted(self, call: Call) -> bool:
        """Whether what `call` repairs was established here and changed by someone else."""
        established = self._established is not None and self._established == self.goal
        by_someone = self.view.confirmed or not self.view.doubted
        return established and by_someone and self.is_ours(call.server)
