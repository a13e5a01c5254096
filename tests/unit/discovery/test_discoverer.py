"""Finding load balancers and server groups by their tags."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from io import StringIO
from random import Random

import pytest
from tests.unit.probes.test_monitor import CONFIG as CHECK

from slb_registration.discovery.discoverer import FEEL_SECONDS, Discoverer
from slb_registration.discovery.selection import Chooser, named_ids, tags_text
from slb_registration.instance.metadata import MetadataError
from slb_registration.model.configuration import Discovery, GroupSpec, HealthCheck
from slb_registration.model.errors import ApiError, Kind
from slb_registration.server_groups.tagged import Tagged
from slb_registration.support.logs.event_log import EventLog

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


@pytest.fixture
def region() -> Region:
    return Region()


def test_what_one_listing_has_found_is_brought_about_at_once(region: Region):
    """Not one by one: each time it takes as long as there are server groups."""
    region.clb.things = tuple(replace(LB1, id=f"lb-{number}") for number in range(100))
    region.look()
    assert len(region.joined) == 100
    assert set(region.settled) <= {0, 100}


def test_what_is_found_is_joined_once_as_its_default_group(region: Region):
    region.clb.things = (LB1, LB2)
    (wait,) = region.look()
    region.look()
    assert 240 <= wait <= 360
    assert region.joined == [
        GroupSpec("clb", "lb-1", None, None, 100, None),
        GroupSpec("clb", "lb-2", None, None, 100, None),
    ]
    assert region.discoverer.looked
    assert region.discoverer.error is None
    assert [event["load_balancer"] for event in region.said()] == ["lb-1", "lb-2"]
    assert region.why("lb-1") == f"carries the tags {TAGS}"


def test_server_groups_of_alb_and_nlb_are_joined_with_the_port_and_their_type(region: Region):
    region.alb.things, region.nlb.things = (ALB,), (NLB,)
    region.look()
    alb, nlb = region.joined
    assert (alb.product, alb.server_group_id, alb.port, alb.server_type) == (
        "alb", "sgp-1", 8080, "ecs",
    )  # fmt: skip
    assert (nlb.product, nlb.server_group_id, nlb.port, nlb.server_type) == (
        "nlb", "sgp-1", 8080, "ip",
    )  # fmt: skip
    assert [event["server_group"] for event in region.said()] == ["sgp-1", "sgp-1"]


def test_a_server_group_without_a_port_is_reported_and_not_joined():
    region = Region(port=None)
    region.clb.things, region.alb.things = (LB1,), (ALB,)
    region.look(3)
    assert region.ids() == ["lb-1"]
    assert region.why("sgp-1") == "no backend port is known: set the property port"
    assert "sgp-1 is not joined: no backend port is known" in region.discoverer.error
    (warning,) = (event for event in region.said() if event["level"] == "warning")
    assert warning["server_group"] == "sgp-1"


def test_what_is_in_another_vpc_is_reported_and_not_joined(region: Region):
    region.clb.things = (LB1, replace(LB2, vpc_id="vpc-2"))
    region.look(3)
    assert region.ids() == ["lb-1"]  # it is in no VPC
    assert region.why("lb-2") == "it is in vpc-2, this VM in vpc-1"
    assert region.discoverer.error is None


def test_without_knowing_the_own_vpc_it_asks_again_soon(region: Region):
    region.vpc = MetadataError("metadata service: no answer")
    region.clb.things = (LB1, replace(LB2, vpc_id="vpc-1"))
    (wait,) = region.look()
    assert wait <= 36
    assert region.ids() == ["lb-1"]
    assert "no answer" in region.discoverer.error
    region.vpc = "vpc-1"
    region.look()
    assert region.ids() == ["lb-1", "lb-2"]
    assert region.discoverer.error is None


def test_a_vpc_that_comes_to_be_known_lets_join_what_was_listed_without_another_listing(
    region: Region,
):
    region.vpc = MetadataError("metadata service: no answer")
    region.clb.things = (replace(LB1, vpc_id="vpc-1"),)
    region.look()
    region.vpc, asked = "vpc-1", region.clb.asked
    region.now -= 25  # not due yet
    region.discoverer.look()
    assert (region.ids(), region.clb.asked) == (["lb-1"], asked)
    assert region.discoverer.error is None


def test_what_was_joined_stays_while_the_own_vpc_is_not_known(region: Region):
    """Else it counted as not joined, and was never left when its tags were taken away."""
    known = GroupSpec("clb", "lb-1", None, None, 100, None)
    region.known = (known,)
    region.begin()
    region.vpc = MetadataError("metadata service: no answer")
    region.clb.things = (replace(LB1, vpc_id="vpc-1"),)
    region.look(3)
    assert [choice.spec for choice in region.discoverer.choices] == [known]
    assert (region.joined, region.left) == ([], [])


def test_what_the_manifest_names_is_left_to_it(region: Region):
    region.named = [GroupSpec("clb", "lb-1", None, None, 30, None)]
    region.clb.things = (LB1, LB2)
    region.look()
    assert region.ids() == ["lb-2"]
    assert region.why("lb-1") == "named in the manifest or by a co-located job"


def test_what_is_named_after_it_was_found_is_left_to_whoever_names_it(
    region: Region,
):
    region.alb.things = (ALB,)
    region.look(2)
    assert region.ids() == ["sgp-1"]
    region.named = [replace(region.joined[0], port=9090)]
    region.look(3)
    assert [spec.server_group_id for spec in region.left] == ["sgp-1"]
    region.named = []
    region.look()
    assert region.ids() == ["sgp-1", "sgp-1"]


def test_what_is_tagged_later_is_found_later(region: Region):
    region.clb.things = (LB2,)
    region.look()
    region.clb.things = (LB1, LB2)
    region.look()
    assert region.ids() == ["lb-2", "lb-1"]
    assert [one.thing.id for one in region.discoverer.choices] == ["lb-1", "lb-2"]


def test_one_that_is_not_listed_any_more_stays(region: Region):
    """A listing may be stale or partial; leaving rotation for it would be an outage."""
    region.clb.things = (LB1,)
    region.look()
    region.clb.things, region.clb.bare = (), ("lb-1",)
    region.look(20)
    assert region.left == []
    assert region.why("lb-1").endswith("discovery.leave is false")
    assert region.discoverer.error is None
    region.clb.things = (LB1,)
    region.look()
    assert region.why("lb-1") == f"carries the tags {TAGS}"


# Leaving what has lost its tags


@pytest.fixture
def leaving() -> Region:
    """A region where lb-1 was joined, has lost its tags, and is still there."""
    region = Region(leave=True, interval_seconds=600.0)
    region.clb.things = (LB1, LB2)
    region.look()
    region.clb.things, region.clb.bare = (LB2,), ("lb-1",)
    return region


def test_it_is_left_after_three_listings_over_15_minutes(leaving: Region):
    start = leaving.now
    while not leaving.left and leaving.now < start + 7200:
        looked_at = leaving.now
        leaving.look()
    assert [spec.load_balancer_id for spec in leaving.left] == ["lb-1"]
    assert looked_at - start >= 900
    assert leaving.clb.asked >= 1 + 3
    leaving.look(5)
    assert len(leaving.left) == 1
    assert [one.thing.id for one in leaving.discoverer.choices] == ["lb-2"]


def test_three_listings_in_a_hurry_are_not_enough():
    region = Region(leave=True, interval_seconds=60.0)
    region.clb.things = (LB1, LB2)
    region.look()
    region.clb.things, region.clb.bare = (LB2,), ("lb-1",)
    start = region.now
    while not region.left:
        looked_at = region.now
        region.look()
    assert 900 <= looked_at - start <= 1000


def test_two_listings_are_not_enough_however_long_they_take():
    region = Region(leave=True, interval_seconds=7200.0)
    region.clb.things = (LB1, LB2)
    region.look()
    region.clb.things, region.clb.bare = (LB2,), ("lb-1",)
    region.look(2)
    assert region.left == []
    region.look()
    assert len(region.left) == 1


@pytest.mark.parametrize("bare", [(), DOWN, DENIED], ids=["not there", "failed", "refused"])
def test_a_listing_that_does_not_show_it_without_tags_never_counts(leaving: Region, bare):
    leaving.clb.bare = bare
    leaving.look(20)
    assert leaving.left == []


def test_a_listing_that_fails_never_counts(leaving: Region):
    leaving.look(2)
    leaving.clb.things = DOWN
    leaving.look(500)
    assert leaving.left == []


def test_one_that_has_its_tags_again_begins_anew(leaving: Region):
    leaving.look(2)
    leaving.clb.things = (LB1, LB2)
    leaving.look()
    leaving.clb.things = (LB2,)
    leaving.look(2)
    assert leaving.left == []


def test_one_that_was_left_and_has_its_tags_again_is_joined_again(leaving: Region):
    leaving.look(6)
    assert len(leaving.left) == 1
    leaving.clb.things = (LB1, LB2)
    leaving.look()
    assert leaving.ids().count("lb-1") == 2


def test_what_an_earlier_start_had_found_is_left_too():
    known = (GroupSpec("clb", "lb-1", None, None, 100, None),)
    region = Region(leave=True, known=known)
    region.clb.bare = ("lb-1",)
    region.look(6)
    assert region.left == list(known)


# Failures


def test_none_found_is_said_once_with_tags_and_region_and_looked_for_again(region: Region):
    waits = region.look(8)
    (warning,) = region.said()
    assert warning["level"] == "warning"
    assert (warning["tags"], warning["region"]) == (TAGS, "cn-hangzhou")
    assert TAGS in region.discoverer.error
    assert "cn-hangzhou" in region.discoverer.error
    assert region.discoverer.looked
    assert 24 <= waits[0] <= 36
    assert all(wait <= 360 for wait in waits)
    assert waits[-1] >= 240


def test_one_products_refused_listing_does_not_stop_the_others(region: Region):
    region.alb.things = DENIED
    region.clb.things, region.nlb.things = (LB1,), (NLB,)
    region.look()
    assert region.ids() == ["lb-1", "sgp-1"]
    assert region.discoverer.looked  # a drain does not wait for what is refused
    assert "alb:ListServerGroups" in region.discoverer.error
    region.alb.things = (ALB,)
    region.look(3)
    assert [spec.product for spec in region.joined] == ["clb", "nlb", "alb"]
    assert region.discoverer.error is None


def test_wrong_keys_are_said_once_for_all_products_and_again_after_a_success(region: Region):
    wrong = ApiError("List", Kind.DENIED, "InvalidAccessKeyId.NotFound", "m", 404)
    for product in region.products.values():
        product.things = wrong
    region.look(4)
    assert [line["level"] for line in region.said()] == ["error"]
    assert region.discoverer.error == f"clb: {wrong}"
    region.clb.things = (LB1,)
    region.look(2)
    region.clb.things = wrong
    region.look(2)
    assert [line["message"] for line in region.said()].count("cannot look for load balancers") >= 2


def test_a_product_that_cannot_be_reached_is_waited_for_a_while(region: Region):
    region.clb.things, region.alb.things = (LB1,), DOWN
    region.look()
    assert not region.discoverer.looked
    region.look(3)
    assert region.discoverer.looked
    asked = region.clb.asked
    region.now += 1
    region.look()
    assert region.clb.asked <= asked + 1  # the others keep their own pace


def test_a_listing_that_fails_is_tried_again_later_and_said_once():
    region = Region()
    region.products = {"clb": region.clb}
    region.begin()
    waits = []
    for number in range(20):
        region.clb.things = replace_id(DOWN, number)
        waits += region.look()
    # Found by this test: the id of the request made every failure look like another one.
    (warning,) = region.said()
    assert warning["level"] == "warning"
    assert "ServiceUnavailable" in warning["error"]
    assert "ServiceUnavailable" in region.discoverer.error
    assert not region.discoverer.looked
    assert all(0.5 <= wait <= 60 for wait in waits)


def replace_id(error: ApiError, number: int) -> ApiError:
    return ApiError(
        error.action, error.kind, error.code, error.message, error.status, f"id-{number}"
    )


def test_what_may_not_be_listed_is_an_error_looked_at_every_300_seconds():
    region = Region()
    region.products = {"alb": region.alb}
    region.begin()
    region.alb.things = DENIED
    waits = region.look(10)
    (error,) = region.said()
    assert error["level"] == "error"
    assert "RAM policy" in error["error"]
    assert all(240 <= wait <= 360 for wait in waits)
    assert not region.discoverer.looked


def test_another_error_is_said_and_so_is_the_same_after_a_success():
    region = Region()
    region.products = {"clb": region.clb}
    region.begin()
    throttled = ApiError("DescribeLoadBalancers", Kind.THROTTLED, "Throttling", "m", 400)
    for one in (throttled, DENIED, (LB1,), DENIED):
        region.clb.things = one
        region.look()
    assert [event["level"] for event in region.said()] == ["warning", "error", "info", "error"]
    assert [one.thing for one in region.discoverer.choices] == [LB1]


def test_it_looks_when_it_is_due_and_soon_feels_that_post_start_waits(region: Region):
    began, waits = region.now, []
    while region.clb.asked < 3:
        waits.append(region.discoverer.turn())
        region.now += waits[-1]
    assert region.now - began >= 24 + 24
    assert max(waits) <= FEEL_SECONDS


@pytest.mark.parametrize("what", ["nothing", "denied", "down", "no vpc"])
def test_while_post_start_waits_it_looks_every_few_seconds_until_something_is_joined(
    region: Region, what: str
):
    things = {"denied": DENIED, "down": DOWN, "no vpc": (ALB,)}.get(what, ())
    region.alb.things = things  # type: ignore[assignment]
    region.vpc = MetadataError("no answer")
    region.look(8)
    region.awaited = True
    asked, began = region.alb.asked, region.now
    while region.now < began + 20:
        assert region.look()[0] <= 5.0
    assert region.alb.asked >= asked + 4
    region.alb.things, region.vpc = (ALB,), "vpc-1"
    region.look(2)
    assert region.joined[-1].server_group_id == "sgp-1"


def test_a_product_that_was_joined_is_looked_at_as_always_while_post_start_waits(region: Region):
    region.clb.things = (LB1,)
    region.alb.things = (ALB,)
    region.nlb.things = (NLB,)
    region.look()
    region.awaited = True
    assert region.look()[0] >= 240


DENIED_ALL = replace(DENIED, kind=Kind.DENIED)


@pytest.mark.parametrize(
    ("clb", "alb", "port", "vpc", "hopeless"),
    [
        (DENIED_ALL, DENIED_ALL, 8080, "vpc-1", True),
        (DENIED_ALL, DOWN, 8080, "vpc-1", False),
        (DENIED_ALL, (), 8080, "vpc-1", False),  # what is not used need not be permitted
        ((), (ALB,), None, "vpc-1", True),  # a port must be configured
        ((), (ALB,), 8080, "vpc-2", False),  # another may be tagged yet
        ((LB1,), (ALB,), None, "vpc-1", False),
        ((), (ALB,), 8080, MetadataError("no answer"), False),
        ((), (), 8080, "vpc-1", False),
    ],
)
def test_it_is_hopeless_where_only_a_person_can_mend_what_keeps_all_from_being_joined(
    region: Region, clb, alb, port, vpc, hopeless: bool
):
    region.port, region.vpc = port, vpc
    region.begin()
    region.clb.things, region.alb.things, region.nlb.things = clb, alb, alb
    if isinstance(alb, tuple):
        region.nlb.things = ()
    region.look()
    assert region.discoverer.needs_repair is hopeless


def test_what_is_found_in_another_vpc_is_told_with_both(region: Region):
    region.vpc = "vpc-2"
    region.alb.things = (ALB,)
    region.look()
    assert region.discoverer.error is None
    assert region.discoverer.left_out == "sgp-1 is not joined: it is in vpc-1, this VM in vpc-2"


def test_tags_read_like_an_operator_writes_them():
    assert tags_text(CONFIG) == TAGS


def test_a_drain_goes_by_what_may_be_listed_now(region: Region):
    for product in (region.clb, region.alb, region.nlb):
        product.things = DENIED
    region.look()
    assert region.discoverer.barred
    region.now -= 200  # of the 300 s until it is asked again
    region.discoverer.look_again()
    assert not region.discoverer.barred
    region.look()
    assert region.discoverer.barred
    assert region.clb.asked == 2
    region.now -= 200
    region.clb.things = (LB1,)
    region.discoverer.look_again()
    region.look()
    assert region.ids() == ["lb-1"]


def test_what_one_product_does_not_list_is_not_given_up_before_a_drain_has_asked_again(
    region: Region,
):
    """The permission came meanwhile: a drain that found all others listed was over at once."""
    region.clb.things = DENIED
    region.look()
    assert region.discoverer.looked
    region.clb.things = (LB1,)
    region.discoverer.look_again()
    assert not region.discoverer.looked
    region.look()
    assert (region.discoverer.looked, region.ids()) == (True, ["lb-1"])


def test_only_a_person_can_help_where_no_listing_is_allowed(region: Region):
    for product in (region.clb, region.alb, region.nlb):
        product.things = DENIED
    assert not region.discoverer.barred
    region.look(4)
    assert region.discoverer.barred
    region.alb.things = DOWN  # this one may come through yet
    region.look(4)
    assert not region.discoverer.barred
    region.alb.things = ()
    region.look(4)
    assert region.discoverer.barred
    region.clb.things = region.nlb.things = ()
    region.look(8)
    assert region.discoverer.looked
    assert not region.discoverer.barred


def test_what_is_listed_and_not_joined_yet_is_not_all_that_there_is(region: Region):
    """A drain that looked in between found no server group, and was over."""
    looked: list[bool] = []
    for product in (region.clb, region.alb, region.nlb):
        product.things = DENIED
    region.look()
    region.clb.things, region.alb.things, region.nlb.things = (LB1,), (ALB,), ()
    region.on_join = lambda: looked.append(region.discoverer.looked)
    region.look(4)
    assert region.ids() == ["lb-1", "sgp-1"]
    assert looked == [False, False]
    assert region.discoverer.looked


# Server groups that are unlike others


@pytest.mark.parametrize(
    ("port", "check", "checked"),
    [
        (8080, CHECK, 8080),
        (None, replace(CHECK, port=9000), 9000),
        (8080, replace(CHECK, port=9000), 9000),
        (None, replace(CHECK, type="none"), None),
    ],
)
def test_a_group_that_forwards_all_ports_is_joined_with_port_0(
    port: int | None, check: HealthCheck, checked: int | None
):
    region = Region(port=port, check=check)
    region.nlb.things = (replace(NLB, any_port=True),)
    region.look(2)
    (spec,) = region.joined
    assert spec.port == 0
    assert check.of(spec, port).port == checked


def test_a_group_that_forwards_all_ports_is_not_joined_without_a_port_to_check():
    region = Region(port=None)
    region.nlb.things = (replace(NLB, any_port=True),)
    region.look(2)
    assert region.joined == []
    assert region.why("sgp-1") == "it forwards all ports: set health_check.port"
    assert region.discoverer.needs_repair


def test_groups_of_functions_are_skipped_with_a_word():
    region = Region(port=None)  # it is none of their business
    region.clb.things = (LB1,)
    region.alb.things = (Tagged("alb", "sgp-fc", functions=True),)
    region.look(3)
    assert region.ids() == ["lb-1"]
    assert region.why("sgp-fc") == "it holds functions (type Fc), no VMs"
    assert region.discoverer.error is None
    (said,) = (event for event in region.said() if event.get("server_group") == "sgp-fc")
    assert (said["level"], said["because"]) == ("info", "it holds functions (type Fc), no VMs")


def test_where_there_is_nothing_but_functions_that_is_what_is_told():
    region = Region()
    region.alb.things = (Tagged("alb", "sgp-fc", functions=True),)
    region.look()
    assert region.discoverer.left_out == (
        "sgp-fc is not joined: it holds functions (type Fc), no VMs"
    )
