"""Server groups of every kind, as the manifest gives them."""

from __future__ import annotations

from typing import Any

import pytest

from slb_registration.config.loading import ConfigError
from slb_registration.model.configuration import GroupSpec


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


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("alb-1", "it is of ALB, which server_groups name by server_group_id"),
        ("nlb-1", "it is of NLB"),
        ("sgp-1", "it is of ALB or NLB"),
        ("rsp-1", "(lb-…)"),
        ("i-1", "(lb-…)"),
        ("lb-1;x", "(lb-…)"),
        ("", "is empty"),
    ],
)
def test_the_id_of_something_else_is_no_load_balancer(problems, value, hint):
    (problem,) = problems({"load_balancer_id": value})

    assert problem.startswith("load_balancer_id: ")
    assert hint in problem


def test_a_load_balancer_from_before_2016_has_another_form_of_id(load):
    assert load({"load_balancer_id": "139a00604ad-cn-east-hangzhou-01"}).groups


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({}, "[0].load_balancer_id: give either"),
        ({"port": 80}, "[0].load_balancer_id: give either"),
        (
            {"load_balancer_id": "lb-1", "vserver_group_id": "rsp-1", "port": 80},
            "[0].load_balancer_id: give either",
        ),
        ({"vserver_group_id": "rsp-1"}, "[0].port: is missing"),
        ({"vserver_group_id": "sgp-1", "port": 80}, "[0].vserver_group_id: must be"),
        ({"vserver_group_id": "lb-1", "port": 80}, "[0].vserver_group_id: must be"),
        (
            {"load_balancer_id": "lb-1", "product": "alb"},
            "[0].load_balancer_id: is not for product alb",
        ),
        ({"load_balancer_id": "lb-1", "weight": 101}, "[0].weight: must be a whole number"),
        ({"load_balancer_id": "lb-1", "weight": -1}, "[0].weight: must be a whole number"),
        ({"load_balancer_id": "lb-1", "weight": "5"}, "[0].weight: must be a whole number"),
        ({"load_balancer_id": "lb-1", "description": "a b"}, "[0].description: must be"),
        ({"load_balancer_id": "lb-1", "description": ""}, "[0].description: is empty"),
        ({"load_balancer_id": "lb-1", "description": "a\n"}, "[0].description: must be"),
        ({"load_balancer_id": "lb-1", "description": "x" * 39}, "[0].description: must be"),
        ("lb-1", "[0]: must be a group of properties, not 'lb-1'"),
    ],
)
def test_a_server_group_that_cannot_be_one_is_refused(problems, entry, said):
    found = problems({"server_groups": [entry]})

    assert found[0].startswith(f"server_groups{said}")


def test_two_server_groups_without_a_usable_id_are_not_called_the_same(problems):
    entries = [{"vserver_group_id": wrong, "port": 80} for wrong in ("sgp-1", "lb-1")]

    assert not [problem for problem in problems({"server_groups": entries}) if "twice" in problem]


def test_server_groups_must_be_a_list(problems):
    assert problems({"server_groups": {"load_balancer_id": "lb-1"}}) == (
        "server_groups: must be a list, not a group of properties",
    )


@pytest.mark.parametrize(
    "properties",
    [
        {"load_balancer_id": "lb-1", "server_groups": [{"load_balancer_id": "lb-1"}]},
        {"server_groups": [{"load_balancer_id": "lb-1", "port": p} for p in (80, 81)]},
        {"server_groups": [{"vserver_group_id": "rsp-1", "port": 80, "weight": w} for w in (1, 2)]},
    ],
)
def test_the_same_server_group_twice_is_refused(problems, properties):
    (problem,) = problems(properties)

    assert "twice" in problem


def test_two_ports_of_one_vserver_group_are_two_servers(load):
    entries = [{"vserver_group_id": "rsp-1", "port": port} for port in (80, 81)]

    assert len(load({"server_groups": entries}).groups) == 2


@pytest.mark.parametrize("given", [":2", "::2", "0::2"])
def test_the_address_of_a_backend_server_may_have_lost_its_first_colon(load, given):
    entry = {"product": "alb", "server_group_id": "sgp-1", "port": 80, "server_type": "ip"}

    (group,) = load({"server_groups": [{**entry, "server_ip": given}]}).groups

    assert (group.server_id, group.server_ip) == ("::2", "::2")


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
