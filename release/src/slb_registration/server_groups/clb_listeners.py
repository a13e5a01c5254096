"""The listeners of a Classic Load Balancer: where each leads, and what is set on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aliyunsdkcore.request import RpcRequest
from aliyunsdkslb.request.v20140515.DescribeLoadBalancerListenersRequest import (
    DescribeLoadBalancerListenersRequest,
)

from slb_registration.cloud.client import Cloud
from slb_registration.model.balancer_settings import ListenerState, Place
from slb_registration.model.errors import ApiError
from slb_registration.server_groups.answers import incomplete, text, whole
from slb_registration.server_groups.clb_settings import place
from slb_registration.server_groups.lenient_answers import word
from slb_registration.server_groups.product_requests import listed

KEPT_SECONDS = 600.0
"""How long what is set on the listeners is taken for granted, where something depends on it."""

SELDOM_SECONDS = 3600.0
"""The same where most likely nothing does."""

_ACTION = "DescribeLoadBalancerListeners"


@dataclass(frozen=True)
class Listener:
    """One listener. `group_id`: the vServer or active/standby group that it leads to, empty for
    the default group, None where that is not told."""

    port: int
    protocol: str
    group_id: str | None = ""
    status: str = ""
    settings: Place = field(default_factory=Place)

    @property
    def checks(self) -> bool:
        """Return whether it has a health check, as far as is told."""
        return self.settings.check.on is not False

    @property
    def round_robin(self) -> bool:
        """Return whether it hands out requests in turn, for which the documentation says that
        weights have no effect."""
        return self.settings.round_robin

    def leads_to(self, group_id: str) -> bool:
        """Return whether requests may get from it to that group.

        Forwarding rules of HTTP and HTTPS may lead to any vServer group.
        """
        by_rule = bool(group_id) and self.protocol in ("http", "https")
        return self.group_id in (group_id, None) or by_rule

    @property
    def state(self) -> ListenerState:
        """Return what it is called, and whether it runs."""
        return ListenerState(f"{self.protocol}:{self.port}", self.status)


class Listeners:
    """Those of one load balancer, asked for seldom. Where the API does not tell there are none."""

    def __init__(
        self, cloud: Cloud, load_balancer_id: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.known: tuple[Listener, ...] = ()
        self.told = False  # whether the API ever told them
        self.refused: ApiError | None = None
        self._cloud = cloud
        self._id = load_balancer_id
        self._clock = clock
        self._asked_at: float | None = None

    def learn(self, kept_seconds: float = KEPT_SECONDS) -> None:
        """Ask for them, if that was not done of late. What fails is asked for with the next read,
        or, where it may not be asked, as seldom as what succeeds."""
        now = self._clock()
        if self._asked_at is not None and now - self._asked_at < kept_seconds:
            return
        self._asked_at = now
        try:
            self.known = tuple(map(_listener, listed(self._cloud, self._request, "Listeners")))
            self.told, self.refused = True, None
        except ApiError as error:
            self.refused = error if error.hopeless else None
            if not error.hopeless:
                self._asked_at = None

    def _request(self) -> RpcRequest:
        request = DescribeLoadBalancerListenersRequest()
        request.set_LoadBalancerIds([self._id])
        return request


def _listener(item: Mapping[str, Any]) -> Listener:
    """Read one: what is set stands in a part of the answer that is named after the protocol."""
    try:
        port, protocol = whole(item["ListenerPort"]), text(item["ListenerProtocol"]).lower()
        part = item.get(f"{protocol.upper()}ListenerConfig") or {}
        group: str | None = text(item.get("VServerGroupId"))
        group = group or text(part.get("MasterSlaveServerGroupId"))
        if not group and not item.get("BackendServerPort"):
            group = None  # one that leads to the default group has a backend port
        status, settings = word(item.get("Status")), place(item, protocol, port)
        return Listener(port, protocol, group, status, settings)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise incomplete(_ACTION, "a listener") from None
