"""A region whose products list what a test says, and a discoverer that looks for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from io import StringIO
from random import Random

from tests.unit.probes.checks import config as health_check

from slb_registration.discovery.discoverer import Discoverer
from slb_registration.discovery.selection import Chooser, named_ids
from slb_registration.instance.metadata import MetadataError
from slb_registration.model.configuration import Discovery, GroupSpec
from slb_registration.model.errors import ApiError, Kind
from slb_registration.server_groups.tagged import Tagged
from slb_registration.support.logs.event_log import EventLog

CHECK = health_check()
CONFIG = Discovery(
    enabled=True,
    interval_seconds=300.0,
    tags={"bosh-instance-group": "router", "bosh-deployment": "cf"},
)
TAGS = "bosh-deployment=cf, bosh-instance-group=router"
LB1, LB2 = Tagged("clb", "lb-1"), Tagged("clb", "lb-2")
ALB = Tagged("alb", "sgp-1", "web", "vpc-1")
NLB = Tagged("nlb", "sgp-1", "tcp", "vpc-1", "ip")
DENIED = ApiError("ListServerGroups", Kind.DENIED, "Forbidden.RAM", "m", 403, product="alb")
DOWN = ApiError("DescribeLoadBalancers", Kind.UNAVAILABLE, "ServiceUnavailable", "m", 503)


class Product:
    """What one product's listings show, or what they fail with."""

    def __init__(self) -> None:
        self.things: tuple[Tagged, ...] | ApiError = ()
        self.bare: tuple[str, ...] | ApiError = ()
        self.asked = 0

    def tagged(self) -> tuple[Tagged, ...]:
        self.asked += 1
        if isinstance(self.things, ApiError):
            raise self.things
        return self.things

    def without_tags(self, ids: Iterable[str]) -> frozenset[str]:
        if isinstance(self.bare, ApiError):
            raise self.bare
        return frozenset(self.bare) & frozenset(ids)


class Region:
    """Three products, and a clock."""

    def __init__(self, **changes: object) -> None:
        self.now = 1000.0
        self.awaited = False
        self.products = {name: Product() for name in ("clb", "alb", "nlb")}
        self.clb, self.alb, self.nlb = self.products.values()
        self.port: int | None = changes.pop("port", 8080)
        self.check = changes.pop("check", CHECK)
        self.vpc: str | MetadataError = "vpc-1"
        self.known: tuple[GroupSpec, ...] = changes.pop("known", ())
        self.config = replace(CONFIG, **changes)
        self.joined: list[GroupSpec] = []
        self.left: list[GroupSpec] = []
        self.named: list[GroupSpec] = []
        self.settled: list[int] = []
        self.lines = StringIO()
        self.on_join: Callable[[], object] = lambda: None
        self.begin()

    def begin(self) -> None:
        self.discoverer = Discoverer(
            self.config,
            "cn-hangzhou",
            self.products,
            Chooser(self.config, self.port, self.check, self._vpc, lambda: named_ids(self.named)),
            EventLog(self.lines),
            join=self._join,
            leave=self.left.append,
            settle=self._settle,
            known=self.known,
            retry_seconds=30.0,
            random=Random(1),
            awaited=lambda: self.awaited,
            clock=lambda: self.now,
        )

    def _vpc(self) -> str:
        if isinstance(self.vpc, MetadataError):
            raise self.vpc
        return self.vpc

    def _join(self, spec: GroupSpec) -> None:
        self.on_join()
        self.joined.append(spec)

    def _settle(self) -> None:
        self.settled.append(len(self.joined) + len(self.left))

    def look(self, times: int = 1) -> list[float]:
        """Look, wait as long as it says, and so on; the waits."""
        waits = []
        for _ in range(times):
            waits.append(self.discoverer.look())
            done = len(self.joined) + len(self.left)
            assert not done or self.settled[-1] == done
            self.now += waits[-1]
        return waits

    def ids(self) -> list[str | None]:
        return [spec.load_balancer_id or spec.server_group_id for spec in self.joined]

    def said(self) -> list[dict]:
        return [json.loads(line) for line in self.lines.getvalue().splitlines()]

    def why(self, id_: str) -> str:
        (choice,) = (one for one in self.discoverer.choices if one.thing.id == id_)
        return choice.why
