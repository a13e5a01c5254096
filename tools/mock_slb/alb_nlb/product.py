"""Properties in which ALB and NLB differ, of codes and behaviour; limits stand in the contract."""

from __future__ import annotations

from dataclasses import dataclass

from mock_slb.alb_nlb.resources import FUNCTION_GROUP, INSTANCE_GROUP, IP_GROUP
from mock_slb.core.resources import HealthCheck


@dataclass(frozen=True)
class Product:
    """One of the two products."""

    name: str
    """As in the SDK's request classes: Alb, Nlb."""
    group_noun: str
    """How its error codes spell a server group."""
    listener_noun: str
    """How its error codes spell a listener."""
    group_types: tuple[str, ...]
    """What its server groups may hold."""
    protocols: tuple[str, ...]
    """What its listeners speak; the first is the default."""
    checks_at_weight_zero: bool
    keeps_released_servers: bool
    """A server whose instance was deleted stays in its groups."""
    default_check: HealthCheck


ALB = Product(
    name="Alb",
    group_noun="ServerGroup",
    listener_noun="Listener",
    group_types=(INSTANCE_GROUP, IP_GROUP, FUNCTION_GROUP),
    protocols=("HTTP", "HTTPS", "QUIC"),
    checks_at_weight_zero=False,
    keeps_released_servers=False,
    default_check=HealthCheck(type="http"),
)

NLB = Product(
    name="Nlb",
    group_noun="serverGroup",
    listener_noun="listener",
    group_types=(INSTANCE_GROUP, IP_GROUP),
    protocols=("TCP", "UDP", "TCPSSL"),
    checks_at_weight_zero=True,
    keeps_released_servers=True,
    default_check=HealthCheck(interval_seconds=10, healthy_threshold=2, unhealthy_threshold=2),
)
