"""Health of the co-located service, as the agent knows it."""

from __future__ import annotations

import enum


class Health(enum.Enum):
    """The state of the service, as far as it is known."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
