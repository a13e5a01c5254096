"""Settings of a server group and its listeners, as far as the API tells it.

It is read for warnings alone. What is not told, or told in another form, is None or empty.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CheckSettings:
    """SLB's checks of servers. `on` is None where that is not told; `kind`: tcp, udp, http, ….

    `port` is None where it checks the port to which it sends. Durations are in seconds.
    """

    on: bool | None = None
    kind: str = ""
    port: int | None = None
    path: str = ""
    interval_seconds: int | None = None
    timeout_seconds: int | None = None
    healthy_threshold: int | None = None
    unhealthy_threshold: int | None = None

    @property
    def detection_seconds(self) -> int | None:
        """Return how long it takes at least until a server that fails gets no requests any more."""
        if self.interval_seconds is None or self.unhealthy_threshold is None:
            return None
        return self.interval_seconds * self.unhealthy_threshold

    @property
    def return_seconds(self) -> int | None:
        """Return how long it takes at least until a server that is well again gets requests."""
        if self.interval_seconds is None or self.healthy_threshold is None:
            return None
        return self.interval_seconds * self.healthy_threshold


@dataclass(frozen=True)
class Place:
    """The place of settings: on a listener of CLB, or on a whole server group of ALB or NLB.

    `listener` is empty for a group. `backend_port`: to which a listener sends, where that is the
    listener's to say. `sticky`: whether a client stays with its server. `drains`: whether the
    connections of a server that is removed may end.
    """

    listener: str = ""
    check: CheckSettings = CheckSettings()
    sticky: bool | None = None
    drains: bool | None = None
    round_robin: bool = False
    backend_port: int | None = None


@dataclass(frozen=True)
class ListenerState:
    """A listener that leads to the group, `tcp:80`, and the API's word for its state."""

    name: str
    status: str = ""


@dataclass(frozen=True)
class Nodes:
    """The zones in which a load balancer has nodes, none where that is not told.

    `cross_zone`: whether they send requests to servers in other zones as well.
    """

    load_balancer_id: str
    zones: tuple[str, ...] = ()
    cross_zone: bool | None = None


@dataclass(frozen=True)
class Settings:
    """Of one server group. `listeners` is None where it is not known which ones lead to it.

    `unread`: why nothing more is known, where that is for a person to mend; `nodes_unread`: the
    same of `nodes`. `cross_zone` is None where the group does not tell it, as with NLB.
    """

    places: tuple[Place, ...] = ()
    listeners: tuple[ListenerState, ...] | None = None
    vpc_id: str = ""
    any_port: bool = False
    unread: str = ""
    load_balancer_ids: tuple[str, ...] = ()
    cross_zone: bool | None = None
    nodes: tuple[Nodes, ...] = ()
    nodes_unread: str = ""
