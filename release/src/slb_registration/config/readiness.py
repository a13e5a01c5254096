"""Reads where the agent answers the health checks of load balancers."""

from __future__ import annotations

from collections.abc import Iterable

from slb_registration.config.own_address import own_address
from slb_registration.config.reader import Section
from slb_registration.model.configuration import Readiness

LOWEST_PORT = 1024
"""What is below takes root, which the agent is not."""


def readiness(section: Section, taken: Iterable[tuple[str, int | None]]) -> Readiness | None:
    """Return what the properties readiness.* say, None where they say nothing.

    `taken`: ports that something else has, with the name of their property.
    """
    port = section.integer("port", None, LOWEST_PORT, 65535)
    address = own_address(section, None)
    if port is None:
        if section.given("address") and not section.given("port"):
            section.problem("address", "has no effect without readiness.port")
        return None
    name = next((name for name, other in taken if port == other), None)
    if name is not None:
        section.problem("port", f"is {name}, too: the agent needs a port of its own")
    return Readiness(port, address)
