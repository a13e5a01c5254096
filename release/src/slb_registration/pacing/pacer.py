"""The one door to all that quotas pace: the moments of a VM's calls in ONE server group.

Its registrar asks when it may call, and tells how calls ended.

**Why.** An account may make so many calls of each action a minute, in a region: `quotas` has the
figures, and their source. CLB lets 90 servers be added a minute, so that the last of 1,000 VMs
which start in the same second cannot be in service before ten minutes have gone by. That cannot be
helped; how many calls are refused meanwhile, and whether the quota is ever left unused, can. VMs do
not know of each other; all they have is `fleet_size`, that may be wrong by a factor of 20, and
their own refusals. Backoff that doubles is no answer: who began late is served before who waits
longest. Aimed at, and shown by `make bench-fleet`: all are served within 1.15 times what the quota
takes (twice, where `fleet_size` is wrong), each is refused twice on average, and at rest a fleet
uses no more than half of each quota on reads.

**Bucket.** Quotas are counted by the minute: after a quiet minute as many calls as it has can be
made at once. So nobody waits before a first try, and a small fleet never does.

**Turns.** A call that was refused for throttling is tried again at its turn: a random moment of a
**window**, of which there is a row (`windows`). The window that counts ends when the quota has
served as many as `fleet_size` says; an earlier one is for a fleet that is much smaller, and later
ones grow for one that is larger. Who keeps the windows of its first refusal keeps its place.

**Queueing.** Quotas on reads are larger than those on writes. If so many VMs compete that reads
are refused, the write that comes after the read would be, too: it is given its turn at once.
**Joining.** The read comes with that turn if it is within its own window: both are needed then.
**Following.** To drain, a VM need not read again: the read comes after the turn of the write.

**Making up.** Turns that come while the API is lost would be tried all at once when it is back.
Each is moved on behind the last of its window by as much as it is late, so that the quota of the
time that was lost is asked for again at its own rate.

**Crowded polls.** At rest a VM polls as rarely as `fleet_size` asks for. Where a read is refused
nevertheless, the fleet is larger or others use the quota: polls stretch to four times what it
waited, and recover by a tenth with each that is not refused.

Failures of other kinds have plain backoff (`backoff`), which stretches in long rows to what the
fleet may read, and is short for what takes a VM out of rotation, or post-start waits for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.operations import NEVER, Op
from slb_registration.pacing import backoff
from slb_registration.pacing.polls import Polls
from slb_registration.pacing.quotas import ALONE, BUCKET_SECONDS, Fleet
from slb_registration.pacing.windows import SOONEST_SECONDS, Windows, windows


@dataclass(frozen=True)
class Ahead:
    """The write that most likely comes after the next read.

    `unread`: a read is owed before it. `undone`: as far as is known it has still to be made.
    `drains`: it is a step of a drain.
    """

    op: Op
    unread: bool
    undone: bool
    drains: bool


@dataclass(frozen=True)
class _Waiting:
    """Call that was refused for throttling and waits for its turn."""

    since: float
    windows: Windows
    used: float = 0.0  # the end of the window of its turn


class Pacer:
    """Pace of one VM in one server group. Times are those of one monotonic clock, in seconds.

    `fleet`: who shares the quotas. `drain_seconds`: how long a drain may take. Either may change,
    and counts from the next call that ends.
    """

    def __init__(
        self, interval: float, fleet: Fleet = ALONE, *, drain_seconds: float = 0.0
    ) -> None:
        """`interval`: seconds between polls."""
        self.fleet = fleet
        self.drain_seconds = drain_seconds
        self._polls = Polls(interval)
        self._not_before = dict.fromkeys(Op, NEVER)
        self._waiting: dict[Op, _Waiting] = {}
        self._failing: dict[Op, Kind] = {}

    # When

    @property
    def next_read(self) -> float:
        """The moment of the next read of the group if nothing happens before."""
        return self._polls.due

    def not_before(self, op: Op) -> float:
        """The moment from which `op` may be called."""
        return self._not_before[op]

    def queued(self, op: Op) -> bool:
        """Return whether `op` waits for its turn."""
        return op in self._waiting

    # What calls are for

    def begin_anew(self) -> None:
        """Let all be tried at once: what they are for has changed."""
        self._allow(Op)

    def hurry(self) -> None:
        """Let go of turns that were for something less urgent: this VM is to leave rotation."""
        self._allow({Op.FIND, Op.SET_WEIGHT, Op.REMOVE} & self._waiting.keys())

    def retry(self) -> None:
        """Let all be tried at once that failed and wait for no turn: post-start begins to wait."""
        self._allow(self._failing.keys() - self._waiting.keys())

    def disturb(self) -> None:
        """Let polls come at the usual interval again: something has happened."""
        self._polls.disturb()

    # How calls ended

    def failed(
        self,
        now: float,
        random: Random,
        op: Op,
        error: ApiError,
        ahead: Ahead | None = None,
        *,
        tries: int = 1,
        urgent: bool = False,
        awaited: bool = False,
    ) -> None:
        """Take note that `op` failed, `tries` times in a row; `ahead`: None where no write follows.

        `urgent`: it was to take this VM out of rotation. `awaited`: post-start waits for it.
        """
        self._polls.disturb()
        self._failing[op] = error.kind
        if error.kind is Kind.THROTTLED:
            self._queue(now, random, op, windows(self.fleet, op, op, urgent=urgent))
            if op is Op.FIND and ahead is not None and ahead.unread:
                self._queue_with_the_read(now, random, ahead)
        else:
            # A write is tried again only after a read.
            pace = self.fleet.seconds(Op.FIND)
            again = backoff.after_failure(error, tries, random, pace, urgent=urgent)
            if awaited:
                read = op if op is Op.HEALTH else Op.FIND
                again = min(again, backoff.while_awaited(self.fleet.between_polls(read)))
            self._not_before[op] = now + again
        self._wait_for(now, ahead)

    def succeeded(self, op: Op) -> None:
        """Take note that `op` has succeeded, or is not needed any more."""
        self._failing.pop(op, None)
        self._allow([op])

    def came_through(self, now: float, ahead: Ahead | None = None) -> None:
        """Take note of a read: for how long there was none tells of the API and of the quota.

        `ahead`: as of before that read.
        """
        lost = self._failing.get(Op.FIND, Kind.THROTTLED) is not Kind.THROTTLED
        if lost and ahead is not None and ahead.op is Op.ADD and ahead.undone:
            self._make_up(now, Op.ADD)
        waiting = self._waiting.get(Op.FIND)
        self._polls.refused_for(self.fleet, 0.0 if waiting is None else now - waiting.since)
        self.succeeded(Op.FIND)

    def found(
        self,
        now: float,
        random: Random,
        ahead: Ahead | None = None,
        *,
        quiet: bool,
        under_way: bool,
    ) -> None:
        """Take note that it found no change (`quiet`), or one that is being made (`under_way`)."""
        self._polls.found(now, random, self.fleet, quiet=quiet, under_way=under_way)
        self._wait_for(now, ahead)

    def changed(
        self,
        now: float,
        random: Random,
        op: Op,
        *,
        gives_way: bool = False,
        confirm: bool = False,
        unseen: int = 0,
        pending: bool = False,
    ) -> None:
        """Take note that the API has accepted `op`, and of when to look at the group again.

        `gives_way`: this VM does, for its health, and others may at the same time. `confirm`: it is
        to be seen soon. `unseen`: for how many in a row that is still owed, before another is made;
        0 where the API's word will do. `pending`: the API is still making it.
        """
        self._polls.disturb()
        if gives_way:
            self._polls.after_lowering(now, random)
        elif confirm:
            self._polls.confirm(now)
        else:
            self._polls.poll(now, random, self.fleet)
        if unseen:
            self._not_before[op] = now + backoff.until_repeated(unseen, random)
        if pending:
            self._not_before[Op.FIND] = now + self._polls.first_look_seconds

    # Turns

    def _allow(self, ops: Iterable[Op]) -> None:
        for op in ops:
            self._not_before[op] = NEVER
            self._waiting.pop(op, None)

    def _queue(self, now: float, random: Random, op: Op, row: Windows) -> None:
        """Let `op` wait for its turn: it was refused for throttling, or the read before it was.

        `row` is for the first refusal; who waits already keeps the windows that it has.
        """
        waiting = self._waiting.get(op, _Waiting(now, row))
        turn, used = waiting.windows.turn(now - waiting.since, waiting.used, random)
        self._waiting[op] = replace(waiting, used=used)
        self._not_before[op] = waiting.since + turn

    def _queue_with_the_read(self, now: float, random: Random, ahead: Ahead) -> None:
        """Give the write after a refused read its turn: so many compete for that, too."""
        op = ahead.op
        if self.fleet.seconds(op) <= BUCKET_SECONDS or op in self._waiting:
            return
        spare = self.drain_seconds / 2 if ahead.drains else 0.0
        row = windows(self.fleet, op, Op.FIND, urgent=op is not Op.ADD, spare=spare)
        self._queue(now, random, op, row)
        self._join(Op.FIND, op)

    def _join(self, op: Op, other: Op) -> None:
        """Let `op`, refused for the first time, come with the turn of `other` if it is near."""
        waiting, turn = self._waiting[op], self._not_before[other]
        if turn <= waiting.since + waiting.used:
            self._not_before[op] = turn

    def _wait_for(self, now: float, ahead: Ahead | None) -> None:
        """Read no sooner than the turn to register, or to leave: there is nothing to see."""
        if ahead is None or not ahead.undone or ahead.op not in self._waiting:
            return
        turn = self._not_before[ahead.op]
        self._polls.not_before(turn)
        if ahead.drains and turn > now and Op.FIND in self._waiting:
            self._not_before[Op.FIND] = turn + SOONEST_SECONDS

    def _make_up(self, now: float, op: Op) -> None:
        """Give `op` another turn for the one that came while the API was lost.

        The quota of that time was left unused, so it takes as much longer until all are served:
        turns that were missed follow after the last, the latest missed first. Who is late by no
        more than the bucket holds can go at once.
        """
        waiting, late = self._waiting.get(op), now - self._not_before[op]
        if waiting is not None and late > BUCKET_SECONDS:
            self._waiting[op] = replace(waiting, since=waiting.since + late)
            self._not_before[op] = waiting.since + waiting.used + late
