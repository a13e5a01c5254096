"""ONE server group: what is, what should be, what to do next. No I/O and no waiting inside.

A step takes the time, randomness and the answer to the last call, and returns a call to make or
a moment to wait for. Each round reads what is, compares it with what should be, and makes the one
call that closes the gap; the next poll confirms. A call that failed may have done something, so
it is looked up before it is repeated.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from slb_registration import goal as goals
from slb_registration import pacing
from slb_registration.attempts import Attempts
from slb_registration.drift import Repairs
from slb_registration.errors import ApiError, Kind
from slb_registration.fleet import ALONE, BUCKET_SECONDS, Fleet
from slb_registration.goal import ABSENT, KEEP, Goal, Identity, Phase, Policy, Wish
from slb_registration.health import Health
from slb_registration.server_groups import AVAILABLE, BackendServer, Changed, Members
from slb_registration.slb_health import NEVER, SlbHealth
from slb_registration.steps import WRITES, Answer, Call, Event, Op, Wait

SIZE_SECONDS = 600.0
"""How long a group that has become smaller counts as large as it was."""

MISSING_SECONDS = 600.0
"""A group that no read has found for so long was deleted; before, it may be back with the next."""

DOUBT_SECONDS = 10.0
"""How old a read may be that does not know yet of a change which the API has taken."""
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
    ) -> None:
        """`interval`: seconds between polls. `served`: this VM was in rotation here before.

        `read_only`: why this group is only watched, None for one that can be changed. `fleet`: who
        shares the quotas.
        """
        self.me = me
        self.policy = policy
        self.interval = interval
        self.served = served
        self.read_only = read_only
        self.fleet = fleet
        self.wish = Wish()
        self.members: Members | None = None
        self.slb_health = SlbHealth(me)
        self.attempts = Attempts()
        self.repairs = {"registration": Repairs(), "weight": Repairs()}
        self.conflict_until: float | None = None
        self.changed_at: float | None = None
        self.calls = 0
        self.events: list[Event] = []
        self._mine_among: Members | None = None
        self._mine: BackendServer | None = None
        self._call: Call | None = None
        self._stale = True  # a read is owed before anything else
        self._established: Goal | None = None
        self._patience = 0
        self._size = 0  # the most servers that the group had of late
        self._size_at = NEVER
        self._out_of_broken_floor = False
        self._quiet = 0
        self._unseen = 0  # changes accepted in a row that no read has shown yet
        self._crowded = 0.0  # what polls are stretched to, since reads were refused
        self._looks = 0  # reads in a row that found a change under way
        self._predecessors: set[str] | None = None  # those that the last read has shown
        self._put_in_at = NEVER  # when a change of ours was made, or lost, that means: we are here
        self._missing_since: float | None = None
        self._missing_seconds = 0.0
        self._read_at = self._look_at = NEVER

    def want(self, wish: Wish, now: float) -> None:
        """Take a changed wish; it is acted on at once, after one read."""
        if wish == self.wish:
            return
        if wish.phase is not self.wish.phase:
            self.attempts.allow(Op)
            if self.read_only is not None and wish.phase is not Phase.SERVE:
                fields = {"phase": wish.phase.value, "reason": self.read_only}
                self._tell("warning", "left as it is", **fields)
        if wish.local is Health.UNHEALTHY:
            # What they waited for was less urgent.
            self.attempts.hurry((Op.FIND, Op.SET_WEIGHT, Op.REMOVE))
        self.wish = wish
        self._quiet = 0
        mine, goal = self.mine, self.goal
        raising = isinstance(goal, int) and goal > (0 if mine is None else mine.weight)
        old = mine is not None and now - self._read_at > self.interval
        if not raising or old:
            self._stale = True  # lowering is decided on what is, not on what was

    # What is

    @property
    def mine(self) -> BackendServer | None:
        """This VM in the group as last seen, None where it is not in it or not known."""
        if self._mine_among is not self.members:  # asked many times a step, of a large group
            self._mine_among = self.members
            self._mine = self.me.find(self.members) if self.members is not None else None
        return self._mine

    @property
    def goal(self) -> Goal:
        """What should be, as far as is known."""
        if self.members is None or self.read_only is not None:
            return KEEP
        return goals.decide(
            self.wish,
            self.me,
            self.policy,
            self.members,
            served=self.served,
            patience=self._patience,
            size=self._size,
        )

    @property
    def lowered(self) -> bool:
        """Whether this VM is known to get no new connections, or that cannot be brought about."""
        mine = self.mine
        return self.removed or (not self._stale and mine is not None and mine.weight == 0)

    @property
    def removed(self) -> bool:
        """Whether this VM is known not to be in the group (or the group not to be there).

        Where it cannot be taken out there is nothing to wait for either.
        """
        if self.read_only is not None:
            return True
        failure = self.attempts.errors.get(Op.FIND)
        if failure is not None and failure.kind is Kind.NOT_FOUND:
            return True
        read = not self._stale and self.members is not None
        return read and self.mine is None and not self._doubted

    @property
    def _doubted(self) -> bool:
        """Whether the last read lacks this VM, and may be from before it was put in."""
        too_soon = self._read_at - self._put_in_at < DOUBT_SECONDS
        return too_soon and self.members is not None and self.mine is None

    @property
    def gone(self) -> bool:
        """Whether nothing of this VM can be left here, so that nobody needs to know of it.

        `removed` is enough for a drain, which has to end. To forget a registration it is not: a
        group may not be found for a while, because of keys of another account or a region's fault.
        """
        missing = self._missing_since is not None
        return self.removed and (not missing or self._missing_seconds >= MISSING_SECONDS)

    @property
    def settled(self) -> bool:
        """Whether what was last read is what should be, with nothing under way."""
        return not self._stale and not self._pending and self._gap() is None

    # The step

    def step(self, now: float, random: Random, answer: Answer | None = None) -> Call | Wait:
        """What to do next. `answer` is that to the call of the step before, None after a wait."""
        if answer is not None:
            self._absorb(now, random, answer)
        self._call = self._next_call(now)
        if self._call is None:
            return Wait(self._next_moment(now))
        self.calls += 1
        return self._call

    def _next_call(self, now: float) -> Call | None:
        if self._stale or now >= self._look_at:
            return self._if_allowed(Call(Op.FIND), now)
        gap = self._gap()
        if gap is None:
            self._reached()
        elif self._if_allowed(gap, now) and self._may_repair(gap, now):
            if now - self._read_at <= (0.0 if self._unseen else self.interval):
                return gap
            self._stale = True  # what is known is too old to act on
            return self._if_allowed(Call(Op.FIND), now)
        if self.mine is not None and now >= self.slb_health.due:
            return self._if_allowed(Call(Op.HEALTH), now)
        return None

    def _if_allowed(self, call: Call, now: float) -> Call | None:
        return call if now >= self.attempts.not_before(call.op) else None

    def _next_moment(self, now: float) -> float:
        """Later than `now`: what may be done by now has been asked for."""
        if self._stale or now >= self._look_at:
            return self.attempts.not_before(Op.FIND)  # nothing is done before that read
        moments = [self._look_at]
        if self.mine is not None:
            moments.append(max(self.slb_health.due, self.attempts.not_before(Op.HEALTH)))
        gap = self._gap()
        if gap is not None:
            moments.append(max(self.attempts.not_before(gap.op), self.conflict_until or NEVER))
        return min(moments)

    # What closes the gap

    @property
    def _pending(self) -> bool:
        """Whether the API is still making a change: it is looked up, not added to."""
        mine = self.mine
        busy = self.members is not None and self.members.busy
        return busy or (mine is not None and mine.state != AVAILABLE)

    def _gap(self) -> Call | None:
        """The one write that brings what is closer to what should be."""
        if self.members is None or self._pending:
            return None
        mine, goal = self.mine, self.goal
        if goal is ABSENT:
            return Call(Op.REMOVE, mine) if mine is not None else None
        if not isinstance(goal, int):
            return None
        if mine is None:
            return Call(Op.ADD, self.me.server(goal))
        if mine.weight != goal or self.me.must_claim(mine):
            return Call(Op.SET_WEIGHT, self.me.server(goal))
        # Raising goes before lowering: the predecessor leaves once this VM serves.
        return self._predecessor(self.members) if goal > 0 else None

    def _predecessor(self, members: Members) -> Call | None:
        if not self.me.replaces:
            return None
        for server in members.servers:
            if self.me.is_predecessor(server) and server.state == AVAILABLE:
                return Call(Op.REMOVE, server)
        return None

    def _reached(self) -> None:
        goal = self.goal
        self.conflict_until = None
        if goal is KEEP or self._pending:
            return
        self._unseen = 0
        self._established = goal
        self.served = self.served or (isinstance(goal, int) and goal > 0)
        for op in WRITES:
            self._succeeded(op)

    def _drifted(self, call: Call) -> bool:
        """Whether what was established here has been changed by someone else."""
        ours = call.server is not None and self.me.is_me(call.server)
        return ours and self._established is not None and self._established == self.goal

    def _may_repair(self, call: Call, now: float) -> bool:
        """Another writer's change is not fought for ever."""
        until = self.repairs[call.field].blocked_until(now) if self._drifted(call) else None
        if until is not None and until != self.conflict_until:
            self._tell(
                "warning",
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
        before = self.attempts.errors.get(call.op)
        waited = self.attempts.waited(call.op, now)
        self._succeeded(call.op)
        if isinstance(answer, Members):
            if before is not None and before.kind is not Kind.THROTTLED:
                self._queue_anew(now, random)
            self._crowded = pacing.between_crowded_polls(self.fleet, self._crowded, waited)
            self._found(now, random, answer)
        elif isinstance(answer, Changed):
            self._changed(now, random, call, answer)
        else:
            self.events.extend(self.slb_health.take(now, random, answer, self.fleet))

    def _found(self, now: float, random: Random, members: Members) -> None:
        first = self.members is None
        same = self.members is not None and members.same(self.members)
        self.members = members
        if first and self.mine is not None and self.mine.weight > 0:
            self.served = True  # found in rotation, whatever the journal knows of it
        self._stale = False
        self._missing_since = None
        self._read_at = now
        self._spare_the_living(members)
        self._remember_size(now, members)
        self._count_patience(members)
        if self.mine is None:
            self.slb_health.forget()
        # While this VM gives way for its health, the floor may break at any time.
        quiet = same and self._at_rest(now) and not self._gives_way
        self._quiet = self._quiet + 1 if quiet else 0
        unseen = self._unseen > 0 and self._gap() is not None
        under_way = self._pending or self._doubted or unseen
        self._looks = self._looks + 1 if under_way else 0
        self._look_at = now + (
            pacing.until_looked_up(self.interval, self._looks)
            if under_way
            else self._until_next_poll(random)
        )
        self._look_in_turn()

    def _look_in_turn(self) -> None:
        """While this VM waits for its turn to register there is nothing to see."""
        if self.mine is None and self.attempts.queued(Op.ADD):
            self._look_at = max(self._look_at, self.attempts.not_before(Op.ADD))

    def _spare_the_living(self, members: Members) -> None:
        """A VM that bears our marker and comes while we look on is not the one we replace.

        It runs an agent of its own, which takes us for its predecessor as we would take it: each
        would remove the other for as long as both live.
        """
        bear_our_marker = {s.server_id for s in members.servers if self.me.is_predecessor(s)}
        if self._predecessors is not None:
            for server_id in sorted(bear_our_marker - self._predecessors):
                self._tell(
                    "warning",
                    "another VM registers itself as this instance: left alone",
                    server=server_id,
                )
                self.me = replace(self.me, alive=self.me.alive | {server_id})
        self._predecessors = bear_our_marker - self.me.alive

    def _until_next_poll(self, random: Random) -> float:
        interval = max(self.interval, self.fleet.between_polls(Op.FIND), self._crowded)
        return pacing.until_next_poll(interval, self._quiet, random)

    @property
    def _gives_way(self) -> bool:
        """Whether this VM, that was in rotation, is to leave it because of its health."""
        unhealthy = self.wish.phase is Phase.SERVE and self.wish.local is Health.UNHEALTHY
        return unhealthy and self.served and self.goal in (0, ABSENT)

    def _at_rest(self, now: float) -> bool:
        """Whether nothing is to be done, or nothing can be for longer than a poll takes."""
        gap = self._gap()
        blocked = gap is not None and self.attempts.not_before(gap.op) > now + self.interval
        return blocked or self.settled

    def _remember_size(self, now: float, members: Members) -> None:
        """While this VM is unhealthy others may be, too, and leave: what was stays in mind."""
        size = sum(not self.me.is_predecessor(server) for server in members.servers)
        forgotten = now - self._size_at > SIZE_SECONDS and self.wish.local is Health.HEALTHY
        if size >= self._size or forgotten:
            self._size, self._size_at = size, now

    def _count_patience(self, members: Members) -> None:
        """How many reads in a row found too few servers in rotation and this VM not among them."""
        mine = self.mine
        out = mine is not None and mine.weight == 0
        out = out and goals.floor(self.me, self.policy, members, self._size).broken
        self._patience = self._patience + 1 if out and self._out_of_broken_floor else 0
        self._out_of_broken_floor = out

    def _changed(self, now: float, random: Random, call: Call, change: Changed) -> None:
        server = call.server
        if server is None or self.members is None:
            raise ValueError("a change without a server")
        self._tell_change(call, server)
        if self._drifted(call):
            self.repairs[call.field].made(now)
        if self.me.is_me(server):
            self._put_in_at = NEVER if call.op is Op.REMOVE else now
        self.changed_at = now
        self.slb_health.changed(now)
        self._quiet = 0
        self._look_at = now + (
            pacing.after_lowering(random) if self._gives_way else self._until_next_poll(random)
        )
        # Until the next poll confirms, the API's word is taken for it.
        others = tuple(other for other in self.members.servers if other.key != server.key)
        left = others if call.op is Op.REMOVE else (*others, server)
        self.members = replace(self.members, servers=left)
        if change.pending or self.wish.phase is Phase.REMOVE:
            self._stale = True  # done, or gone, is said only after it was seen
            self._unseen += 1
            self.attempts.pause(call.op, now + pacing.until_repeated(self._unseen, random))

    def _failed(self, now: float, random: Random, call: Call, error: ApiError) -> None:
        self._quiet = 0
        urgent = self._takes_out(call)
        news = self.attempts.failed(now, random, call.op, error, self.fleet, urgent=urgent)
        if news is not None:
            self.events.append(news)
        mine = call.server is not None and self.me.is_me(call.server)
        if mine and error.kind is Kind.LOST:
            self._put_in_at = NEVER if call.op is Op.REMOVE else now
        if call.op is Op.FIND and error.kind is Kind.NOT_FOUND:
            self._missing_since = now if self._missing_since is None else self._missing_since
            self._missing_seconds = now - self._missing_since
        if call.op is Op.FIND and error.kind is Kind.THROTTLED and self._stale:
            self._queue_with_the_read(now, random)
        if call.op is Op.ADD:
            self._look_in_turn()
        if call.op in WRITES and error.kind is not Kind.THROTTLED:
            self._stale = True  # it may have been made, or what we know is out of date

    def _takes_out(self, call: Call) -> bool:
        """Whether it takes this VM out of rotation, or is the read before that."""
        if call.op not in WRITES:
            return self.wish.phase is not Phase.SERVE or self._gives_way
        ours = call.server is not None and self.me.is_me(call.server)
        return ours and (call.op is Op.REMOVE or (call.op is Op.SET_WEIGHT and self.goal == 0))

    def _queue_anew(self, now: float, random: Random) -> None:
        """Turns to register that came while the API was lost would all be now."""
        if self.attempts.queued(Op.ADD) and self.attempts.not_before(Op.ADD) <= now:
            self.attempts.queue_again(now, random, Op.ADD, self.fleet)

    def _queue_with_the_read(self, now: float, random: Random) -> None:
        """A read that is refused is news of the write after it: so many compete for that, too."""
        op = _NEXT_WRITE[self.wish.phase]
        if self.fleet.seconds(op) > BUCKET_SECONDS and not self.attempts.queued(op):
            urgent = self.wish.phase is not Phase.SERVE
            self.attempts.queue(now, random, op, self.fleet, Op.FIND, urgent=urgent)
            self.attempts.join(Op.FIND, op)

    def _succeeded(self, op: Op) -> None:
        news = self.attempts.succeeded(op)
        if news is not None:
            self.events.append(news)

    # Telling

    def _tell_change(self, call: Call, server: BackendServer) -> None:
        message = {
            Op.ADD: "registered",
            Op.SET_WEIGHT: "weight changed",
            Op.REMOVE: "removed",
        }[call.op]
        fields: dict[str, object] = {"server": server.server_id}
        if call.op is not Op.REMOVE:
            fields["weight"] = server.weight
        if self.me.is_predecessor(server):
            fields["reason"] = "replaced by this VM"
        elif self._drifted(call):
            fields["reason"] = "another writer changed it"
        else:
            fields["reason"] = _reason(self.wish)
        self._tell("info", message, **fields)

    def _tell(self, level: str, message: str, **fields: object) -> None:
        self.events.append(Event(level, message, fields))


def _reason(wish: Wish) -> str:
    if wish.phase is Phase.SERVE:
        return f"the local check is {wish.local.value}"
    return "held by an operator" if wish.phase is Phase.HOLD else "draining"
