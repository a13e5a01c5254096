"""The health that a Classic Load Balancer reports of its backend servers, listener by listener."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aliyunsdkslb.request.v20140515.DescribeHealthStatusRequest import DescribeHealthStatusRequest
from aliyunsdkslb.request.v20140515.DescribeLoadBalancerAttributeRequest import (
    DescribeLoadBalancerAttributeRequest,
)

from slb_registration.cloud import Cloud
from slb_registration.errors import ApiError
from slb_registration.server_groups import ListenerHealth, StillWanted, always
from slb_registration.server_groups.answers import (
    incomplete,
    objects,
    text,
    unreasonable,
    whole,
)
from slb_registration.server_groups.clb_listeners import Listener, Listeners

UNAVAILABLE = "unavailable"
PATIENCE_READS = 3
"""A check that has not finished is unavailable, too: only one that stays so is asked about."""

MOST_LISTENERS = 200
"""Of one load balancer; its quota is 50."""


class HealthReader:
    """Reads the health of the servers of one group of a load balancer.

    `unavailable` means that a listener's check has not finished, or that it is off. The second is
    asked for (DescribeLoadBalancerListeners) once a status stays unavailable; where the API does
    not tell, every listener counts as checking.
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

    @property
    def round_robin(self) -> bool:
        """Whether a listener is known that leads to the group and may not heed weights."""
        return any(one.round_robin for one in self._leading())

    def read(self, wanted: StillWanted = always) -> tuple[ListenerHealth, ...] | None:
        """One call; more where the API wants listeners named, or one stays unavailable.

        None where `wanted` says no between two of them.
        """
        found = self._read(wanted)
        if found is None:
            return None
        unavailable = any(item.status == UNAVAILABLE for item in found)
        self._unavailable_reads = self._unavailable_reads + 1 if unavailable else 0
        if self._unavailable_reads >= PATIENCE_READS:
            self._listeners.learn()
        off = {(one.port, one.protocol) for one in self._listeners.known if not one.checks}
        return tuple(
            replace(item, checked=(item.listener_port, item.protocol) not in off) for item in found
        )

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
            protocol=text(item.get("Protocol")),
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
