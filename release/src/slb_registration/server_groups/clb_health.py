"""The health that a Classic Load Balancer reports of its backend servers, listener by listener."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from aliyunsdkslb.request.v20140515.DescribeHealthStatusRequest import DescribeHealthStatusRequest
from aliyunsdkslb.request.v20140515.DescribeLoadBalancerAttributeRequest import (
    DescribeLoadBalancerAttributeRequest,
)

from slb_registration.cloud.client import Cloud
from slb_registration.model.balancer_settings import Settings
from slb_registration.model.errors import ApiError
from slb_registration.model.server_group import UNAVAILABLE, ListenerHealth, StillWanted, always
from slb_registration.server_groups.answers import (
    incomplete,
    objects,
    text,
    unreasonable,
    whole,
)
from slb_registration.server_groups.clb_listeners import (
    SELDOM_SECONDS,
    Listener,
    Listeners,
)

_Server = tuple[str, str, int | None]
"""The id of a server, its address or nothing, and its port or none."""

PATIENCE_READS = 3
"""A check that has not finished is unavailable, too: only one that stays so is asked about."""

MOST_LISTENERS = 200
"""Of one load balancer; its quota is 50."""


class HealthReader:
    """Reads the health of the servers of one group of a load balancer.

    `unavailable` means that a listener's check has not finished, or that it is off. And what is
    told of a server under a listener may be told of it in another group of the load balancer. Both
    are asked for (DescribeLoadBalancerListeners), at once where several listeners tell of one
    server. Where the API does not tell, every listener counts as checking, and as leading here.
    Forwarding rules are not asked for, which takes a call for each listener.
    """

    def __init__(
        self,
        cloud: Cloud,
        load_balancer_id: str,
        group_id: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`group_id`: of a vServer or active/standby group, empty for the default group."""
        self._cloud = cloud
        self._id = load_balancer_id
        self._group_id = group_id
        self._listeners = Listeners(cloud, load_balancer_id, clock)
        self._unavailable_reads = 0
        self._reads = 0

    @property
    def round_robin(self) -> bool:
        """Return whether a listener is known that leads to the group and may not heed weights."""
        return any(one.round_robin for one in self._leading())

    def settings(self, *, ask: bool = False) -> Settings | None:
        """Return what is set on the listeners that are sure to lead to the group."""
        listeners = self._listeners
        if ask:
            listeners.learn()
        if listeners.refused is not None:
            return Settings(unread=str(listeners.refused))
        if not listeners.told:
            return None
        return Settings(
            tuple(one.settings for one in listeners.known if one.group_id == self._group_id),
            tuple(one.state for one in self._leading()),
        )

    def read(self, wanted: StillWanted = always) -> tuple[ListenerHealth, ...] | None:
        """One call; more where the API wants listeners named, or one stays unavailable.

        None where `wanted` says no between two of them.
        """
        found = self._read(wanted)
        if found is None:
            return None
        unavailable = any(item.status == UNAVAILABLE for item in found)
        self._unavailable_reads = self._unavailable_reads + 1 if unavailable else 0
        shared = self._told_twice(found)
        if wanted():
            self._learn(shared)
        return tuple(self._attributed(found, shared))

    def _learn(self, shared: Collection[_Server]) -> None:
        """Learn about the listeners, in passing, and not while a registration is made.

        Where one of them alone tells of each server, it most likely leads here.
        """
        self._reads += 1
        if shared or self._unavailable_reads >= PATIENCE_READS:
            self._listeners.learn()
        elif self._reads >= PATIENCE_READS:
            self._listeners.learn(SELDOM_SECONDS)

    def _told_twice(self, found: Iterable[ListenerHealth]) -> Collection[_Server]:
        """The servers of which several listeners tell."""
        listeners = Counter(self._server(item) for item in found)
        return {server for server, number in listeners.items() if number > 1}

    def _server(self, item: ListenerHealth) -> _Server:
        """Return what tells servers apart in this kind of group: in the default group no port
        does."""
        return item.server_id, item.server_ip, item.port if self._group_id else None

    def _attributed(
        self, found: Iterable[ListenerHealth], shared: Collection[_Server]
    ) -> Iterator[ListenerHealth]:
        """Return what is told of this group's servers, as far as that can be told."""
        known = {(one.port, one.protocol): one for one in self._listeners.known}
        for item in found:
            listener = known.get((item.listener_port, item.protocol))
            if listener is None:
                yield replace(item, told_apart=self._server(item) not in shared)
            elif listener.leads_to(self._group_id):
                surely = listener.group_id == self._group_id
                alone = self._server(item) not in shared
                yield replace(item, checked=listener.checks, told_apart=surely or alone)

    def _read(self, wanted: StillWanted) -> list[ListenerHealth] | None:
        """Asks once for all listeners; for each that leads here where the API wants them named."""
        try:
            return self._read_one(None)
        except ApiError as error:
            if error.code != "TooManyListeners":
                raise
        self._listeners.learn()
        found: list[ListenerHealth] = []
        for port, protocol in self._named():
            if not wanted():
                return None
            found += self._read_one((port, protocol))
        return found

    def _named(self) -> list[tuple[int, str]]:
        """The listeners to ask for: all there are, where nobody tells which of them lead here."""
        action = "DescribeLoadBalancerAttribute"
        if self._listeners.known:
            found = [(one.port, one.protocol) for one in self._leading()]
        else:
            answer = describe_load_balancer(self._cloud, self._id)
            every = objects(action, answer, "ListenerPortsAndProtocol", "ListenerPortAndProtocol")
            found = [_listener(action, one) for one in every]
        if len(found) > MOST_LISTENERS:  # each is a call
            raise unreasonable(action, "listeners")
        return found

    def _leading(self) -> list[Listener]:
        return [one for one in self._listeners.known if one.leads_to(self._group_id)]

    def _read_one(self, listener: tuple[int, str] | None) -> list[ListenerHealth]:
        request = DescribeHealthStatusRequest()
        request.set_LoadBalancerId(self._id)
        if listener is not None:
            request.set_ListenerPort(listener[0])
            request.set_ListenerProtocol(listener[1])
        answer = self._cloud.call(request)
        statuses = objects("DescribeHealthStatus", answer, "BackendServers", "BackendServer")
        return [_listener_health(item) for item in statuses]


def describe_load_balancer(cloud: Cloud, load_balancer_id: str) -> dict[str, Any]:
    """DescribeLoadBalancerAttribute: the default group and the listeners."""
    request = DescribeLoadBalancerAttributeRequest()
    request.set_LoadBalancerId(load_balancer_id)
    return cloud.call(request)


def _listener_health(item: Mapping[str, Any]) -> ListenerHealth:
    try:
        server_id = text(item["ServerId"])
        return ListenerHealth(
            listener_port=whole(item["ListenerPort"]),
            protocol=text(item.get("Protocol")).lower(),
            server_id=server_id,
            port=whole(item["Port"]) if item.get("Port") else None,
            status=text(item["ServerHealthStatus"]).lower(),
            # An instance is known by its id alone, a network interface by its address, too.
            server_ip="" if server_id.startswith("i-") else text(item.get("ServerIp")),
        )
    except (KeyError, TypeError, ValueError):
        raise incomplete("DescribeHealthStatus", "a health status") from None


def _listener(action: str, item: Mapping[str, Any]) -> tuple[int, str]:
    try:
        return whole(item["ListenerPort"]), text(item["ListenerProtocol"])
    except (KeyError, TypeError, ValueError):
        raise incomplete(action, "a listener") from None
