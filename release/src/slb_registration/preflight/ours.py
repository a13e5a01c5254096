"""The job's properties that the settings of a server group are held against."""

from __future__ import annotations

from dataclasses import dataclass

from slb_registration.model.configuration import Config, GroupSpec, HealthCheck


@dataclass(frozen=True)
class Ours:
    """The agent's part in one server group. Durations are in seconds.

    `port` is the backend port, None where the listeners tell it. `check`: the local one.
    `vpc_id` and `zone_id` of this VM are empty where they are not known, or have no say.
    `readiness_port`: on which the agent answers SLB's check, None where it does not.
    """

    port: int | None
    check: HealthCheck
    lowers_weight: bool
    drain_seconds: float
    post_start_seconds: float
    names_connections_port: bool
    vpc_id: str = ""
    zone_id: str = ""
    readiness_port: int | None = None


def of(config: Config, spec: GroupSpec, check: HealthCheck, vpc_id: str, zone_id: str = "") -> Ours:
    """`check`: as it is made for this server group."""
    return Ours(
        port=spec.port or None,
        check=check,
        lowers_weight=config.drain.method == "weight_zero" or config.on_unhealthy == "weight_zero",
        drain_seconds=config.drain.timeout_seconds,
        post_start_seconds=config.post_start.timeout_seconds,
        names_connections_port=config.drain.connections_port is not None,
        vpc_id=vpc_id if spec.server_type != "ip" else "",
        zone_id=zone_id,
        readiness_port=None if config.readiness is None else config.readiness.port,
    )
