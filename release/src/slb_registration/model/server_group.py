"""A server group of any product, its backend servers, and what SLB says of them.

The registrar speaks only these types: it does not know which product is behind them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from slb_registration.model.balancer_settings import Settings

StillWanted = Callable[[], bool]


def always() -> bool:
    """Wanted, whatever comes."""
    return True


AVAILABLE = "available"
"""State of a backend server with no change of its own under way."""


GOING = frozenset({"removing", "draining"})
"""States of one that SLB is taking out. It gets no new connections; those that it has may last as
long as the group's connection draining lets them."""


@dataclass(frozen=True)
class BackendServer:
    """A server in a server group. `port` is None in a CLB's default group.

    `server_type` is ecs, eni or ip (or another word of the API's, of a server that is not ours).
    `server_ip` is part of a server's key for all but ecs, where it is empty: a network interface
    may serve with several addresses, and for ip the address is the `server_id`, too.

    `state` is `available`, or the API's word for a change under way (ALB, NLB: adding,
    configuring, removing, draining); a state not known here is one to wait in, too.

    `address` is what SLB tells of it, also where it is no part of the key; empty where it does not.
    """

    server_id: str
    port: int | None
    weight: int
    description: str = ""
    state: str = AVAILABLE
    server_ip: str = ""
    server_type: str = "ecs"
    address: str = field(default="", compare=False)

    @property
    def key(self) -> tuple[str, str, int]:
        """Return what tells it from the other servers of its group, in an order that all agree
        on."""
        return self.server_id, self.server_ip, self.port or 0


@dataclass(frozen=True)
class Members:
    """The servers of a server group. `busy`: the group as a whole is being changed.

    `implied`: the answer had no list of servers, which stands for an empty one, but proves little.
    """

    servers: tuple[BackendServer, ...]
    busy: bool = False
    implied: bool = False

    def get(self, server_id: str, port: int | None, server_ip: str = "") -> BackendServer | None:
        """The server with this key, None where it is not in the group."""
        wanted = (server_id, server_ip, port or 0)
        for server in self.servers:  # a group may be large, and this is asked often
            if server.server_id == server_id and server.key == wanted:
                return server
        return None

    def same(self, other: Members) -> bool:
        """Return whether both hold the same; the order of an answer says nothing."""
        if self.busy != other.busy or len(self.servers) != len(other.servers):
            return False
        return self.servers == other.servers or set(self.servers) == set(other.servers)


@dataclass(frozen=True)
class Changed:
    """A change was accepted; `pending`: the API makes it asynchronously, look until it is done."""

    pending: bool = False


NORMAL, ABNORMAL, UNAVAILABLE = "normal", "abnormal", "unavailable"
"""What SLB says of a server; the last is no verdict."""


@dataclass(frozen=True)
class ListenerHealth:
    """SLB's word on one server behind one listener; `status` is one of the three above.

    `checked` is false where the listener is known to have no health check. `reason`: why it sends
    the server nothing, where SLB says so; empty for one that is normal or not decided yet.
    `told_apart`: false where SLB does not tell whether the listener leads to this group or to
    another one in which the server has the same port.
    """

    listener_port: int
    protocol: str
    server_id: str
    port: int | None
    status: str
    checked: bool = True
    server_ip: str = ""
    reason: str = ""
    told_apart: bool = True

    @property
    def listener(self) -> str:
        """Return what the listener is called: `tcp:80`."""
        return f"{self.protocol}:{self.listener_port}"

    @property
    def why(self) -> str:
        """The reason, to stand behind the status."""
        return f" ({self.reason})" if self.reason else ""

    def is_of(self, server_id: str, port: int | None, server_ip: str = "") -> bool:
        """Return whether it is this server's.

        Without a `port`, as in a default group: on any of them.
        """
        address_fits = not server_ip or self.server_ip in ("", server_ip)
        return self.server_id == server_id and port in (None, self.port) and address_fits

    @property
    def good(self) -> bool:
        """Return whether the listener sends requests to the server: normal, or not checked at
        all."""
        return self.status == NORMAL or not self.checked


class ServerGroup(Protocol):
    """A server group of any product. Every method is one API call, bar paging, and raises ApiError;
    only `health` may take one for each listener.

    Each may be repeated: adding a server that is there and removing one that is not are no errors
    of the caller's.
    """

    @property
    def name(self) -> str:
        """Names the group in logs, status and the journal, for example `clb/lb-1`."""
        ...

    @property
    def read_only(self) -> str | None:
        """Why its servers cannot be changed one by one, None where they can."""
        ...

    @property
    def port(self) -> int | None:
        """The backend port that is part of a server's key, None where the group has none."""
        ...

    def find(self) -> Members:
        """All servers of the group."""
        ...

    def add(self, server: BackendServer) -> Changed:
        """Register a server with its weight and description."""
        ...

    def set_weight(self, server: BackendServer) -> Changed:
        """Give a registered server this weight (and its description again)."""
        ...

    def remove(self, server: BackendServer) -> Changed:
        """Take a server out of the group."""
        ...

    @property
    def round_robin(self) -> bool:
        """Return whether a listener is known that leads to the group and may not heed weights."""
        ...

    def settings(self, *, ask: bool = False) -> Settings | None:
        """Return what is set on the group and its listeners, None where that is not known.

        Never raises. Without `ask` it is what was read in passing; with it, CLB is asked once.
        """
        ...

    def health(self, wanted: StillWanted = always) -> tuple[ListenerHealth, ...] | None:
        """The health status of the group's servers, as SLB reports it.

        Between two calls `wanted` is asked: None once it says no, since with many listeners this
        takes long and what is more urgent must not wait for it.
        """
        ...
