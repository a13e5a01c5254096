"""The health that ALB and NLB report of a server group's servers, listener by listener.

Their API takes a listener and lists only the servers that are NOT normal, so that absence means
normal for a confirmed member alone: one that is available and has a weight. At weight 0 there is
no status: ALB stops checking, NLB says Unused. Of a server with a weight, Unused tells that the
load balancer has no node in its zone, and does not balance across zones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slb_registration.cloud.client import Cloud
from slb_registration.model.balancer_settings import ListenerState
from slb_registration.model.configuration import ANY_PORT
from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.server_group import (
    ABNORMAL,
    AVAILABLE,
    NORMAL,
    UNAVAILABLE,
    BackendServer,
    ListenerHealth,
    Members,
    StillWanted,
    always,
)
from slb_registration.server_groups.answers import (
    checked_list,
    incomplete,
    own_list,
    text,
    unreasonable,
    whole,
)
from slb_registration.server_groups.lenient_answers import inner, line, word
from slb_registration.server_groups.product_requests import (
    HEALTH_PAGE_SIZE,
    ProductRequests,
    listed,
    pages,
)

KEPT_SECONDS = 600.0
"""How long it is taken for granted which listeners use the group."""

LOAD_BALANCERS_AT_ONCE = 20
"""The most ids that ListListeners takes."""

MOST_LISTENERS = 500
"""That may use one group; a load balancer has at most 50."""

NO_NODE = (
    "Unused: the load balancer seems to have no node in the zone of this server; add the zone to "
    "it, or turn cross-zone balancing on"
)
_ACTION = "GetListenerHealthStatus"


@dataclass(frozen=True)
class Listener:
    """A listener of a load balancer that the group is behind. `named`: it names the group itself,
    and not only in a rule. `load_balancer_id` is empty where it is not told."""

    id: str
    port: int
    protocol: str
    status: str = ""
    named: bool = False
    load_balancer_id: str = ""


_Key = tuple[str, str, int]
"""A server's id, its address or nothing, and its port."""


@dataclass(frozen=True)
class _Verdict:
    """The verdict on one server: the status, and the reason for it where there is one."""

    status: str
    reason: str = ""

    @property
    def rank(self) -> tuple[bool, bool]:
        """The higher, the worse."""
        return self.status == ABNORMAL, bool(self.reason)


_UNUSED = _Verdict(UNAVAILABLE, NO_NODE)
_UNDECIDED = _Verdict(UNAVAILABLE)
"""For Initial, Unavailable and words not known: no verdict, as CLB's unavailable."""


@dataclass(frozen=True)
class _Report:
    """The report of a listener, or of one of its rules, on the group."""

    checked: bool
    not_normal: Mapping[_Key, _Verdict]


class ListenerHealthReader:
    """Reads the health of one server group's servers."""

    def __init__(
        self,
        cloud: Cloud,
        requests: ProductRequests,
        group_id: str,
        load_balancers: Callable[[], Sequence[str]],
        clock: Callable[[], float],
    ) -> None:
        """`load_balancers` asks which ones the group is behind."""
        self._cloud = cloud
        self._requests = requests
        self._group_id = group_id
        self._load_balancers = load_balancers
        self._clock = clock
        self._listeners: tuple[Listener, ...] = ()
        self._named: tuple[Listener, ...] = ()
        self.listeners: tuple[ListenerState, ...] | None = None
        self.load_balancer_ids: tuple[str, ...] = ()
        self._learned_at: float | None = None

    def read(
        self, members: Members, wanted: StillWanted = always
    ) -> tuple[ListenerHealth, ...] | None:
        """One call a listener; more once in ten minutes, to learn which listeners there are.

        None where `wanted` says no between two listeners.
        """
        now = self._clock()
        known = self._learned_at is not None and now - self._learned_at < KEPT_SECONDS
        if known:
            try:
                return self._read(self._listeners, members, wanted)
            except ApiError as error:
                if error.kind is not Kind.NOT_FOUND:
                    raise
        # Not known, too old, or a listener was deleted.
        self._learned_at = None
        health = self._read(self._all_listeners(), members, wanted)
        self._learned_at = None if health is None else now
        return health

    def _read(
        self, listeners: Sequence[Listener], members: Members, wanted: StillWanted
    ) -> tuple[ListenerHealth, ...] | None:
        in_use: list[Listener] = []
        found: list[ListenerHealth] = []
        for listener in listeners:
            if not wanted():
                return None
            reports = list(self._reports(listener))
            if reports:
                in_use.append(listener)
                found += _told(listener, reports, members)
        self._listeners = tuple(in_use)
        leading = dict.fromkeys((*in_use, *self._named))  # one that is stopped may tell nothing
        self.listeners = tuple(
            ListenerState(f"{one.protocol.lower()}:{one.port}", one.status) for one in leading
        )
        self.load_balancer_ids = tuple(
            dict.fromkeys(one.load_balancer_id for one in leading if one.load_balancer_id)
        )
        return tuple(found)

    def _all_listeners(self) -> tuple[Listener, ...]:
        ids = list(self._load_balancers())
        found: dict[str, Listener] = {}
        for start in range(0, len(ids), LOAD_BALANCERS_AT_ONCE):
            some = ids[start : start + LOAD_BALANCERS_AT_ONCE]
            make = lambda some=some: self._requests.listeners(some)  # noqa: E731
            for item in listed(self._cloud, make, "Listeners"):
                listener = _listener(item, self._group_id)
                # NLB tells which group a listener uses; ALB's rules may use any.
                if item.get("ServerGroupId", self._group_id) == self._group_id:
                    found[listener.id] = listener
            if len(found) > MOST_LISTENERS:  # each is a call
                raise unreasonable("ListListeners", "listeners")
        self._named = tuple(one for one in found.values() if one.named)
        return tuple(found.values())

    def _reports(self, listener: Listener) -> Iterator[_Report]:
        make = lambda: self._requests.health(listener.id)  # noqa: E731
        for answer in pages(self._cloud, make, HEALTH_PAGE_SIZE):
            parts = [*(own_list(_ACTION, answer, "ListenerHealthStatus") or ())]
            parts += checked_list(_ACTION, "RuleHealthStatus", answer.get("RuleHealthStatus") or [])
            for part in parts:
                infos = part.get("ServerGroupInfos") or []
                for info in checked_list(_ACTION, "ServerGroupInfos", infos):
                    if info.get("ServerGroupId") == self._group_id:
                        yield _report(info)


def _told(
    listener: Listener, reports: Sequence[_Report], members: Members
) -> Iterator[ListenerHealth]:
    checked = any(report.checked for report in reports)
    said = _worst(reports)
    for server in members.servers:
        verdict = _verdict(server, said, checked=checked)
        if verdict is not None:
            yield ListenerHealth(
                listener_port=listener.port,
                protocol=listener.protocol.lower(),
                server_id=server.server_id,
                port=server.port,
                status=verdict.status,
                checked=checked,
                server_ip=server.server_ip,
                reason=verdict.reason,
            )


def _worst(reports: Sequence[_Report]) -> Mapping[_Key, _Verdict]:
    """Return what the listener itself or one of its rules says of each server."""
    worst: dict[_Key, _Verdict] = {}
    for report in reports:
        for key, verdict in report.not_normal.items():
            _take(worst, key, verdict)
    return worst


def _take(worst: dict[_Key, _Verdict], key: _Key, verdict: _Verdict) -> None:
    if key not in worst or verdict.rank > worst[key].rank:
        worst[key] = verdict


def _verdict(
    server: BackendServer, said: Mapping[_Key, _Verdict], *, checked: bool
) -> _Verdict | None:
    if server.weight == 0:
        return None
    if not checked:
        return _UNDECIDED
    verdict = said.get(server.key)
    if verdict is not None:
        return verdict
    return _Verdict(NORMAL) if server.state == AVAILABLE else _UNDECIDED


def _report(info: Mapping[str, Any]) -> _Report:
    # ALB says on or off, NLB true or false in a field of another spelling.
    enabled = info.get("HealthCheckEnabled", info.get("HeathCheckEnabled", True))
    listed_servers = checked_list(_ACTION, "NonNormalServers", info.get("NonNormalServers") or [])
    not_normal: dict[_Key, _Verdict] = {}
    for item in listed_servers:
        try:
            server_id, port = text(item["ServerId"]), whole(item["Port"])
            server_ip = text(item.get("ServerIp"))
            verdict = _said(item)
        except (KeyError, TypeError, ValueError):
            raise incomplete(_ACTION, "a server that is not normal") from None
        # An instance is known by its id alone, others by their address, too. Nobody documents
        # which port is told of a server of ANY_PORT: its own, or the one that is checked.
        for address in ("", server_ip):
            for one in (port, ANY_PORT):
                _take(not_normal, (server_id, address, one), verdict)
    return _Report(str(enabled).lower() not in ("off", "false"), not_normal)


def _said(item: Mapping[str, Any]) -> _Verdict:
    word = str(item["Status"]).lower()
    if word == "unhealthy":
        return _Verdict(ABNORMAL, _reason(item.get("Reason")))
    return _UNUSED if word == "unused" else _UNDECIDED


def _reason(told: object) -> str:
    """NLB tells a code, such as CONNECTION_REFUSED, ALB what was expected and came, too."""
    if not isinstance(told, dict):
        return ""
    code = text(told.get("ReasonCode"))
    expected, actual = (text(told.get(name)) for name in ("ExpectedResponse", "ActualResponse"))
    parts = [f"{actual} instead of {expected}"] if expected and actual else []
    return ": ".join(filter(None, [code, *parts]))


def _listener(item: Mapping[str, Any], group_id: str) -> Listener:
    try:
        return Listener(
            text(item["ListenerId"]),
            whole(item["ListenerPort"]),
            text(item["ListenerProtocol"]),
            word(item.get("ListenerStatus")),
            group_id in _named_groups(item),
            line(item.get("LoadBalancerId")),
        )
    except (KeyError, TypeError, ValueError):
        raise incomplete("ListListeners", "a listener") from None


def _named_groups(item: Mapping[str, Any]) -> Iterator[object]:
    """NLB's listeners name one group, ALB's those of their default action."""
    yield item.get("ServerGroupId")
    actions = item.get("DefaultActions")
    for action in actions if isinstance(actions, list) else ():
        tuples = inner(inner(action).get("ForwardGroupConfig")).get("ServerGroupTuples")
        for one in tuples if isinstance(tuples, list) else ():
            yield inner(one).get("ServerGroupId")
