"""An hour at rest on a clock that is only told: how many API calls one agent makes in it."""

from __future__ import annotations

from random import Random

from tests.unit.driver import HEALTHY, MemoryGroup, alone

from slb_registration.discovery.discoverer import Discoverer
from slb_registration.discovery.selection import Chooser
from slb_registration.model.configuration import Config
from slb_registration.support.logs.event_log import EventLog

HOUR = 3600.0


def calls(config: Config) -> float:
    """With one server group: polls and health reads, and the listings that look for tags.

    It begins an hour after the start, when the polls are stretched.
    """
    driver, agent = alone(MemoryGroup(), interval=config.reconcile_interval_seconds)
    driver.want(HEALTHY)
    driver.run(HOUR)
    began = driver.now
    driver.run(HOUR)
    return sum(at >= began for at, _ in agent.calls) + (
        _listings(config) if config.discovery.enabled else 0
    )


class _Listing:
    """Counts how often it is asked; that nothing new is found is what rest means."""

    def __init__(self) -> None:
        self.asked = 0

    def tagged(self) -> tuple[()]:
        self.asked += 1
        return ()


def _listings(config: Config) -> int:
    now = 0.0
    listings = {product: _Listing() for product in config.discovery.products}
    discoverer = Discoverer(
        config.discovery,
        "cn-hangzhou",
        listings,
        Chooser(config.discovery, None, config.health_check, lambda: "vpc-1"),
        EventLog(),
        join=lambda spec: spec,
        leave=lambda _spec: None,
        retry_seconds=config.discovery.interval_seconds,  # as where something was found
        random=Random(0),
        clock=lambda: now,
    )
    while now < HOUR:
        now += max(discoverer.look(), 0.001)
    return sum(listing.asked for listing in listings.values())
