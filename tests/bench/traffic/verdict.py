"""What became of a request: answered, or why it has failed."""

from __future__ import annotations

from dataclasses import dataclass

ANSWERED = "answered"
FAILURES = {
    "refused": "no connection to the load balancer",
    "before": "the connection ended before the first byte of the answer",
    "reset": "the connection was reset within the answer",
    "cut": "the connection was closed within the answer",
    "lb_5xx": "5xx by the load balancer",
    "service_5xx": "5xx by the service",
    "late": "no complete answer in time",
    "wrong": "a complete answer that is not the right one",
}
"""In the order of the table."""

LATE, RESET, CLOSED = "late", "reset", "closed"
"""How an exchange ended that did not end with a complete answer."""


@dataclass(frozen=True)
class Observed:
    """What a client has seen of one exchange."""

    connected: bool = True
    received: int = 0
    """Bytes of the answer."""
    ended: str = ""
    """LATE, RESET or CLOSED; empty for a complete answer."""
    status: int = 0
    """0 where no whole head has come."""
    by_service: bool = False
    """The answer names its server, as only the service does."""
    is_right: bool = False
    """Its body is the one that belongs to the request."""


def judge(seen: Observed) -> str:
    """ANSWERED, or one of FAILURES."""
    if seen.ended == LATE:
        return "late"
    if not seen.connected:
        return "refused"
    if not seen.received:
        return "before"
    if seen.status >= 500:
        return "service_5xx" if seen.by_service else "lb_5xx"
    if seen.ended:
        return "reset" if seen.ended == RESET else "cut"
    return ANSWERED if seen.status == 200 and seen.is_right else "wrong"
