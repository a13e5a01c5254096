"""Health of the co-located service, as the agent knows it."""

from __future__ import annotations

import enum


class Health(enum.Enum):
    """What is known of the service."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
