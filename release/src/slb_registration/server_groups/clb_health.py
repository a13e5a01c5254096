"""The health that a Classic Load Balancer reports of its backend servers, listener by listener."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aliyunsdkcore.request import RpcRequest
from aliyunsdkslb.request.v20140515.DescribeHealthStatusRequest import DescribeHealthStatusRequest
from aliyunsdkslb.request.v20140515.DescribeLoadBalancerAttributeRequest import (
    DescribeLoadBalancerAttributeRequest,
)
from aliyunsdkslb.request.v20140515.DescribeLoadBalancerListenersRequest import (
    DescribeLoadBalancerListenersRequest,
)

from slb_registration.cloud import Cloud
from slb_registration.errors import ApiError
from slb_registration.server_groups import ListenerHealth
from slb_registration.server_groups.answers import (
    incomplete,
    objects,
    text,
    unreasonable,
    whole,
)
from slb_registration.server_groups.product_requests import listed

Listener = tuple[int, str]
"""Port and protocol."""

UNAVAILABLE = "unavailable"
PATIENCE_READS = 3
"""A check that has not finished is unavailable, too: only one that stays so is asked about."""

MOST_LISTENERS = 200
"""Of one load balancer; its quota is 50."""

KEPT_SECONDS = 600.0
"""How long it is taken for granted which listeners check."""


class HealthReader:
    """Reads the health of all servers behind one load balancer.

    `unavailable` means that a listener's check has not finished, or that it is off. The second is
    asked for (DescribeLoadBalancerListeners) once a status stays unavailable; where the API does
    not tell, every listener counts as checking.
    """

    def __init__(
        self, cloud: Cloud, load_balancer_id: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cloud = cloud
        self._id = load_balancer_id
        self._clock = clock
        self._unavailable_reads = 0
        self._unchecked: frozenset[Listener] = frozenset()
        self._asked_at: float | None = None

    def read(self) -> tuple[ListenerHealth, ...]:
        """One call; more where the API wants listeners named, or one stays unavailable."""
        found = self._read()
        unavailable = any(item.status == UNAVAILABLE for item in found)
        self._unavailable_reads = self._unavailable_reads + 1 if unavailable else 0
        if self._unavailable_reads >= PATIENCE_READS:
            self._learn_unchecked()
        return tuple(self._marked(item) for item in found)

    def _read(self) -> list[ListenerHealth]:
        """Asks once for all listeners; listener by listener where the API wants them named."""
        try:
            return self._read_one(None)
        except ApiError as error:
            if error.code != "TooManyListeners":
                raise
        action = "DescribeLoadBalancerAttribute"
        answer = describe_load_balancer(self._cloud, self._id)
        listeners = objects(action, answer, "ListenerPortsAndProtocol", "ListenerPortAndProtocol")
        if len(listeners) > MOST_LISTENERS:  # each is a call
            raise unreasonable(action, "listeners")
        return [item for one in listeners for item in self._read_one(_listener(action, one))]

    def _read_one(self, listener: Listener | None) -> list[ListenerHealth]:
        request = DescribeHealthStatusRequest()
        request.set_LoadBalancerId(self._id)
        if listener is not None:
            request.set_ListenerPort(listener[0])
            request.set_ListenerProtocol(listener[1])
        answer = self._cloud.call(request)
        statuses = objects("DescribeHealthStatus", answer, "BackendServers", "BackendServer")
        return [_listener_health(item) for item in statuses]

    def _marked(self, item: ListenerHealth) -> ListenerHealth:
        off = (item.listener_port, item.protocol) in self._unchecked
        return replace(item, checked=False) if off else item

    def _learn_unchecked(self) -> None:
        now = self._clock()
        if self._asked_at is not None and now - self._asked_at < KEPT_SECONDS:
            return
        self._asked_at = now
        action = "DescribeLoadBalancerListeners"
        try:
            found = listed(self._cloud, self._listeners_request, "Listeners")
            self._unchecked = frozenset(_listener(action, one) for one in found if _is_off(one))
        except ApiError as error:
            if not error.hopeless:
                self._asked_at = None  # asked again with the next read

    def _listeners_request(self) -> RpcRequest:
        request = DescribeLoadBalancerListenersRequest()
        request.set_LoadBalancerIds([self._id])
        return request


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


def _listener(action: str, item: Mapping[str, Any]) -> Listener:
    try:
        return whole(item["ListenerPort"]), text(item["ListenerProtocol"])
    except (KeyError, TypeError, ValueError):
        raise incomplete(action, "a listener") from None


def _is_off(item: Mapping[str, Any]) -> bool:
    """Whether a listener has its health check switched off. Only HTTP and HTTPS can (and TCP and
    UDP in newer versions): the switch stands in the part that is named after the protocol."""
    protocol = str(item.get("ListenerProtocol") or "").upper()
    part = item.get(f"{protocol}ListenerConfig")
    return isinstance(part, dict) and str(part.get("HealthCheck") or "").lower() == "off"
