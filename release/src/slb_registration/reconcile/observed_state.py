"""ONE server group as far as is known: the last read, and what the API has accepted since."""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, replace

from slb_registration.model.errors import Kind
from slb_registration.model.identity import Identity
from slb_registration.model.operations import NEVER, Event, Op
from slb_registration.model.server_group import AVAILABLE, GOING, BackendServer, Members

NOT_FOUND_SECONDS = 600.0
"""A group that no read has found for so long was deleted; before, it may be back with the next."""

CONFIRMED_SECONDS = 10.0
"""The same of a group in which this VM was seen, for a drain: it has to end, but not too soon."""

DOUBT_SECONDS = 10.0
"""How old a read may be that does not know yet of a change which the API has taken."""

IMPLIED_SECONDS = 5.0
"""How far apart two reads must be that only imply an empty group, to prove that this VM is gone."""

GOING_SECONDS = 5.0
"""After so long a server that SLB is taking out counts as taken out: until its connections end it
may be listed for minutes."""

ATTEMPTS = 4
"""So many changes of ours are kept in mind: put in, lowered, raised and taken out."""


@dataclass(frozen=True)
class _Attempt:
    """A change of this VM that was made, or lost: its weight before and after, None where absent.

    `at`: when it was first made. What is repeated is doubted no longer, or another writer who is
    as fast as we are would never be seen.
    """

    at: float
    before: int | None
    wanted: int | None


class Place(enum.IntEnum):
    """Where a VM is known to stand in a group, each farther out of rotation than those before.

    From LOWERED on it gets no new connections, as far as the API tells; from SEEN_LOWERED on a read
    has shown it; from LEFT on there is nothing to be taken out.
    """

    UNKNOWN = enum.auto()  # nothing was read, or what was is out of date, or doubted
    IN_ROTATION = enum.auto()  # or a change of it is under way
    LOWERED = enum.auto()  # its weight is 0, by the API's word alone
    LEAVING = enum.auto()  # SLB was seen to be taking it out: it gets no new connections
    UNLISTED = enum.auto()  # only not to be seen for want of a list, which is no proof
    SEEN_LOWERED = enum.auto()  # a read has shown it with weight 0
    LEFT = enum.auto()  # SLB has been taking it out for so long that nothing else will come
    NO_GROUP = enum.auto()  # the group is not there
    OUT = enum.auto()  # it is not in the group


class ObservedState:
    """One VM, `me`, and its group. Times are those of one monotonic clock, in seconds.

    `place` says where the VM stands. Whatever it is: `stale`: a read is owed before anything else.
    `doubtful`: because a change has failed, and may have been made. `not_found`: the last read has
    not found the group.
    `confirmed`: a read has shown the last change of ours of this VM.
    `conflicted`: SLB refuses to add this VM, since another server holds its place.
    `unseen`: changes accepted in a row that no read has shown yet. `changed_at`: when the API last
    accepted a change.
    """

    def __init__(self, me: Identity) -> None:
        self.me = me
        self.members: Members | None = None
        self.stale = True
        self.doubtful = False
        self.not_found = False
        self.confirmed = False
        self.conflicted = False
        self.unseen = 0
        self.changed_at: float | None = None
        self._read_at = NEVER
        self._implied_since: float | None = None
        self._known_out = False  # a list, or a removal, has shown it, and nothing came since
        self._going_since: float | None = None
        self._attempts: deque[_Attempt] = deque(maxlen=ATTEMPTS)
        self._not_found_since: float | None = None
        self._not_found_seconds = 0.0
        self._predecessors: set[str] | None = None  # those that the last read has shown
        self._mine_among: Members | None = None
        self._mine: BackendServer | None = None

    @property
    def mine(self) -> BackendServer | None:
        """This VM in the group as far as is known, None where it is not in it or not known."""
        if self._mine_among is not self.members:  # asked many times a step, of a large group
            self._mine_among = self.members
            self._mine = self.me.find(self.members) if self.members is not None else None
        return self._mine

    @property
    def read_at(self) -> float | None:
        """The moment when the group was last read with success, None before that."""
        return None if self._read_at == NEVER else self._read_at

    @property
    def seen(self) -> bool:
        """Return whether the group was read since the API last accepted a change."""
        return self.changed_at is None or self._read_at > self.changed_at

    @property
    def pending(self) -> bool:
        """Return whether the API is still making a change: it is looked up, not added to."""
        mine = self.mine
        busy = self.members is not None and self.members.busy
        return busy or (mine is not None and mine.state != AVAILABLE)

    @property
    def doubted(self) -> bool:
        """Return whether the last read shows this VM as before a change of ours and may be from
        then, or does not show it for want of a list."""
        since = self._implied_since
        if self.mine is None and since is not None and self._read_at - since < IMPLIED_SECONDS:
            return True
        if not self._attempts or self._weight == self._attempts[-1].wanted:
            return False
        recent = (one for one in self._attempts if self._read_at - one.at < DOUBT_SECONDS)
        return any(one.before == self._weight for one in recent)

    @property
    def _weight(self) -> int | None:
        return None if self.mine is None else self.mine.weight

    @property
    def place(self) -> Place:
        """Where this VM stands."""
        since = self._going_since
        if self.going and since is not None and self._read_at - since >= GOING_SECONDS:
            return Place.LEFT
        # Where this VM was seen in the group, one read that does not find it proves nothing.
        lasts = self._not_found_seconds >= CONFIRMED_SECONDS
        if self.not_found and (self.mine is None or lasts):
            return Place.NO_GROUP
        if self.going:
            return Place.LEAVING
        if self.stale or self.members is None or self.doubted:
            return Place.UNKNOWN
        if self.mine is None:
            return Place.UNLISTED if self.unproven else Place.OUT
        # Of a change under way a read may show the weight before it.
        if self.mine.weight > 0 or self.mine.state != AVAILABLE:
            return Place.IN_ROTATION
        return Place.SEEN_LOWERED if self.seen else Place.LOWERED

    @property
    def unproven(self) -> bool:
        """Return whether this VM is only not to be seen for want of a list, and was not taken out
        either: such an answer is no proof that it is not in rotation."""
        return self._implied_since is not None and self.mine is None and not self._known_out

    @property
    def going(self) -> bool:
        """Return whether SLB was seen to be taking this VM out."""
        return self._going_since is not None and not self.stale

    @property
    def not_found_of_late(self) -> bool:
        """Return whether the group was not found for a while, too short to take it for deleted."""
        return self._not_found_since is not None and self._not_found_seconds < NOT_FOUND_SECONDS

    @property
    def predecessor(self) -> BackendServer | None:
        """A server in the group that this VM replaces."""
        if self.members is None or not self.me.replaces:
            return None
        for server in self.members.servers:
            if self.me.is_predecessor(server) and server.state == AVAILABLE:
                return server
        return None

    @property
    def holder(self) -> BackendServer | None:
        """The server at this VM's address, where SLB refuses to add this VM for that."""
        if not self.conflicted or self.members is None or self.mine is not None:
            return None
        return next(filter(self.me.holds_my_address, self.members.servers), None)

    def age(self, now: float) -> float:
        """For how long what is known has been so."""
        changed_at = NEVER if self.changed_at is None else self.changed_at
        return now - max(self._read_at, changed_at)

    def found(self, now: float, members: Members) -> list[Event]:
        """Take what a read has brought; returns what is news of other VMs."""
        self.members = members
        self.stale = self.doubtful = self.not_found = False
        self._not_found_since = None
        self._read_at = now
        self._implied_since = _since(self._implied_since, now, lasts=members.implied)
        if not members.implied:
            self._known_out = self.mine is None
        goes = self.mine is not None and self.mine.state in GOING
        self._going_since = _since(self._going_since, now, lasts=goes)
        self.conflicted = self.conflicted and self.mine is None
        if self._attempts and self._weight == self._attempts[-1].wanted and not self.pending:
            self.confirmed = True
        return self._spare_the_living(members)

    def missed(self, now: float, *, not_found: bool) -> None:
        """Take note that a read has failed; `not_found`: it said that there is no such group."""
        self.not_found = not_found
        if not_found:
            self._not_found_since = now if self._not_found_since is None else self._not_found_since
            self._not_found_seconds = now - self._not_found_since

    def changed(self, now: float, op: Op, server: BackendServer) -> None:
        """Take the API's word for a change, until the next read confirms it."""
        if self.members is None:
            raise ValueError("a change of a group that was never read")
        self._attempted(now, op, server)
        if self.me.is_me(server):
            self._known_out = op is Op.REMOVE
            self._implied_since = None  # what was read before says nothing of it
        others = tuple(other for other in self.members.servers if other.key != server.key)
        left = others if op is Op.REMOVE else (*others, server)
        self.members = replace(self.members, servers=left)
        self.changed_at = now
        self.stale = False

    def failed(self, now: float, op: Op, server: BackendServer, kind: Kind) -> None:
        """Take note of a failed change: it may be made (LOST), or what is known is out of date."""
        self.stale = self.doubtful = True
        if op is not Op.REMOVE and self.me.is_me(server):
            self._known_out = False
        if op is Op.ADD and self.me.is_me(server):
            self.conflicted = kind is Kind.CONFLICT
        if kind is Kind.LOST:
            self._attempted(now, op, server)

    def _attempted(self, now: float, op: Op, server: BackendServer) -> None:
        if not self.me.is_me(server):
            return
        before, wanted = self._weight, None if op is Op.REMOVE else server.weight
        last = self._attempts[-1] if self._attempts else None
        repeated = last is not None and last.wanted == wanted and now - last.at < DOUBT_SECONDS
        if before != wanted and not repeated:
            self._attempts.append(_Attempt(now, before, wanted))
            self.confirmed = False

    def _spare_the_living(self, members: Members) -> list[Event]:
        """Spare a VM that bears our marker and comes while we look on: we do not replace it.

        It runs an agent of its own, which takes us for its predecessor as we would take it: each
        would remove the other for as long as both live.
        """
        bear_our_marker = {s.server_id for s in members.servers if self.me.is_predecessor(s)}
        before = bear_our_marker if self._predecessors is None else self._predecessors
        living = sorted(bear_our_marker - before)
        self.me = replace(self.me, alive=self.me.alive | set(living)) if living else self.me
        self._predecessors = bear_our_marker - self.me.alive
        message = "another VM registers itself as this instance: left alone"
        return [Event("warning", message, {"server": server_id}) for server_id in living]


def _since(before: float | None, now: float, *, lasts: bool) -> float | None:
    """The moment when something began that is seen now; None where it is not."""
    if not lasts:
        return None
    return now if before is None else before
