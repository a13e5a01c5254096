"""Answers in the forms that the API reference leaves open."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mock_slb.clb.balancer import LoadBalancer
from mock_slb.core.fields import Fields, InputError
from mock_slb.gateway.fault_presets import preset, read_rule
from mock_slb.gateway.faults import Rule
from mock_slb.gateway.gateway import Gateway
from mock_slb.gateway.shapes import EMPTY_FORMS, Reshape

if TYPE_CHECKING:
    from conftest import Api

NESTED = {"TotalCount": 0, "BackendServers": {"BackendServer": []}}
FLAT: dict[str, Any] = {"TotalCount": 0, "Servers": []}


@pytest.mark.parametrize(
    ("form", "nested", "flat"),
    [
        ("list", {"BackendServers": []}, {"Servers": []}),
        ("object", {"BackendServers": {}}, {"Servers": {}}),
        ("null", {"BackendServers": None}, {"Servers": None}),
        ("absent", {}, {}),
        ("inner_object", {"BackendServers": {"BackendServer": {}}}, {"Servers": []}),
        ("inner_null", {"BackendServers": {"BackendServer": None}}, {"Servers": []}),
        ("inner_absent", {"BackendServers": {}}, {"Servers": []}),
    ],
)
def test_an_empty_list_can_look_in_every_way(
    form: str, nested: dict[str, Any], flat: dict[str, Any]
) -> None:
    assert Reshape(empty=form).answer(NESTED) == {"TotalCount": 0, **nested}
    assert Reshape(empty=form).answer(FLAT) == {"TotalCount": 0, **flat}
    inside = {"Groups": [{"Id": "1", **FLAT}]}
    assert Reshape(empty=form).answer(inside) == {"Groups": [{"Id": "1", "TotalCount": 0, **flat}]}


@pytest.mark.parametrize("form", EMPTY_FORMS)
def test_what_is_not_empty_stays_as_it_is(form: str) -> None:
    full = {
        "BackendServers": {"BackendServer": [{"ServerId": "i-1", "Weight": 0}]},
        "Servers": [{"Port": 1}],
        "ListenerPorts": {"ListenerPort": [80]},
        "Labels": {},
        "Text": "",
    }
    assert Reshape(empty=form).answer(full) == full


def test_numbers_can_be_texts_and_fields_be_left_out() -> None:
    answer = {"TotalCount": 1, "Enabled": True, "Servers": [{"Port": 80, "Id": "x"}]}
    told = Reshape(numbers_as_text=True).answer(answer)
    assert told == {"TotalCount": "1", "Enabled": True, "Servers": [{"Port": "80", "Id": "x"}]}
    told = Reshape(without=("TotalCount", "Port")).answer(answer)
    assert told == {"Enabled": True, "Servers": [{"Id": "x"}]}


def test_the_shape_is_that_of_the_answers_of_one_action(api: Api, gateway: Gateway) -> None:
    gateway.faults.add(preset("empty_absent", "DescribeVServerGroupAttribute", times=1))
    assert "BackendServers" in api("DescribeLoadBalancerAttribute", LoadBalancerId="lb-1")
    for there in (False, True):
        answer = api("DescribeVServerGroupAttribute", VServerGroupId="rsp-1")
        assert ("BackendServers" in answer) is there
        assert answer["VServerGroupId"] == "rsp-1"


def test_a_token_that_repeats_has_no_end(
    api: Api, gateway: Gateway, balancer: LoadBalancer
) -> None:
    gateway.faults.add(preset("same_next_token"))
    first = api("DescribeLoadBalancerListeners")
    again = api("DescribeLoadBalancerListeners", NextToken=first["NextToken"])
    assert [one["ListenerPort"] for one in again["Listeners"]] == [80]
    assert again["NextToken"] == first["NextToken"]
    unpaged = api("DescribeHealthStatus", LoadBalancerId="lb-1")
    assert unpaged["NextToken"] == first["NextToken"]


def test_a_refusal_keeps_its_form(api: Api, gateway: Gateway) -> None:
    gateway.faults.add(Rule(Reshape(without=("Code",))))
    refused = api.refusal("DescribeLoadBalancerAttribute", LoadBalancerId="lb-9")
    assert refused == (404, "InvalidLoadBalancerId.NotFound")


def test_a_shape_is_read_from_its_fields() -> None:
    fields = {
        "effect": "reshape",
        "empty": "null",
        "numbers_as_text": True,
        "without": ["TotalCount"],
        "next_token": "t",
        "action": "ListServerGroupServers",
    }
    rule = read_rule(Fields(json.loads(json.dumps(fields))))
    assert rule.effect == Reshape("null", True, ("TotalCount",), "t")
    assert rule.action == "ListServerGroupServers"


@pytest.mark.parametrize("fields", [{}, {"empty": None}, {"empty": "nil"}])
def test_a_shape_that_changes_nothing_or_is_not_known_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(InputError, match="inner_absent"):
        read_rule(Fields({"effect": "reshape", **fields}))
