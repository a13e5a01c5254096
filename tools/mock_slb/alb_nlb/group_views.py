"""What both products tell of a server group in the same words."""

from __future__ import annotations

from mock_slb.alb_nlb.group import ServerGroup

DEFAULT_DRAIN_SECONDS = 300
"""The default of both references, told while connection draining is off as well."""


def connection_drain(group: ServerGroup) -> dict[str, object]:
    """Whether connections to a server that leaves go on for a while, and for how long."""
    seconds = group.connection_drain_seconds
    return {
        "ConnectionDrainEnabled": seconds is not None,
        "ConnectionDrainTimeout": DEFAULT_DRAIN_SECONDS if seconds is None else seconds,
    }
