"""ONE server group: what to do next, and when. No I/O and no waiting inside.

A step takes the time, randomness and the answer to the last call, and returns a call to make or
a moment to wait for. Each round reads what is, compares it with what should be, and makes the one
call that closes the gap; the next poll confirms. A call that failed may have done something, so
it is looked up before it is repeated.
"""

from __future__ import annotations

from random import Random

from slb_registration.model.desired import Phase, Policy, Wish
from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.health import Health
from slb_registration.model.identity import Identity
from slb_registration.model.operations import NEVER, WRITES, Answer, Call, Event, Op, Wait
from slb_registration.model.server_group import BackendServer, Changed, Members
from slb_registration.pacing.pacer import Ahead, Pacer
from slb_registration.pacing.quotas import ALONE, Fleet
from slb_registration.reconcile import events
from slb_registration.reconcile.drift import Repairs
from slb_registration.reconcile.dry_run import DryRun, would
from slb_registration.reconcile.failures import Failures
from slb_registration.reconcile.group_state import GroupState
from slb_registration.reconcile.health_reads import SlbHealth

_NEXT_WRITE = {
    Phase.SERVE: Op.ADD,
    Phase.HOLD: Op.SET_WEIGHT,
    Phase.LOWER: Op.SET_WEIGHT,
    Phase.REMOVE: Op.REMOVE,
}
"""What most likely follows the first read in a phase."""


class Registrar:
    """Reconciles one server group. Not thread-safe: its worker alone calls it."""

    def __init__(
        self,
        me: Identity,
        policy: Policy,
        *,
        interval: float,
        served: bool = False,
        read_only: str | None = None,
        fleet: Fleet = ALONE,
        drain_seconds: float = 0.0,
        observes: bool = False,
    ) -> None:
        """`interval`: seconds between polls. `served`: this VM was in rotation here before.

        `read_only`: why this group is only watched, None for one that can be changed. `fleet`: who
        shares the quotas. `drain_seconds`: how long a drain may take. `observes`: no write is asked
        for, but told.
        """
        self.group = GroupState(me, policy, served=served, read_only=read_only)
        self.interval = interval
        self.pacer = Pacer(interval, fleet, drain_seconds=drain_seconds)
        self.dry_run = DryRun() if observes else None
        """What is not done, None where all is done that is decided."""

        self.slb_health = SlbHealth(me)
        self.failures = Failures()
        self.repairs = {"registration": Repairs(), "weight": Repairs()}
        self.conflict_until: float | None = None
        self.calls = 0
        self.asked_at: float | None = None  # when the group was last asked for, whatever came of it
        self.began_at: float | None = None  # when the last call was
        self.unread: ApiError | None = None
        """Why the last read has failed; None before the first one after a drain has begun."""

        self.events: list[Event] = []
        self._call: Call | None = None
        self._told_holder: tuple[str, str, int] | None = None
        self._told_lingering = False
        self._wish_of_call = self.wish  # why that call was made
        self._is_repair = False  # whether that call undoes another writer's change

    @property
    def me(self) -> Identity:
        """This VM as a backend server."""
        return self.group.observed.me

    @property
    def wish(self) -> Wish:
        """The phase and health that were last wanted."""
        return self.group.wish

    @property
    def members(self) -> Members | None:
        """The group as far as is known, None before the first read."""
        return self.group.observed.members

    @property
    def mine(self) -> BackendServer | None:
        """This VM in the group as far as is known, None where it is not in it or not known."""
        return self.group.observed.mine

    @property
    def under_way(self) -> Call | None:
        """The call that is being made, None while it waits."""
        return self._call

    def expect(self, awaited: bool) -> None:
        """Take whether post-start waits for this VM; what hinders it is looked at then, at once."""
        if awaited and not self.slb_health.awaited:
            self.pacer.retry()
            self.slb_health.hurry()
        self.slb_health.awaited = awaited

    def want(self, wish: Wish) -> None:
        """Take a changed wish; it is acted on at once, after one read."""
        if wish == self.wish:
            return
        if wish.phase is not self.wish.phase:
            self.pacer.begin_anew()
            if wish.phase is not Phase.SERVE:
                self._not_needed(Op.ADD)
            if not self.group.drains:
                self.unread = None
            read_only = self.group.read_only
            if read_only is not None and wish.phase is not Phase.SERVE:
                self._tell("left as it is", phase=wish.phase.value, reason=read_only)
        if wish.local is Health.UNHEALTHY:
            self.pacer.hurry()
        self.group.want(wish)
        self.pacer.disturb()

    # The step

    def step(self, now: float, random: Random, answer: Answer | None = None) -> Call | Wait:
        """Decide what to do next. `answer`: to the call of the step before, None after a wait."""
        if answer is not None:
            self._absorb(now, random, answer)
        self._call = self._next_call(now)
        if self._call is None:
            return Wait(self._next_moment(now))
        self.calls += 1
        self.began_at = now
        self.asked_at = now if self._call.op is Op.FIND else self.asked_at
        self._wish_of_call = self.wish
        self._is_repair = self.group.begins(self._call)
        return self._call

    def _next_call(self, now: float) -> Call | None:
        if self._read_is_due(now):
            return self._if_allowed(Call(Op.FIND), now) or self._if_allowed(self.way_out, now)
        gap, observed = self.group.gap(), self.group.observed
        if gap is None:
            self._reached()
        if self.dry_run is not None:
            self._observe(self.dry_run, gap)
        elif gap and self._if_allowed(gap, now) and self._may_repair(gap, now):
            if observed.age(now) <= (0.0 if observed.unseen else self.interval):
                return gap
            observed.stale = True  # what is known is too old to act on
            return self._if_allowed(Call(Op.FIND), now)
        if self.mine is not None and now >= self.slb_health.due:
            return self._if_allowed(Call(Op.HEALTH), now)
        return None

    def _observe(self, dry_run: DryRun, gap: Call | None) -> None:
        """Tell what would be done, once; it is not what is asked for next."""
        if not dry_run.decides(gap):
            return
        if gap is None:
            self.events.append(events.nothing_to_do())
        else:
            what = would(gap, self.me, self.mine)
            self.events.append(events.would_change(what, self.mine, self.wish))

    def _read_is_due(self, now: float) -> bool:
        return self.group.observed.stale or now >= self.pacer.next_read

    @property
    def way_out(self) -> Call | None:
        """The write that takes this VM out although reads fail: what was read before will do."""
        observed = self.group.observed
        failed = Op.FIND in self.failures.errors and not observed.not_found
        may = failed and self.group.drains and not observed.doubtful and self.dry_run is None
        return self.group.gap() if may else None

    def _if_allowed(self, call: Call | None, now: float) -> Call | None:
        return call if call and now >= self.pacer.not_before(call.op) else None

    def _next_moment(self, now: float) -> float:
        """Later than `now`: what may be done by now has been asked for."""
        if self._read_is_due(now):
            calls = (Call(Op.FIND), self.way_out)
            return min(self.pacer.not_before(call.op) for call in calls if call)
        moments = [self.pacer.next_read]
        if self.mine is not None:
            moments.append(max(self.slb_health.due, self.pacer.not_before(Op.HEALTH)))
        gap = self.group.gap()
        if gap is not None and self.dry_run is None:
            moments.append(max(self.pacer.not_before(gap.op), self.conflict_until or NEVER))
        return min(moments)

    def _reached(self) -> None:
        self.conflict_until = None
        if self.group.reached():
            for op in WRITES:
                if op is Op.REMOVE or self.mine is not None:
                    self._succeeded(op)
                else:
                    self._not_needed(op)

    def _may_repair(self, call: Call, now: float) -> bool:
        """Another writer's change is not fought for ever."""
        drifted = self.group.drifted(call)
        until = self.repairs[call.field].blocked_until(now) if drifted else None
        if until is not None and until != self.conflict_until:
            self._tell(
                "another writer keeps changing this VM's registration: left alone for a while",
                field=call.field,
                seconds=round(until - now),
            )
        self.conflict_until = until
        return until is None

    # Taking in answers

    def _absorb(self, now: float, random: Random, answer: Answer) -> None:
        call = self._call
        if call is None:
            raise ValueError("an answer without a call")
        if isinstance(answer, ApiError):
            if call.op is not Op.REMOVE or answer.kind is not Kind.GONE:
                self._failed(now, random, call, answer)
                return
            answer = Changed()
        if isinstance(answer, Members):
            self._found(now, random, answer)
            return
        self._succeeded(call.op)
        if isinstance(answer, Changed):
            self._changed(now, random, call, answer)
        else:
            self.events.extend(self.slb_health.take(now, random, answer, self.pacer.fleet))

    def _found(self, now: float, random: Random, members: Members) -> None:
        before, observed = self.members, self.group.observed
        self.pacer.came_through(now, self._ahead)
        self.unread = None
        self._tell_of_recovery(Op.FIND)
        same = before is not None and members.same(before)
        self.events.extend(self.group.found(now, members))
        if self.mine is None:
            self.slb_health.forget()
        self._tell_of_holder()
        self._tell_of_lingering()
        # While this VM gives way for its health, the floor may break at any time.
        quiet = same and self._at_rest(now) and not self.group.gives_way
        unseen = observed.unseen > 0 and self.group.gap() is not None
        under_way = observed.pending or observed.doubted or unseen
        self.pacer.found(now, random, self._ahead, quiet=quiet, under_way=under_way)

    def _tell_of_holder(self) -> None:
        holder = self.group.observed.holder
        key = None if holder is None or self.me.is_predecessor(holder) else holder.key
        if holder is not None and key not in (None, self._told_holder):
            self._tell("another server holds this VM's address", **events.holder(holder))
        self._told_holder = key

    def _tell_of_lingering(self) -> None:
        lingers = self.group.lingers
        if lingers and not self._told_lingering:
            self._tell(
                "SLB is still taking this VM out: it registers again once that is done",
                state=self.mine.state if self.mine is not None else None,
            )
        self._told_lingering = lingers

    def _at_rest(self, now: float) -> bool:
        """Return whether nothing is to be done, or nothing can be for longer than a poll takes."""
        gap = self.group.gap()
        blocked = gap is not None and self.pacer.not_before(gap.op) > now + self.interval
        undone = self.dry_run is not None and not self.group.observed.stale
        return blocked or undone or self.group.settled

    def _changed(self, now: float, random: Random, call: Call, change: Changed) -> None:
        if call.server is None:
            raise ValueError("a change without a server")
        observed = self.group.observed
        if self._is_repair:
            self.repairs[call.field].made(now)
        wish, repaired = self._wish_of_call, self._is_repair
        self.events.append(events.change(call.op, call.server, self.me, wish, repaired=repaired))
        self.slb_health.changed(now)
        owed = change.pending or self.group.drains
        self.pacer.changed(
            now,
            random,
            call.op,
            gives_way=self.group.gives_way,
            confirm=self.wish.phase is Phase.LOWER,
            unseen=observed.unseen + 1 if owed else 0,
            pending=change.pending,
        )
        observed.changed(now, call.op, call.server)
        if owed:
            # Done, or gone, is said only after it was seen. That of weight 0, where reads fail,
            # the API's word will do.
            observed.stale = change.pending or self.wish.phase is Phase.REMOVE
            observed.unseen += 1

    def _failed(self, now: float, random: Random, call: Call, error: ApiError) -> None:
        op, observed = call.op, self.group.observed
        self.pacer.failed(
            now,
            random,
            op,
            error,
            self._ahead,
            tries=self.failures.count(op, error),
            urgent=self._takes_out(call),
            awaited=self.slb_health.awaited,
        )
        news = self.failures.news(op, self.pacer.not_before(op) - now)
        if news is not None:
            self.events.append(news)
        if op is Op.FIND:
            self.unread = error
            observed.missed(now, not_found=error.kind is Kind.NOT_FOUND)
        if call.server is not None and error.kind is not Kind.THROTTLED:
            observed.failed(now, op, call.server, error.kind)

    @property
    def _ahead(self) -> Ahead | None:
        """The write that reads lead to, None where none is made."""
        if self.dry_run is not None:
            return None
        op = _NEXT_WRITE[self.wish.phase]
        undone = (self.mine is None) == (op is Op.ADD)
        unread, drains = self.group.observed.stale, self.group.drains
        return Ahead(op, unread=unread, undone=undone, drains=drains)

    def _takes_out(self, call: Call) -> bool:
        """Return whether it takes this VM out of rotation, or is the read before that."""
        if call.op not in WRITES:
            leaves = self.wish.phase is not Phase.SERVE and not self.group.out_as_wanted
            return leaves or self.group.gives_way
        lowers = call.op is Op.SET_WEIGHT and self.group.goal == 0
        return self.group.is_ours(call.server) and (lowers or call.op is Op.REMOVE)

    def _succeeded(self, op: Op) -> None:
        self.pacer.succeeded(op)
        self._tell_of_recovery(op)

    def _not_needed(self, op: Op) -> None:
        """Forget that it failed: it did not succeed, but is not needed any more."""
        self.pacer.succeeded(op)
        self.failures.succeeded(op)

    def _tell_of_recovery(self, op: Op) -> None:
        news = self.failures.succeeded(op)
        if news is not None:
            self.events.append(news)

    def _tell(self, warning: str, **fields: object) -> None:
        self.events.append(Event("warning", warning, fields))
