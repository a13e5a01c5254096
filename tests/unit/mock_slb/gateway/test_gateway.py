from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from mock_slb.account.account import Account
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.core.fields import InputError
from mock_slb.gateway.fault_presets import PRESETS, preset
from mock_slb.gateway.faults import Delay, Refuse, Reply, Reset, Rule
from mock_slb.gateway.gateway import Gateway
from mock_slb.gateway.shapes import Reshape
from mock_slb.http.wire import ConnectionCutError, WireRequest

if TYPE_CHECKING:
    from conftest import Api

SELF = [{"ServerId": "i-self"}]
Sign = Callable[..., WireRequest]


def add(api: Api) -> dict[str, object]:
    return api("AddBackendServers", LoadBalancerId="lb-1", BackendServers=SELF)


def in_group(balancer: LoadBalancer) -> list[str]:
    return [b.server_id for b in balancer.default_group.servers()]


def test_an_error_has_the_form_of_the_real_ones(api: Api) -> None:
    body = api("DescribeLoadBalancerAttribute", LoadBalancerId="lb-none")
    assert set(body) == {"Code", "Message", "RequestId", "HostId", "Recommend"}
    assert body["Message"] == "The specified LoadBalancerId does not exist."
    assert body["HostId"] == "slb.aliyuncs.com"
    assert len(body["RequestId"]) == 36


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"Action": "NoSuchAction"}, 404, "InvalidAction.NotFound"),
        ({"Action": ""}, 400, "MissingAction"),
        ({"Version": "2016-01-01"}, 400, "InvalidVersion"),
        ({"Version": ""}, 400, "InvalidVersion"),
    ],
)
def test_what_the_cloud_does_not_know_is_refused(
    gateway: Gateway, sign_call: Sign, changes: dict[str, str], status: int, code: str
) -> None:
    answer = gateway.answer(sign_call("DescribeLoadBalancers", changes))
    assert (answer.status, json.loads(answer.body)["Code"]) == (status, code)


@pytest.mark.parametrize("asked", ["XML", "xml", "yaml", ""])
def test_another_format_than_json_is_refused_in_the_apis_own_default(
    gateway: Gateway, sign_call: Sign, asked: str
) -> None:
    answer = gateway.answer(sign_call("Describe<&>", {"Format": asked}))
    assert (answer.status, answer.content_type) == (400, "text/xml;charset=utf-8")
    error = ElementTree.fromstring(answer.body)
    assert error.tag == "Error"
    assert error.findtext("Code") == "InvalidParameter.Format"
    assert "speaks JSON only" in str(error.findtext("Message"))
    assert [one.tag for one in error][:2] == ["RequestId", "HostId"]


def test_calls_are_logged_with_what_they_asked_and_got_and_no_secret(
    api: Api, gateway: Gateway
) -> None:
    add(api)
    api("DescribeHealthStatus", LoadBalancerId="lb-none")
    first, second = gateway.calls.all()
    assert (first.number, first.action, first.status, first.code) == (
        1,
        "AddBackendServers",
        200,
        None,
    )
    assert first.params == {
        "RegionId": "cn-hangzhou",
        "LoadBalancerId": "lb-1",
        "BackendServers": json.dumps(SELF),
    }
    assert first.time == 1_780_000_000.0
    assert (second.status, second.code) == (404, "InvalidLoadBalancerId.NotFound")
    shown = repr(gateway.calls.view())
    assert "test-key" not in shown
    assert "Signature" not in shown


def test_the_log_can_be_read_from_a_number_on_and_emptied(api: Api, gateway: Gateway) -> None:
    for _ in range(3):
        api("DescribeLoadBalancers")
    assert [call["number"] for call in gateway.calls.view(since=1)] == [2, 3]
    gateway.calls.clear()
    api("DescribeLoadBalancers")
    assert [call.number for call in gateway.calls.all("DescribeLoadBalancers")] == [4]


def test_a_refusal_strikes_as_often_as_it_says_and_changes_nothing(
    api: Api, gateway: Gateway, balancer: LoadBalancer
) -> None:
    gateway.faults.add(preset("throttled", "Add*", times=2))
    for _ in range(2):
        body = add(api)
        assert (api.status, body["Code"]) == (400, "Throttling.User")
        assert in_group(balancer) == []
    add(api)
    assert in_group(balancer) == ["i-self"]
    assert [call.fault for call in gateway.calls.all()] == ["throttled", "throttled", None]


def test_an_answer_that_is_lost_leaves_the_change_made(
    api: Api, gateway: Gateway, balancer: LoadBalancer
) -> None:
    gateway.faults.add(preset("lost_answer", "AddBackendServers", times=1))
    with pytest.raises(ConnectionCutError):
        add(api)
    assert in_group(balancer) == ["i-self"]
    (call,) = gateway.calls.all()
    assert (call.status, call.fault) == (0, "lost_answer")


def test_a_reset_leaves_nothing_changed(api: Api, gateway: Gateway, balancer: LoadBalancer) -> None:
    gateway.faults.add(Rule(Reset(), times=1))
    with pytest.raises(ConnectionCutError):
        add(api)
    assert in_group(balancer) == []


def test_an_error_can_be_told_though_the_change_was_made(
    api: Api, gateway: Gateway, balancer: LoadBalancer
) -> None:
    gateway.faults.add(Rule(Refuse("InternalError", 500), after_change=True))
    assert add(api)["Code"] == "InternalError"
    assert api.status == 500
    assert in_group(balancer) == ["i-self"]


def test_a_page_of_a_proxy_can_stand_in_for_the_answer(
    gateway: Gateway, balancer: LoadBalancer, sign_call: Sign
) -> None:
    gateway.faults.add(preset("bad_gateway"))
    answer = gateway.answer(sign_call("DescribeLoadBalancers", {}))
    assert (answer.status, answer.content_type) == (502, "text/html")
    assert answer.body.startswith(b"<html>")


def test_an_answer_can_be_slow(account: Account, balancer: LoadBalancer, sign_call: Sign) -> None:
    waited: list[float] = []
    gateway = Gateway(account, wait=waited.append)
    gateway.faults.add(Rule(Delay(2.5)))
    gateway.faults.add(Rule(Delay(0.5), after_change=True))
    assert gateway.answer(sign_call("DescribeLoadBalancers", {})).status == 200
    assert waited == [2.5, 0.5]


def test_an_injected_refusal_does_not_hide_a_bad_signature(
    gateway: Gateway, sign_call: Sign
) -> None:
    gateway.faults.add(preset("throttled"))
    request = sign_call("DescribeLoadBalancers", {})
    bad = WireRequest("POST", {**request.params, "Signature": "x"})
    assert b"SignatureDoesNotMatch" in gateway.answer(bad).body


def test_a_rule_can_be_for_one_load_balancer_only(
    api: Api, gateway: Gateway, account: Account
) -> None:
    account.add_load_balancer("lb-2")
    gateway.faults.add(preset("busy", match={"LoadBalancerId": "lb-2"}))
    add(api)
    assert api.status == 200
    busy = api.refusal("AddBackendServers", LoadBalancerId="lb-2", BackendServers=SELF)
    assert busy == (409, "BackendServer.configuring")


def test_a_rule_can_let_calls_pass_first_and_can_be_lifted(api: Api, gateway: Gateway) -> None:
    id_ = gateway.faults.add(Rule(Refuse("InternalError", 500), skip=1))
    statuses = []
    for _ in range(3):
        api("DescribeLoadBalancers")
        statuses.append(api.status)
    assert gateway.faults.remove(id_)
    assert not gateway.faults.remove(id_)
    api("DescribeLoadBalancers")
    assert [*statuses, api.status] == [200, 500, 500, 200]


def test_a_rule_by_chance_strikes_some_of_the_calls(api: Api, gateway: Gateway) -> None:
    gateway.faults.add(Rule(Refuse("InternalError", 500), probability=0.5))
    for _ in range(200):
        api("DescribeLoadBalancers")
    (rule,) = gateway.faults.view()
    hits = rule["hits"]
    assert isinstance(hits, int)
    assert 60 < hits < 140
    gateway.faults.clear()
    assert gateway.faults.view() == []


def test_the_first_of_several_faults_that_replace_the_answer_wins(
    api: Api, gateway: Gateway, sign_call: Sign
) -> None:
    gateway.faults.add(Rule(Reply(503, b"first")))
    gateway.faults.add(Rule(Reply(504, b"second")))
    answer = gateway.answer(sign_call("DescribeLoadBalancers", {}))
    assert (answer.status, answer.body) == (503, b"first")


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, rule in PRESETS.items()
        if not name.startswith(("no_", "metadata")) and not isinstance(rule.effect, Reshape)
    ],
)
def test_every_preset_for_the_api_spoils_a_call_or_slows_it(
    account: Account, balancer: LoadBalancer, sign_call: Sign, name: str
) -> None:
    waited: list[float] = []
    gateway = Gateway(account, wait=waited.append)
    gateway.faults.add(preset(name))
    request = sign_call(
        "AddBackendServers", {"LoadBalancerId": "lb-1", "BackendServers": json.dumps(SELF)}
    )
    try:
        answer = gateway.answer(request)
    except ConnectionCutError:
        spoilt = True
    else:
        spoilt = answer.status != 200 or not answer.body.endswith(b"}")
    assert spoilt or waited
    assert gateway.calls.all()[0].fault == name


def test_an_unknown_preset_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InputError, match="throttled"):
        preset("nonsense")
