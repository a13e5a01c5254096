"""Traffic of a listener and its servers, for a person and for JSON."""

from __future__ import annotations

from dataclasses import dataclass, field

from mock_slb.data_plane.counts import Counts

GONE = "gone"


@dataclass
class ServerTraffic:
    """A server behind a listener, all its memberships together."""

    pool: str
    """The listener, or the rule that diverts to it."""
    server_id: str
    port: int
    share: int = 0
    """Of the new connections, next to the others' shares."""
    health: str = GONE
    connections: int = 0
    requests: int = 0
    failed: int = 0
    open: int = 0
    """Connections at layer 4, requests under way at layer 7."""

    def add(self, counts: Counts, is_open: int) -> None:
        """More of it."""
        self.connections += counts.connections
        self.requests += counts.requests
        self.failed += counts.failed
        self.open += is_open


@dataclass(frozen=True)
class ListenerTraffic:
    """A listener that is forwarded."""

    address: str
    port: int
    layer: int
    restarts: int
    """How often HAProxy has ended by itself."""
    servers: list[ServerTraffic] = field(default_factory=list)
