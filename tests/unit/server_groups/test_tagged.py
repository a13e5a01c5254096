"""Load balancers and server groups found by their tags."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.unit.driver import World
from tests.unit.every_kind import Setting

from mock_slb.account.account import Account
from slb_registration.model.errors import ApiError
from slb_registration.server_groups.tagged import ClbListing, listings

TAGS = {"bosh-deployment": "cf", "bosh-instance-group": "router"}


@pytest.fixture
def listing(clb: World) -> Callable[[], tuple[str, ...]]:
    return lambda: tuple(one.id for one in ClbListing(clb.cloud, TAGS).tagged())


def test_load_balancers_with_all_tags_are_found_sorted(clb: World, listing):
    account: Account = clb.account
    account.add_load_balancer("lb-b", tags=TAGS)
    account.add_load_balancer("lb-a", tags={**TAGS, "more": "x"})
    account.add_load_balancer("lb-half", tags={"bosh-deployment": "cf"})
    account.add_load_balancer("lb-other", tags={**TAGS, "bosh-instance-group": "web"})
    account.add_load_balancer("lb-elsewhere", tags=TAGS, region="cn-beijing")
    assert listing() == ("lb-a", "lb-b")


def test_no_load_balancer_found_is_no_error(listing):
    assert listing() == ()


@pytest.mark.parametrize("number", [99, 100, 101, 250])
def test_all_pages_are_read(clb: World, listing, number: int):
    names = [f"lb-{one:04}" for one in range(number)]
    for name in names:
        clb.account.add_load_balancer(name, tags=TAGS)
    assert listing() == tuple(names)
    assert clb.made("DescribeLoadBalancers") <= number // 100 + 1


@pytest.mark.parametrize("body", [{}, {"LoadBalancers": None}, {"LoadBalancers": []}])
def test_a_listing_that_lacks_the_list_is_broken_not_empty(clb: World, listing, body):
    clb.reply(body)
    with pytest.raises(ApiError):
        listing()


def test_any_number_of_groups_can_be_asked_about_their_tags(setting: Setting):
    product = setting.kind.product
    fleet = setting.account.alb if product == "alb" else setting.account.nlb
    ids = [f"sgp-{number:02}" for number in range(45)]
    for id_ in ids:
        fleet.add_server_group(id_, tags={} if id_.endswith("7") else {"a": "b"})
    listing = listings(setting.cloud, [product], {"a": "b"})[product]
    assert listing.without_tags([*ids, "sgp-none"]) == {"sgp-07", "sgp-17", "sgp-27", "sgp-37"}
