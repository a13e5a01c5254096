"""Finding load balancers and server groups by their tags."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.discovery.region import ALB, DENIED, DOWN, LB1, LB2, NLB, TAGS, Region

from slb_registration.model.configuration import GroupSpec
from slb_registration.model.errors import ApiError, Kind


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
