"""Which load balancers are looked for, and when nothing is."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.config.agent_json import SPEC

from slb_registration.config.loading import ConfigError


@pytest.mark.parametrize(
    "properties",
    [
        {"load_balancer_id": "lb-1"},
        {"server_groups": [{"load_balancer_id": "lb-1"}]},
    ],
)
def test_groups_that_are_named_turn_discovery_off(load, properties):
    assert load(properties).discovery.enabled is False


def test_an_empty_list_of_groups_leaves_discovery_on(load):
    assert load({"server_groups": []}).discovery.enabled is True


@pytest.mark.parametrize("register", [True, False])
def test_no_group_and_no_discovery_is_refused(problems, register):
    none = {"register": register, "discovery": {"enabled": False}, "dynamic_config_globs": []}

    assert problems(none) == (
        "discovery.enabled: is false: then give load_balancer_id, server_groups or"
        " dynamic_config_globs",
    )


def test_co_located_jobs_may_name_all_groups_there_are(load):
    loaded = load({"discovery": {"enabled": False}})

    assert loaded.dynamic_config_globs == ("/var/vcap/jobs/*/config/slb_registration.json",)


@pytest.mark.parametrize("bad", ["jobs/*.json", "", 5, ["/a"], "/a\n"])
def test_a_pattern_that_is_no_absolute_path_is_refused(problems, bad):
    (problem,) = problems({"dynamic_config_globs": ["/var/vcap/jobs/*/config/x.json", bad]})

    assert problem.startswith("dynamic_config_globs: must be absolute paths")


def test_discovery_needs_the_names_that_it_looks_for(problems, load):
    empty = {**SPEC, "deployment": "", "instance_group": None}

    assert [p.split(":")[0] for p in problems(spec=empty)] == [
        "spec.deployment",
        "spec.instance_group",
    ]
    assert load({"load_balancer_id": "lb-1"}, spec=empty).groups


def test_create_env_looks_for_its_deployment_alone_since_it_names_no_instance_group(load):
    loaded = load(spec={**SPEC, "director": False, "instance_group": None})

    assert dict(loaded.discovery.tags) == {"bosh-deployment": "cf"}


def test_all_products_are_searched_by_the_tags_of_the_job_and_nothing_is_left(load):
    found = load({}).discovery
    assert found.products == ("clb", "alb", "nlb")
    assert found.tags == {"bosh-deployment": "cf", "bosh-instance-group": "srt"}
    assert not found.leave


@pytest.mark.parametrize(
    ("endpoints", "products"),
    [
        ({"metadata": "http://127.0.0.1:80"}, ("clb", "alb", "nlb")),
        ({"slb": "slb.cloud.example.com"}, ("clb",)),
        ({"slb": "slb.cloud.example.com", "nlb": "nlb.cloud.example.com"}, ("clb", "nlb")),
    ],
)
def test_calls_that_go_elsewhere_do_so_for_every_product(load, endpoints, products):
    assert load({"endpoints": endpoints}).discovery.products == products
    asked = load({"endpoints": endpoints, "discovery": {"products": ["alb"]}})
    assert asked.discovery.products == ("alb",)


def test_other_tags_and_products_may_be_given(load):
    given = {"tags": {"env": "prod", "role": ""}, "products": ["nlb", "clb"], "leave": True}
    found = load({"discovery": given}).discovery
    assert (found.tags, found.products, found.leave) == (given["tags"], ("clb", "nlb"), True)


def test_with_tags_of_its_own_the_job_needs_no_names(load):
    loaded = load(
        {"discovery": {"tags": {"a": "b"}}}, spec={**SPEC, "deployment": "", "instance_group": ""}
    )
    assert loaded.discovery.tags == {"a": "b"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tags": {}}, "discovery.tags: must hold at least one tag"),
        ({"tags": ["a"]}, "discovery.tags: must hold at least one tag"),
        ({"tags": {"a": 1}}, "discovery.tags: the value of 'a' must be text"),
        ({"tags": {"": "x"}}, "discovery.tags: '' is no key of a tag"),
        ({"tags": {"acs:x": "x"}}, "discovery.tags: 'acs:x' is no key of a tag"),
        ({"tags": {"k" * 65: "x"}}, "kkk… is no key of a tag"),
        ({"tags": {"a": "x" * 129}}, "discovery.tags: the value of 'a'"),
        ({"tags": {str(n): "x" for n in range(11)}}, "discovery.tags: must be at most 10"),
        ({"products": ["elb"]}, "discovery.products: must be of clb, alb, nlb, not 'elb'"),
        ({"products": []}, "discovery.products: is empty"),
        ({"leave": "yes"}, "discovery.leave: must be true or false"),
    ],
)
def test_a_search_that_cannot_be_made_is_refused(load, given: dict[str, Any], said: str):
    with pytest.raises(ConfigError) as caught:
        load({"discovery": given})
    assert said in str(caught.value)
