"""Settings of a listener of CLB, as DescribeLoadBalancerListeners tells it.

Scheduler and backend port stand with the listener, all else in a part that is named after its
protocol. Of UDP there is no session persistence, of HTTP and HTTPS no connection draining.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slb_registration.model.balancer_settings import CheckSettings, Place
from slb_registration.server_groups.lenient_answers import flag, inner, line, number, word


def place(item: Mapping[str, Any], protocol: str, port: int) -> Place:
    """`item`: the listener's entry."""
    config = inner(item.get(f"{protocol.upper()}ListenerConfig"))
    return Place(
        listener=f"{protocol}:{port}",
        check=_check(config, protocol),
        sticky=_sticky(config, protocol),
        drains=flag(config.get("ConnectionDrain")),
        round_robin=word(item.get("Scheduler")) == "rr",
        backend_port=number(item.get("BackendServerPort")),
    )


def _check(config: Mapping[str, Any], protocol: str) -> CheckSettings:
    # The reference of the Python SDK names the one, those of other clients the other.
    switches = [flag(config.get(name)) for name in ("HealthCheck", "HealthCheckSwitch")]
    told = [switch for switch in switches if switch is not None]
    return CheckSettings(
        on=all(told) if told else None,
        kind=word(config.get("HealthCheckType")) or protocol.removesuffix("s"),
        port=number(config.get("HealthCheckConnectPort")),  # -520 means the backend's
        path=line(config.get("HealthCheckURI")),
        interval_seconds=number(config.get("HealthCheckInterval")),
        timeout_seconds=number(
            config.get("HealthCheckTimeout", config.get("HealthCheckConnectTimeout"))
        ),
        healthy_threshold=number(config.get("HealthyThreshold")),
        unhealthy_threshold=number(config.get("UnhealthyThreshold")),
    )


def _sticky(config: Mapping[str, Any], protocol: str) -> bool | None:
    if protocol != "tcp":
        return flag(config.get("StickySession"))
    if "PersistenceTimeout" not in config:
        return None
    return number(config["PersistenceTimeout"]) is not None  # in seconds, 0 is off
