"""Faults that the mocked cloud gives on demand, beside those that other tests here use anyway."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable
from http.client import HTTPConnection, HTTPSConnection, IncompleteRead
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aliyunsdkcore.acs_exception.exceptions import ClientException, ServerException

from mock_slb.account.account import Account
from mock_slb.control.seed import read
from mock_slb.gateway.faults import Cut, Faults, Refuse, Rule
from mock_slb.gateway.gateway import Gateway
from mock_slb.http.tls import Authority
from mock_slb.metadata.service import TOKEN_PATH
from mock_slb.server import MockServer, serve

if TYPE_CHECKING:
    from conftest import Api, Clock, Sdk

SELF = json.dumps([{"ServerId": "i-self"}])
NewSdk = Callable[..., "Sdk"]


def order(
    server: MockServer, name: str, body: object, context: ssl.SSLContext | None = None
) -> Any:
    """What the control API answers."""
    connection: HTTPConnection = HTTPConnection("127.0.0.1", server.port, timeout=5)
    if context is not None:
        connection = HTTPSConnection("127.0.0.1", server.port, timeout=5, context=context)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", f"/_mock/{name}", json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


# Rules


def test_a_rule_lasts_for_as_long_as_it_says(clock: Clock) -> None:
    faults = Faults(now=clock)
    faults.add(Rule(Refuse("X"), lasts=10))
    assert faults.take("Any", {})
    clock.now += 10
    assert not faults.take("Any", {})
    assert faults.view()[0]["spent"] is True


def test_a_clock_that_is_set_off_ends_no_rule(gateway: Gateway, account: Account) -> None:
    gateway.faults.add(Rule(Refuse("X"), lasts=10))
    account.clock_offset_seconds = 3600
    assert gateway.faults.take("Any", {})


def test_an_answer_is_cut_in_the_middle(server: MockServer, new_sdk: NewSdk) -> None:
    """The SDK takes it for whole, whatever Content-Length says: it is the JSON that ends early."""
    sdk = new_sdk(server.url)
    order(server, "faults", {"effect": "cut", "share": 0.5, "times": 1, "action": "Add*"})
    with pytest.raises(json.JSONDecodeError):
        sdk("AddBackendServers", LoadBalancerId="lb-1", BackendServers=SELF)
    answer = sdk("DescribeLoadBalancerAttribute", LoadBalancerId="lb-1")
    assert [b["ServerId"] for b in answer["BackendServers"]["BackendServer"]] == ["i-self"]


def test_the_metadata_services_answers_are_cut_too(server: MockServer) -> None:
    server.faults.add(Rule(Cut(0.9), action="metadata:token"))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request("PUT", TOKEN_PATH, headers={"X-aliyun-ecs-metadata-token-ttl-seconds": "60"})
    with pytest.raises(IncompleteRead):
        connection.getresponse().read()
    connection.close()


def test_any_bytes_can_be_answered(server: MockServer, new_sdk: NewSdk) -> None:
    rule = {"effect": "reply", "status": 503, "body_base64": "//4=", "times": 1}
    assert order(server, "faults", rule)[0] == 200
    with pytest.raises(UnicodeDecodeError):
        new_sdk(server.url)("DescribeLoadBalancers")


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"effect": "reply", "body": "x", "body_base64": "eA=="}, "give this or body, not both"),
        ({"effect": "reply", "body_base64": "*"}, "body_base64 is not Base64"),
        ({"effect": "cut", "share": 2}, "share must be a number from 0 to 1"),
        ({"preset": "busy", "lasts": -1}, "lasts must be a number"),
    ],
)
def test_a_rule_that_is_wrong_is_refused(server: MockServer, rule: object, says: str) -> None:
    status, answer = order(server, "faults", rule)
    assert status == 400
    assert says in answer["error"]


@pytest.mark.parametrize(
    ("group", "call", "ids"),
    [
        ("lb-1", "AddBackendServers", {"LoadBalancerId": "lb-1"}),
        ("rsp-1", "AddVServerGroupBackendServers", {"VServerGroupId": "rsp-1"}),
    ],
)
def test_a_group_of_a_clb_is_busy_for_a_while(
    api: Api, gateway: Gateway, clock: Clock, group: str, call: str, ids: dict[str, str]
) -> None:
    from mock_slb.control.api import Control

    body = json.dumps({"group": group, "seconds": 20}).encode()
    assert Control(gateway).answer("POST", "/_mock/groups/busy", {}, "application/json", body)
    servers = [{"ServerId": "i-self", "Port": 80}]
    refusal = api.refusal(call, **ids, BackendServers=servers)
    assert refusal == (409, "BackendServer.configuring")
    api("DescribeLoadBalancers")
    assert api.status == 200
    clock.now += 20
    api(call, **ids, BackendServers=servers)
    assert api.status == 200


# The port, and TLS


def test_the_port_is_closed_for_a_while_and_opens_by_itself(
    server: MockServer, new_sdk: NewSdk
) -> None:
    sdk = new_sdk(server.url)
    sdk("DescribeLoadBalancers")
    assert order(server, "port", {"seconds": 0.3})[0] == 200
    refused = threading.Event()
    while not refused.is_set():  # until the connection that was kept is cut, and none is taken
        try:
            sdk("DescribeLoadBalancers")
        except (ClientException, json.JSONDecodeError):  # not let in, or cut while answered
            refused.set()
    assert server._outage is not None
    server._outage.join()
    assert sdk("DescribeLoadBalancers")["RequestId"]


def test_a_server_with_its_port_closed_can_be_ended(real_time_account: Account) -> None:
    with serve(real_time_account, probe=False) as server:
        order(server, "port", {"seconds": 3600})
        refused = False
        while not refused:
            with socket.socket() as client:
                refused = client.connect_ex(("127.0.0.1", server.port)) != 0
    assert server._outage is not None
    assert not server._outage.is_alive()


def test_the_name_on_the_certificate_changes_while_the_server_runs(
    real_time_account: Account, tmp_path: Path
) -> None:
    authority = Authority()
    authority.write(tmp_path / "ca.pem")
    trusting = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    tls = authority.server("127.0.0.1")
    with serve(real_time_account, probe=False, tls=tls, authority=authority) as server:
        assert order(server, "tls", {"names": ["www.example.com"]}, trusting) == (200, {})
        with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
            order(server, "tls", {"names": ["127.0.0.1"]}, trusting)
        trusting.check_hostname = False
        assert order(server, "tls", {"names": ["127.0.0.1"]}, trusting) == (200, {})
        trusting.check_hostname = True
        assert order(server, "clock", {}, trusting) == (200, {})


def test_without_tls_there_is_no_name_to_change(server: MockServer) -> None:
    status, answer = order(server, "tls", {"names": ["a"]})
    assert (status, answer) == (400, {"error": "this server speaks plain HTTP"})


# Keys, quotas and clocks


def test_a_key_with_a_lifetime_expires(server: MockServer, new_sdk: NewSdk) -> None:
    key = {"id": "STS.1", "secret": "s", "security_token": "t", "lifetime": 0}
    assert order(server, "keys/add", key)[0] == 200
    (added,) = [k for k in server.account.access_keys() if k.id == "STS.1"]
    assert added.security_token == "t"
    assert added.expires_at is not None
    assert added.expires_at <= server.account.now()


def test_a_quota_is_lifted(server: MockServer, new_sdk: NewSdk) -> None:
    sdk = new_sdk(server.url)
    quota = {"product": "slb", "action": "DescribeLoadBalancers"}
    order(server, "quotas", {**quota, "per_minute": 1})
    sdk("DescribeLoadBalancers")
    with pytest.raises(ServerException, match="Throttling"):
        sdk("DescribeLoadBalancers")
    assert order(server, "quotas", quota)[0] == 200
    assert sdk("DescribeLoadBalancers")["RequestId"]


def test_a_seed_begins_with_faults_of_every_sort() -> None:
    seed = read(
        {
            "clock": {"behind_seconds": 3600},
            "read_lag_seconds": 2,
            "metadata_mode": "old",
            "keys": [{"id": "k", "secret": "s", "security_token": "t", "lifetime": 60}],
            "faults": [{"preset": "cut_off", "lasts": 5}, {"preset": "slow", "seconds": 9}],
        }
    )
    account = seed.account
    assert account.clock_offset_seconds == -3600
    assert account.key("k").expires_at == pytest.approx(account.now() + 60, abs=5)
    assert [rule.lasts for rule in seed.rules] == [5, None]
