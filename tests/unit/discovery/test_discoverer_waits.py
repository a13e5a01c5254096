"""How long a drain, or post-start, waits for what may be found yet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.discovery.region import ALB, DENIED, DOWN, LB1, NLB, Region

from slb_registration.discovery.discoverer import FEEL_SECONDS
from slb_registration.instance.metadata import MetadataError
from slb_registration.model.errors import Kind


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
