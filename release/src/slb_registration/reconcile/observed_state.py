"""What is known of ONE server group: the last read, and what the API has accepted since."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from slb_registration.model.errors import Kind
from slb_registration.model.identity import Identity
from slb_registration.model.operations import NEVER, Event, Op
from slb_registration.model.server_group import AVAILABLE, GOING, BackendServer, Members

MISSING_SECONDS = 600.0
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


class View:
    """Of one VM, `me`, and its group. Times are those of one monotonic clock, in seconds.

    `stale`: a read is owed before anything else. `doubtful`: because a change has failed, and may
    have been made. `missing`: the last one has not found the group.
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
        self.missing = False
        self.confirmed = False
        self.conflicted = False
        self.unseen = 0
        self.changed_at: float | None = None
        self._read_at = NEVER
        self._implied_since: float | None = None
        self._known_out = False  # a list, or a removal, has shown it, and nothing came since
        self._going_since: float | None = None
        self._attempts: deque[_Attempt] = deque(maxlen=ATTEMPTS)
        self._missing_since: float | None = None
        self._missing_seconds = 0.0
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
        """When the group was last read with success, None before that."""
        return None if self._read_at == NEVER else self._read_at

    @property
    def seen(self) -> bool:
        """Whether the group was read since the API last accepted a change."""
        return self.changed_at is None or self._read_at > self.changed_at

    @property
    def pending(self) -> bool:
        """Whether the API is still making a change: it is looked up, not added to."""
        mine = self.mine
        busy = self.members is not None and self.members.busy
        return busy or (mine is not None and mine.state != AVAILABLE)

    @property
    def doubted(self) -> bool:
        """Whether the last read shows this VM as before a change of ours, and may be from then, or
        does not show it for want of a list."""
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
    def absent(self) -> bool:
        """Whether this VM is known not to be in the group."""
        known = not self.stale and self.members is not None
        return known and self.mine is None and not self.doubted

    @property
    def unproven(self) -> bool:
        """Whether this VM is only not to be seen for want of a list, and was not taken out either:
        such an answer is no proof that it is not in rotation."""
        return self._implied_since is not None and self.mine is None and not self._known_out

    @property
    def going(self) -> bool:
        """Whether SLB was seen to be taking this VM out: it gets no new connections."""
        return self._going_since is not None and not self.stale

    @property
    def as_good_as_gone(self) -> bool:
        """Whether SLB has been taking this VM out for so long that nothing else will come."""
        since = self._going_since
        return self.going and since is not None and self._read_at - since >= GOING_SECONDS

    @property
    def deleted(self) -> bool:
        """Whether the group is not there. Where this VM was seen in it, one read proves nothing."""
        return self.missing and (self.mine is None or self._missing_seconds >= CONFIRMED_SECONDS)

    @property
    def missing_of_late(self) -> bool:
        """Whether reads have not found the group, for too short a time to take it for deleted."""
        return self._missing_since is not None and self._missing_seconds < MISSING_SECONDS

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
        self.stale = self.doubtful = self.missing = False
        self._missing_since = None
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
        """A read has failed; `not_found`: it said that there is no such group."""
        self.missing = not_found
        if not_found:
            self._missing_since = now if self._missing_since is None else self._missing_since
            self._missing_seconds = now - self._missing_since

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
        """A change has failed: it may have been made (LOST), or what is known is out of date."""
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
        """A VM that bears our marker and comes while we look on is not the one we replace.

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
    """When something began that is seen now; None where it is not."""
    if not lasts:
        return None
    return now if before is None else before
