"""Settings of a server group of ALB or NLB, as ListServerGroups tells it.

Both products say the same things in fields of other names. Session persistence is ALB's alone.
Cross-zone balancing is set on the group of ALB, and on the load balancer of NLB.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slb_registration.model.balancer_settings import (
    CheckSettings,
    ListenerState,
    Nodes,
    Place,
    Settings,
)
from slb_registration.server_groups.lenient_answers import flag, inner, line, number, word


def settings(
    item: Mapping[str, Any] | None,
    listeners: tuple[ListenerState, ...] | None,
    load_balancer_ids: tuple[str, ...] = (),
) -> Settings | None:
    """`item`: the group's entry; None where it was never read."""
    if item is None:
        return None
    place = Place(
        check=_check(inner(item.get("HealthCheckConfig", item.get("HealthCheck")))),
        sticky=flag(inner(item.get("StickySessionConfig")).get("StickySessionEnabled")),
        drains=_drains(item),
    )
    return Settings(
        (place,),
        listeners,
        vpc_id=line(item.get("VpcId")),
        any_port=flag(item.get("AnyPortEnabled")) is True,
        load_balancer_ids=load_balancer_ids,
        cross_zone=flag(item.get("CrossZoneEnabled")),
    )


def nodes(answer: Mapping[str, Any], load_balancer_id: str) -> Nodes:
    """`answer` of GetLoadBalancerAttribute. One zone that cannot be read leaves all unknown."""
    mappings = answer.get("ZoneMappings")
    items = mappings if isinstance(mappings, list) else []
    zones = [line(inner(one).get("ZoneId")) for one in items]
    known = tuple(sorted(set(zones))) if all(zones) else ()
    return Nodes(load_balancer_id, known, flag(answer.get("CrossZoneEnabled")))


def _check(config: Mapping[str, Any]) -> CheckSettings:
    def told(*names: str) -> object:
        return next((config[name] for name in names if name in config), None)

    return CheckSettings(
        on=flag(config.get("HealthCheckEnabled")),
        kind=word(told("HealthCheckProtocol", "HealthCheckType")),
        port=number(config.get("HealthCheckConnectPort")),  # 0 means the backend's
        path=line(told("HealthCheckPath", "HealthCheckUrl")),
        interval_seconds=number(config.get("HealthCheckInterval")),
        timeout_seconds=number(told("HealthCheckTimeout", "HealthCheckConnectTimeout")),
        healthy_threshold=number(config.get("HealthyThreshold")),
        unhealthy_threshold=number(config.get("UnhealthyThreshold")),
    )


def _drains(item: Mapping[str, Any]) -> bool | None:
    config = inner(item.get("ConnectionDrainConfig", item))
    return flag(config.get("ConnectionDrainEnabled"))
