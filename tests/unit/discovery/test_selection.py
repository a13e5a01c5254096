"""Which of what carries the tags is joined, and what is said of the rest."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.discovery.region import ALB, CHECK, CONFIG, LB1, LB2, NLB, TAGS, Region

from slb_registration.discovery.selection import tags_text
from slb_registration.instance.metadata import MetadataError
from slb_registration.model.configuration import GroupSpec, HealthCheck
from slb_registration.server_groups.tagged import Tagged


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


def test_what_is_found_in_another_vpc_is_told_with_both(region: Region):
    region.vpc = "vpc-2"
    region.alb.things = (ALB,)
    region.look()
    assert region.discoverer.error is None
    assert region.discoverer.left_out == "sgp-1 is not joined: it is in vpc-1, this VM in vpc-2"


def test_tags_read_like_an_operator_writes_them():
    assert tags_text(CONFIG) == TAGS


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
