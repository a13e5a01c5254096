"""Server groups of ALB and NLB. A change takes time: the API accepts it, and it is made later.

Until then the group is Configuring and takes no other change, and the server is in a state of its
own (Adding, Configuring, Removing). NLB lets one ask for the job that a change has become.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aliyunsdkcore.request import RpcRequest

from slb_registration.cloud.client import Cloud
from slb_registration.cloud.error_codes import classify
from slb_registration.model.addresses import normal
from slb_registration.model.balancer_settings import Settings
from slb_registration.model.errors import ApiError, Kind, tidy
from slb_registration.model.server_group import (
    AVAILABLE,
    BackendServer,
    Changed,
    ListenerHealth,
    Members,
    StillWanted,
    always,
)
from slb_registration.server_groups.alb_nlb_settings import settings
from slb_registration.server_groups.answers import incomplete, own_list, text, whole
from slb_registration.server_groups.client_tokens import ClientTokens, Write
from slb_registration.server_groups.listener_health import ListenerHealthReader
from slb_registration.server_groups.product_requests import (
    ProductRequests,
    listed,
    pages,
    wire_server,
)

JOB_SECONDS = 30.0
"""How long a job is asked about; after that only the servers' states count. Nobody documents how
long a job may say Processing: the Kubernetes cloud provider stops waiting after 30 s, too."""

CHANGING = frozenset({"adding", "configuring", "removing"})
_ADD, _UPDATE = "AddServersToServerGroup", "UpdateServerGroupServersAttribute"
_REMOVE = "RemoveServersFromServerGroup"
_SERVERS, _GROUPS = "ListServerGroupServers", "ListServerGroups"
_Make = Callable[[str, list[dict[str, object]], str], RpcRequest]


@dataclass(frozen=True)
class _Job:
    """A change of `server` that was accepted."""

    id: str
    action: str
    server: BackendServer
    since: float

    def is_seen_in(self, members: Members) -> bool:
        """Return whether the group shows what the change is for: what is there overrules the
        job."""
        wanted = self.server
        seen = members.get(wanted.server_id, wanted.port, wanted.server_ip)
        if self.action == _REMOVE:
            return seen is None and not members.implied
        return seen == wanted


class AlbNlbGroup:
    """A server group. A server's key is its id, its port and, for all but ecs, its address.

    `find` makes a second call only while a change is under way, ours or another writer's, and the
    servers do not show that it is done.
    """

    read_only: str | None = None
    round_robin = False  # the schedulers of both products heed weights

    def __init__(
        self,
        name: str,
        cloud: Cloud,
        requests: ProductRequests,
        group_id: str,
        port: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.port: int | None = port
        self._cloud = cloud
        self._requests = requests
        self._id = group_id
        self._clock = clock
        self._tokens = ClientTokens(clock)
        self._health = ListenerHealthReader(cloud, requests, group_id, self._balancers, clock)
        self._job: _Job | None = None
        self._asks_for_jobs = True
        self._refused = False
        self._confirmed: Members | None = None
        self._described: Mapping[str, Any] | None = None

    def find(self) -> Members:
        """All servers of the group, whatever their port. Raises ApiError for a job that failed."""
        members = self._members()
        processing = self._is_processing(members)
        self._tokens.seen(members)
        self._confirmed = members
        changing = any(server.state in CHANGING for server in members.servers)
        if not processing and (self._refused or changing):
            processing = self._refused = self._is_configuring()
        return replace(members, busy=processing)

    def add(self, server: BackendServer) -> Changed:
        """Ask for a server to be registered."""
        return self._write(_ADD, self._requests.add, server)

    def set_weight(self, server: BackendServer) -> Changed:
        """Ask for a server's weight (and its description again: what is not sent is lost)."""
        return self._write(_UPDATE, self._requests.update, server)

    def remove(self, server: BackendServer) -> Changed:
        """Ask for a server to be taken out."""
        return self._write(_REMOVE, self._requests.remove, server)

    def health(self, wanted: StillWanted = always) -> tuple[ListenerHealth, ...] | None:
        """The health of all servers of the group with a weight, per listener."""
        return self._health.read(self._confirmed or self.find(), wanted)

    def settings(self, *, ask: bool = False) -> Settings | None:  # noqa: ARG002 - of CLB
        """Return what is set on the group.

        Never takes a call: reading the health has asked for it.
        """
        health = self._health
        return settings(self._described, health.listeners, health.load_balancer_ids)

    def _write(self, action: str, make: _Make, server: BackendServer) -> Changed:
        token = self._tokens.token(Write(action, server))
        fields = wire_server(server, key_only=action == _REMOVE)
        self._confirmed = None
        try:
            answer = self._cloud.call(make(self._id, [fields], token))
        except ApiError as error:
            self._tokens.failed(error)
            self._refused = self._refused or error.kind is Kind.BUSY
            raise
        self._tokens.accepted()
        job_id = answer.get("JobId")
        followed = job_id and self._asks_for_jobs
        self._job = _Job(str(job_id), action, server, self._clock()) if followed else None
        return Changed(pending=True)

    def _is_processing(self, members: Members) -> bool:
        """Return whether the last change is still being made. Raises ApiError where it failed."""
        job = self._job
        if job is None:
            return False
        if job.is_seen_in(members):
            self._job = None
            return False
        request = self._requests.job(job.id)
        if request is None or self._clock() - job.since > JOB_SECONDS:
            self._job = None
            return False
        try:
            answer = self._cloud.call(request)
        except ApiError as error:
            if not error.hopeless:
                raise
            self._job = None
            if error.kind is Kind.NOT_FOUND:
                return False  # forgotten by the API: over for long
            self._asks_for_jobs = False
            raise _done_without(error) from None
        status = str(answer.get("Status") or "").lower()
        if status == "succeeded":
            self._job = None
            return True  # since the servers were read: they are to be read again
        if status == "failed":
            self._job = None
            raise _job_failed(job.action, answer)
        return True

    def _is_configuring(self) -> bool:
        status = str(self._describe().get("ServerGroupStatus") or AVAILABLE)
        return status.lower() != AVAILABLE

    def _balancers(self) -> Sequence[str]:
        related = self._describe().get("RelatedLoadBalancerIds") or []
        if not isinstance(related, list):
            raise incomplete(_GROUPS, "RelatedLoadBalancerIds")
        return [str(one) for one in related]

    def _describe(self) -> Mapping[str, Any]:
        for item in listed(self._cloud, lambda: self._requests.groups([self._id]), "ServerGroups"):
            if item.get("ServerGroupId") == self._id:
                self._described = item
                return item
        # A listing may lag behind: only ListServerGroupServers says that there is no such group.
        raise incomplete(_GROUPS, f"the server group {self._id}")

    def _members(self) -> Members:
        answers = pages(self._cloud, lambda: self._requests.servers(self._id))
        lists = [own_list(_SERVERS, answer, "Servers") for answer in answers]
        servers = tuple(_server(item) for items in lists for item in items or ())
        return Members(servers, implied=lists[0] is None and not servers)


def normal_address(text: str) -> str:
    """An IP address in its one normal spelling; what is none stays as it is."""
    try:
        return normal(text)
    except ValueError:
        return text


def _server(item: Mapping[str, Any]) -> BackendServer:
    try:
        server_type = (text(item.get("ServerType")) or "ecs").lower()
        server_id = text(item["ServerId"])
        return BackendServer(
            server_id=normal_address(server_id) if server_type == "ip" else server_id,
            port=whole(item["Port"]),
            weight=whole(item["Weight"]),
            description=text(item.get("Description")),
            state=text(item["Status"]).lower(),
            server_ip=_address(item, server_type),
            server_type=server_type,
            address=normal_address(text(item.get("ServerIp"))),
        )
    except (KeyError, TypeError, ValueError):
        raise incomplete(_SERVERS, "a server") from None


def _address(item: Mapping[str, Any], server_type: str) -> str:
    """For ecs the API tells the private address, which is no part of the key."""
    if server_type == "ecs":
        return ""
    return normal_address(text(item["ServerId"] if server_type == "ip" else item["ServerIp"]))


def _done_without(error: ApiError) -> ApiError:
    """A refusal to tell of jobs is said, and delays nothing: the servers' states tell, too."""
    parts = (error.message, error.advice, "going by what the servers show")
    return replace(error, kind=Kind.BUSY, message="; ".join(part for part in parts if part))


def _job_failed(action: str, answer: Mapping[str, Any]) -> ApiError:
    """The kind never speaks of the group as gone: that is for a read to say."""
    code = str(answer.get("ErrorCode") or "")
    kind = classify(code, None, action=action) if code else Kind.BUSY
    if kind in (Kind.NOT_FOUND, Kind.GONE):
        kind = Kind.INVALID
    said = ": ".join(part for part in (code, str(answer.get("ErrorMessage") or "")) if part)
    reason = tidy(said) or "the API gives no reason"
    return ApiError(action, kind, "JobFailed", f"the change was accepted and has failed: {reason}")
