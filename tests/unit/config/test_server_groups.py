"""Server groups of every kind, as the manifest gives them, and how others are found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slb_registration.config import loading
from slb_registration.config.loading import ConfigError
from slb_registration.model.configuration import Config, GroupSpec

SPEC = {
    "id": "spec-1", "deployment": "cf", "instance_group": "router",
    "index": 0, "az": "z1", "address": "10.0.0.1", "director": True,
}  # fmt: skip


@pytest.fixture
def load(tmp_path: Path):
    def load(properties: dict[str, Any], **spec: Any) -> Config:
        file = tmp_path / "agent.json"
        document = {
            "properties": {"access_key": "a" * 20, "secret_key": "s" * 30, **properties},
            "spec": {**SPEC, **spec},
            "run_dir": "/run/x",
            "data_dir": "/data/x",
        }
        file.write_text(json.dumps(document))
        return loading.load(file)

    return load


@pytest.fixture
def refused(load):
    def refused(entry: dict[str, Any], **properties: Any) -> str:
        with pytest.raises(ConfigError) as caught:
            load({"server_groups": [entry], **properties})
        return str(caught.value)

    return refused


@pytest.mark.parametrize("product", ["alb", "nlb"])
def test_a_server_group_of_alb_or_nlb_is_read(load, product: str):
    entry = {"product": product, "server_group_id": "sgp-1", "port": 80, "weight": 5}
    (spec,) = load({"server_groups": [entry]}).groups
    assert spec == GroupSpec(product, None, None, 80, 5, None, server_group_id="sgp-1")


@pytest.mark.parametrize(
    ("entry", "server"),
    [
        ({}, ("ecs", None, None)),
        ({"server_type": "eni"}, ("eni", None, None)),
        (
            {"server_type": "eni", "server_id": "eni-1", "server_ip": "10.0.0.9"},
            ("eni", "eni-1", "10.0.0.9"),
        ),
        ({"server_type": "ip"}, ("ip", None, None)),
        ({"server_type": "ip", "server_ip": "10.0.0.9"}, ("ip", "10.0.0.9", "10.0.0.9")),
        (
            {"server_type": "ip", "server_ip": "2001:DB8:0::1"},
            ("ip", "2001:db8::1", "2001:db8::1"),
        ),
    ],
)
def test_every_type_of_server_is_read(load, entry: dict[str, Any], server: tuple[Any, ...]):
    whole = {"product": "nlb", "server_group_id": "sgp-1", "port": 80, **entry}
    (spec,) = load({"server_groups": [whole]}).groups
    assert (spec.server_type, spec.server_id, spec.server_ip) == server


@pytest.mark.parametrize("port", [None, 8080])
def test_an_active_standby_group_needs_no_port(load, port: int | None):
    entry = {"active_standby_group_id": "rsp-1", "port": port}
    (spec,) = load({"server_groups": [entry], "port": 99}).groups
    assert spec == GroupSpec("clb", None, None, port, 100, None, active_standby_group_id="rsp-1")


@pytest.mark.parametrize(
    "entry",
    [{"vserver_group_id": "rsp-1"}, {"product": "alb", "server_group_id": "sgp-1"}],
)
def test_the_port_of_the_job_is_that_of_entries_without_one(load, entry: dict[str, Any]):
    loaded = load({"server_groups": [entry], "port": 8080})
    assert loaded.groups[0].port == 8080
    assert loaded.port == 8080
    assert load({"server_groups": [{**entry, "port": 1}], "port": 8080}).groups[0].port == 1


def test_the_port_of_the_job_is_none_of_a_default_groups(load):
    assert load({"load_balancer_id": "lb-1", "port": 8080}).groups[0].port is None


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"product": "alb", "port": 80}, "server_group_id: is missing"),
        ({"product": "alb", "server_group_id": "sgp-1"}, "port: is missing: an ALB server group"),
        (
            {"product": "alb", "server_group_id": "rsp-1", "port": 80},
            "server_group_id: must be the id of an ALB or NLB server group",
        ),
        (
            {"product": "nlb", "vserver_group_id": "rsp-1", "port": 80},
            "vserver_group_id: is not for product nlb",
        ),
        ({"server_group_id": "sgp-1", "port": 80}, "server_group_id: is of ALB or NLB"),
        (
            {"active_standby_group_id": "rsp-1", "vserver_group_id": "rsp-2", "port": 80},
            "load_balancer_id: give either this or",
        ),
        ({"active_standby_group_id": "lb-1"}, "active_standby_group_id: must be"),
        ({"load_balancer_id": "lb-1", "server_type": "ip"}, "server_type: ip is for product alb"),
        ({"load_balancer_id": "lb-1", "server_type": "vm"}, "server_type: must be one of"),
        ({"load_balancer_id": "lb-1", "server_id": "i-1"}, "server_id: is not for server_type ecs"),
        ({"load_balancer_id": "lb-1", "server_ip": "10.0.0.1"}, "server_ip: is not for"),
        (
            {"load_balancer_id": "lb-1", "server_type": "eni", "server_id": "i-1"},
            "server_id: must be the id of a network interface",
        ),
        (
            {"load_balancer_id": "lb-1", "server_type": "eni", "server_ip": "10.0.0"},
            "server_ip: must be an IP address",
        ),
    ],
)
def test_what_cannot_be_a_server_group_is_refused(refused, entry: dict[str, Any], said: str):
    assert f"server_groups[0].{said}" in refused(entry)


def test_a_group_of_another_product_is_not_said_to_miss_a_port_as_well(refused):
    assert "port" not in refused({"server_group_id": "sgp-1"})


def test_the_same_id_of_alb_and_of_nlb_are_two_groups(load):
    entries = [
        {"product": product, "server_group_id": "sgp-1", "port": 80} for product in ("alb", "nlb")
    ]
    assert len(load({"server_groups": entries}).groups) == 2


def test_two_addresses_are_two_servers_and_the_same_twice_is_one(load):
    entry = {"product": "nlb", "server_group_id": "sgp-1", "port": 80, "server_type": "ip"}
    both = [{**entry, "server_ip": one} for one in ("10.0.0.1", "2001:db8::1")]
    assert len(load({"server_groups": both}).groups) == 2
    with pytest.raises(ConfigError, match=r"server_groups\[1\].server_group_id: .* twice"):
        load({"server_groups": [both[1], {**entry, "server_ip": "2001:DB8::1"}]})


# NLB groups that forward all ports

ANY_PORT = {"product": "nlb", "server_group_id": "sgp-1", "port": 0}


@pytest.mark.parametrize(
    ("properties", "checked"),
    [
        ({"health_check": {"port": 9000}}, 9000),
        ({"port": 8080}, 8080),
        ({"port": 8080, "health_check": {"port": 9000}}, 9000),
        ({"health_check": {"type": "script", "script": "/bin/true"}}, None),
        ({"health_check": {"type": "none"}}, None),
    ],
)
def test_port_0_is_of_a_group_of_nlb_that_forwards_all_ports(load, properties, checked):
    loaded = load({"server_groups": [ANY_PORT], **properties})
    (spec,) = loaded.groups
    assert spec.port == 0
    assert loaded.health_check.of(spec, loaded.port).port == checked


def test_the_check_of_another_group_is_made_on_its_own_port(load):
    loaded = load({"server_groups": [{**ANY_PORT, "port": 8443}], "port": 8080})
    assert loaded.health_check.of(loaded.groups[0], loaded.port).port is None


@pytest.mark.parametrize("type_", ["tcp", "http"])
def test_where_all_ports_are_forwarded_it_must_be_said_which_is_checked(refused, type_: str):
    said = refused(ANY_PORT, health_check={"type": type_})
    assert said == (
        "server_groups[0].port: 0 is of a group that forwards all ports: set health_check.port, "
        "to check one"
    )


@pytest.mark.parametrize(
    "entry",
    [
        {"product": "alb", "server_group_id": "sgp-1"},
        {"vserver_group_id": "rsp-1"},
        {"load_balancer_id": "lb-1"},
    ],
)
def test_no_other_group_has_port_0(refused, entry: dict[str, Any]):
    said = refused({**entry, "port": 0}, health_check={"port": 80})
    assert said == "server_groups[0].port: must be a whole number from 1 to 65535, not 0"


# Discovery


def test_all_products_are_searched_by_the_tags_of_the_job_and_nothing_is_left(load):
    found = load({}).discovery
    assert found.products == ("clb", "alb", "nlb")
    assert found.tags == {"bosh-deployment": "cf", "bosh-instance-group": "router"}
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
    loaded = load({"discovery": {"tags": {"a": "b"}}}, deployment="", instance_group="")
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
