"""What is set on a server group and its listeners, as far as the API tells it.

It is read for warnings alone. What is not told, or told in another form, is None or empty: nothing
here raises, so that an odd answer never hinders a registration or the errand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from slb_registration.server_groups.answers import text, whole

_Told = TypeVar("_Told")


@dataclass(frozen=True)
class CheckSettings:
    """How SLB checks servers. `on` is None where that is not told; `kind`: tcp, udp, http, ….

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
        """How long it takes at least until a server that fails gets no requests any more."""
        if self.interval_seconds is None or self.unhealthy_threshold is None:
            return None
        return self.interval_seconds * self.unhealthy_threshold

    @property
    def return_seconds(self) -> int | None:
        """How long it takes at least until a server that is well again gets requests."""
        if self.interval_seconds is None or self.healthy_threshold is None:
            return None
        return self.interval_seconds * self.healthy_threshold


@dataclass(frozen=True)
class Place:
    """Where settings stand: on a listener of CLB, or on a whole server group of ALB or NLB.

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


def word(value: object) -> str:
    """A text of the API in lower case, empty where it is none."""
    return (_told(text, value) or "").lower()


def line(value: object) -> str:
    """A text of the API, empty where it is none."""
    return _told(text, value) or ""


def number(value: object) -> int | None:
    """A whole number of the API that counts something, None where it is none."""
    found = _told(whole, value)
    return found if found is not None and found > 0 else None


def flag(value: object) -> bool | None:
    """A switch of the API: true or false, on or off, or these as texts."""
    said = str(value).lower() if isinstance(value, (bool, str)) else ""
    return {"true": True, "on": True, "false": False, "off": False}.get(said)


def inner(value: object) -> Mapping[str, Any]:
    """An object of the API, empty where it is none."""
    return value if isinstance(value, dict) else {}


def _told(read: Callable[[object], _Told], value: object) -> _Told | None:
    try:
        return read(value)
    except (TypeError, ValueError):
        return None
