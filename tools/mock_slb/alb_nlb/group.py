"""A server group of ALB or NLB. A change takes time, and until it ends no other is taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mock_slb.alb_nlb import errors
from mock_slb.alb_nlb.admission import admit
from mock_slb.alb_nlb.jobs import Failure, Job
from mock_slb.alb_nlb.leaving import Leaving
from mock_slb.alb_nlb.members import Members
from mock_slb.alb_nlb.resources import (
    ADDING,
    AVAILABLE,
    CONFIGURING,
    ECS,
    REMOVING,
    GroupServer,
)
from mock_slb.core.resources import BackendKey, HealthCheck
from mock_slb.core.tagged import Tagged

if TYPE_CHECKING:
    from mock_slb.alb_nlb.fleet import Fleet

Changes = Mapping[BackendKey, "GroupServer | None"]


@dataclass(frozen=True)
class _Change:
    """A job, and what becomes of the servers when it ends well, and when it fails."""

    job: Job
    wanted: Changes
    before: Changes


class ServerGroup(Tagged):
    """Servers in the order they were added."""

    ports = True  # as a vServer group: each server has a port of its own

    def __init__(
        self,
        fleet: Fleet,
        id_: str,
        *,
        type: str,
        name: str,
        vpc_id: str,
        region: str,
        tags: Mapping[str, str],
        protocol: str,
        health_check: HealthCheck | None,
        ipv6: bool,
        any_port: bool,
        connection_drain_seconds: int | None,
        sticky_seconds: int | None,
    ) -> None:
        super().__init__(fleet.account, tags)
        self.id = id_
        self.type = type
        self.name = name
        self.vpc_id = vpc_id
        self.region = region
        self.protocol = protocol
        self.health_check = health_check
        self.ipv6 = ipv6
        self.any_port = any_port
        """It forwards every port to the same one; its servers have port 0 (NLB only)."""
        self.connection_drain_seconds = connection_drain_seconds
        """How long connections to a server that is removed or fails go on; None: draining is off.
        """
        self.sticky_seconds = sticky_seconds
        """How long a client stays with its server (ALB only); None: session persistence is off."""
        self.created_at = fleet.account.now()
        self.change_seconds: float | None = None
        """How long a change of this group takes; None: as in `Account.change_seconds`."""
        self.forced_status: str | None = None
        """Told instead of the real status; any but Available refuses changes."""
        self.forced_server_statuses: dict[BackendKey, str] = {}
        """Told instead of a server's real status, e.g. one that callers do not know."""
        self.lingering: tuple[str, float] | None = None
        """The status and the seconds that a server stays listed with after its removal."""
        self.jobs_are_stuck = False
        """Jobs of changes from now on say Processing for ever, though the changes are made."""
        self._fleet = fleet
        self._members = Members(self.is_probed)
        self._change: _Change | None = None
        self._failure: Failure | None = None
        self._leaving = Leaving()
        self._configuring = (0.0, 0.0)
        """From when until when, in seconds since the epoch, it was last Configuring."""

    # --- what is ---------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """Available, or Configuring while a change is under way."""
        with self._account.lock:
            since, until = self._configuring
            moment = self._account.as_of
            busy = since <= (self._account.now() if moment is None else moment) < until
            return self.forced_status or (CONFIGURING if busy else AVAILABLE)

    def servers(self) -> list[GroupServer]:
        """Servers in the group now, those that are coming or going included.

        A stale reader sees it as it was.
        """
        with self._account.lock:
            self._settle()
            forced = self.forced_server_statuses
            return [
                replace(server, status=forced.get(key, server.status))
                for key, server in self._members.as_of(self._account.as_of).items()
            ]

    def server(self, server_id: str, port: int = 0, server_ip: str = "") -> GroupServer | None:
        """One server, if it is in the group; `server_ip` only for network interfaces."""
        key = BackendKey(server_id, server_ip, port)
        return next((one for one in self.servers() if one.key == key), None)

    def check_ports(self, ports: Iterable[int]) -> None:
        """Raises ApiError for a server's port that this group cannot have."""
        if any((port == 0) != self.any_port for port in ports):
            raise errors.illegal("Port")

    def is_probed(self, server: GroupServer) -> bool:
        """Tell whether health checks go to this server."""
        if not self.has_joined(server):
            return False
        return server.weight > 0 or self._fleet.product.checks_at_weight_zero

    def has_joined(self, server: GroupServer) -> bool:
        """Tell whether it is a member: neither one that is only coming, nor one only listed yet."""
        return server.status != ADDING and server.key not in self._leaving

    def health(self, route: str, server: GroupServer) -> str | None:
        """Health that was reported of this membership behind this route; None for nothing yet."""
        with self._account.lock:
            return self._members.health(route, server)

    def report_health(self, route: str, server: GroupServer, status: str) -> None:
        """Take the verdict of a probe (or of a test)."""
        with self._account.lock:
            self._settle()
            self._members.report_health(route, server, status)

    # --- what an API call does -------------------------------------------------------------

    def add(self, servers: Sequence[GroupServer], *, dry_run: bool = False) -> Job:
        """Begin to add all or none. Raises ApiError."""
        with self._account.lock:
            self._check_free()
            fresh = self._fresh(servers)
            self._stop_here_if(dry_run)
            before: Changes = dict.fromkeys(fresh)
            self._mark(fresh, ADDING)
            return self._begin("AddServersToServerGroup", fresh, before)

    def update(self, servers: Sequence[GroupServer], *, dry_run: bool = False) -> Job:
        """Begin to set weight and description; what is not sent again is lost. Raises ApiError."""
        with self._account.lock:
            self._check_free()
            before = self._present(server.key for server in servers)
            wanted = {
                s.key: replace(before[s.key], weight=s.weight, description=s.description)
                for s in servers
            }
            self._stop_here_if(dry_run)
            self._mark(before, CONFIGURING)
            return self._begin("UpdateServerGroupServersAttribute", wanted, before)

    def remove(self, keys: Iterable[BackendKey], *, dry_run: bool = False) -> Job:
        """Begin to remove all or none. Raises ApiError for one that is not there."""
        with self._account.lock:
            self._check_free()
            before = self._present(keys)
            self._stop_here_if(dry_run)
            self._mark(before, REMOVING)
            wanted: Changes = dict.fromkeys(before)
            if self.lingering is not None:
                status, _ = self.lingering
                wanted = {key: replace(server, status=status) for key, server in before.items()}
            return self._begin("RemoveServersFromServerGroup", wanted, before)

    # --- what an operator, or a test, does at once --------------------------------------------

    def add_server(
        self,
        server_id: str,
        *,
        port: int = 0,
        weight: int = 100,
        description: str = "",
        type: str | None = None,
        server_ip: str = "",
    ) -> GroupServer:
        """Put one in, without waiting. Raises ApiError as `add`."""
        type_ = type or (ECS if self.type == "Instance" else self.type)
        server = GroupServer(server_id, port, weight, type_, server_ip, description)
        with self._account.lock:
            self._now(self._fresh([server]))
            key = admit(self._account, self._fleet.product, self, server).key
            return self._members.now[key]

    def remove_server(self, server_id: str, *, port: int = 0, server_ip: str = "") -> None:
        """Take one out, without waiting; absent is fine."""
        with self._account.lock:
            self._now({BackendKey(server_id, server_ip, port): None})

    def set_weight(
        self, server_id: str, weight: int, *, port: int = 0, server_ip: str = ""
    ) -> None:
        """Change a weight and nothing else, without waiting. Raises ApiError if absent."""
        with self._account.lock:
            self._settle()
            key = BackendKey(server_id, server_ip, port)
            self._now({key: replace(self._present([key])[key], weight=weight)})

    def drop(self, server_id: str) -> None:
        """Forget a server that was released, whatever its ports and addresses."""
        with self._account.lock:
            keys = [key for key in self._members.now if key.server_id == server_id]
            self._now(dict.fromkeys(keys))

    def keep_busy(self, seconds: float) -> None:
        """Somebody else changes the group: it is Configuring for so long.

        It stays that for a change of the API's that is under way: no other begins before its end.
        """
        with self._account.lock:
            self._settle()
            now = self._account.now()
            until = now + seconds
            if self._change is not None:
                until = max(until, self._change.job.ends_at)
            self._configuring = (now, until)

    def fail_next_change(
        self, code: str = "InternalError", message: str = "The job was made to fail."
    ) -> None:
        """The next change is accepted, and its job fails in the end: nothing has changed."""
        with self._account.lock:
            self._failure = Failure(code, message)

    def heal(self) -> None:
        """End what this group was made to do: to be busy, to tell a status, to fail or hold up
        changes, to list servers that were removed."""
        with self._account.lock:
            self._settle()
            now = self._account.now()
            since, until = self._configuring
            if self._change is None:
                self._configuring = (since, min(until, now))
            else:
                self._configuring = (since, self._change.job.ends_at)
            self.forced_status, self.forced_server_statuses = None, {}
            self._failure, self.lingering, self.jobs_are_stuck = None, None, False
            self._leaving.end(now)

    def troubles(self) -> list[str]:
        """Troubles that this group was made to have, and that `heal` ends, in words."""
        with self._account.lock:
            self._settle()
            told = [self.forced_status] if self.forced_status else []
            told += self.forced_server_statuses.values()
            return [
                *(f"{status} is told" for status in dict.fromkeys(told)),
                *(["the next change fails"] if self._failure else []),
                *(["jobs never end"] if self.jobs_are_stuck else []),
                *(["removed servers stay listed"] if self.lingering else []),
            ]

    # --- inside; the account's lock is held -----------------------------------------------------

    def _fresh(self, servers: Sequence[GroupServer]) -> dict[BackendKey, GroupServer]:
        product = self._fleet.product
        fresh: dict[BackendKey, GroupServer] = {}
        self._settle()
        for server in servers:
            admitted = admit(self._account, product, self, server)
            if admitted.key in fresh:
                raise errors.server_duplicated(product)
            if admitted.key in self._leaving:
                raise errors.server_is_leaving(product, self.id)
            if admitted.key in self._members.now:
                if self._fleet.refuses_servers_already_there():
                    raise errors.server_already_there(product, server.server_id)
                continue
            if self._account.refuses_address(
                admitted.server_ip, admitted.port, [*self._members.now.values(), *fresh.values()]
            ):
                raise errors.address_taken(product, self._account.address_code)
            generation = self._account.next_generation()
            fresh[admitted.key] = replace(admitted, generation=generation, status=AVAILABLE)
        return fresh

    def _present(self, keys: Iterable[BackendKey]) -> dict[BackendKey, GroupServer]:
        now = {key: one for key, one in self._members.now.items() if key not in self._leaving}
        found = {key: now.get(key) for key in keys}
        present = {key: server for key, server in found.items() if server is not None}
        if len(present) < len(found):
            raise errors.server_not_in_group()
        return present

    def _check_free(self) -> None:
        self._settle()
        if self.status != AVAILABLE:
            raise errors.group_is_configuring(self._fleet.product, self.id)

    def _stop_here_if(self, dry_run: bool) -> None:
        if dry_run:
            raise errors.dry_run()

    def _mark(self, servers: Mapping[BackendKey, GroupServer], status: str) -> None:
        self._now({key: replace(server, status=status) for key, server in servers.items()})

    def _now(self, changes: Changes) -> None:
        self._settle()
        self._apply(self._account.now(), changes)

    def _begin(self, action: str, wanted: Changes, before: Changes) -> Job:
        now, seconds = self._account.now(), self.change_seconds
        if seconds is None:
            seconds = self._account.change_seconds
        job = self._fleet.jobs.add(
            Job(action, self.id, now, now + seconds, self._failure, stuck=self.jobs_are_stuck)
        )
        self._failure = None
        self._configuring = (now, job.ends_at)
        self._change = _Change(job, wanted, before)
        return job

    def _settle(self) -> None:
        now, change = self._account.now(), self._change
        if change is not None and now >= change.job.ends_at:
            self._change = None
            outcome = change.wanted if change.job.failure is None else change.before
            # One that was released or taken out meanwhile does not come back.
            there = {key: server for key, server in outcome.items() if key in self._members.now}
            self._apply(change.job.ends_at, there)
            self._let_linger(change, there)
        for key, since in self._leaving.take_gone(now, self._members.now.keys()).items():
            self._apply(since, {key: None})

    def _let_linger(self, change: _Change, there: Changes) -> None:
        removed = change.job.action.startswith("Remove") and change.job.failure is None
        if removed and self.lingering is not None:
            self._leaving.add(there, change.job.ends_at + self.lingering[1])

    def _apply(self, at: float, changes: Changes) -> None:
        self._members.change(at, changes, remember=self._account.read_lag_seconds > 0)
