from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from mock_slb.account.account import Account
from mock_slb.gateway.fault_presets import preset
from mock_slb.gateway.faults import Effect, Refuse, Reply, Rule
from mock_slb.gateway.gateway import Gateway
from mock_slb.http.wire import ConnectionCutError, WireAnswer, WireRequest
from mock_slb.metadata.service import MetadataService
from mock_slb.signing.signature import sign

if TYPE_CHECKING:
    from conftest import Clock

TOKEN = "/latest/api/token"
ID = "/latest/meta-data/instance-id"
TTL = "X-aliyun-ecs-metadata-token-ttl-seconds"


@pytest.fixture
def service(gateway: Gateway) -> MetadataService:
    return MetadataService(gateway)


def read(service: MetadataService, path: str = ID, token: str | None = None) -> WireAnswer:
    headers = {} if token is None else {"X-aliyun-ecs-metadata-token": token}
    return service.answer("GET", path, headers)


def token(service: MetadataService, ttl: str = "60") -> str:
    answer = service.answer("PUT", TOKEN, {TTL: ttl})
    assert answer.status == 200
    return answer.body.decode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("instance-id", "i-self"),
        ("region-id", "cn-hangzhou"),
        ("zone-id", "cn-hangzhou-h"),
        ("private-ipv4", "192.168.0.1"),
        ("mac", "00:16:3e:00:00:01"),
        ("vpc-id", "vpc-mock"),
    ],
)
def test_each_field_is_read_with_and_without_a_token(
    service: MetadataService, name: str, value: str
) -> None:
    path = f"/latest/meta-data/{name}"
    assert read(service, path).body == value.encode()
    assert read(service, path, token(service)).body == value.encode()


def test_the_network_interface_is_found_by_the_mac(
    account: Account, service: MetadataService
) -> None:
    account.add_instance(
        "i-6", eni_id="eni-6", private_ip="10.0.0.6", other_ips=("10.0.0.7", "2408::6")
    )
    account.set_self("i-6")
    mac = read(service, "/latest/meta-data/mac").body.decode()
    folder = "/latest/meta-data/network/interfaces/macs"
    assert read(service, folder).body.decode() == f"{mac}/"
    found = {
        name: read(service, f"{folder}/{mac}/{name}").body.decode()
        for name in (
            "network-interface-id",
            "primary-ip-address",
            "private-ipv4s",
            "ipv6s",
            "vpc-id",
        )
    }
    assert found == {
        "network-interface-id": "eni-6",
        "primary-ip-address": "10.0.0.6",
        "private-ipv4s": '["10.0.0.6", "10.0.0.7"]',
        "ipv6s": "[2408::6]",
        "vpc-id": "vpc-mock",
    }


def test_an_interface_without_ipv6_does_not_tell_of_any(service: MetadataService) -> None:
    folder = "/latest/meta-data/network/interfaces/macs/00:16:3e:00:00:01"
    assert read(service, f"{folder}/ipv6s").status == 404
    assert read(service, f"{folder}/network-interface-id").body == b"eni-self"
    assert b"private-ipv4s\n" in read(service, folder).body


class TestRole:
    PATH = "/latest/meta-data/ram/security-credentials/"

    def keys(self, service: MetadataService, role: str = "agent") -> dict[str, str]:
        answer = read(service, self.PATH + role)
        assert answer.status == 200
        keys: dict[str, str] = json.loads(answer.body)
        return keys

    def test_an_instance_without_a_role_has_no_keys(
        self, account: Account, service: MetadataService
    ) -> None:
        assert read(service, self.PATH).status == 404
        account.add_role("for-people", on_instances=False)
        assert read(service, self.PATH).status == 404
        assert read(service, self.PATH + "for-people").status == 404

    def test_the_role_is_named_and_its_keys_are_told(
        self, account: Account, service: MetadataService
    ) -> None:
        account.add_role("agent", lifetime_seconds=3600)
        assert read(service, self.PATH).body == b"agent"
        keys = self.keys(service)
        assert keys["Code"] == "Success"
        assert keys["Expiration"] == "2026-05-28T21:26:40Z"
        assert keys["LastUpdated"] == "2026-05-28T20:26:40Z"
        assert set(keys) == {
            "AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration", "LastUpdated", "Code",
        }  # fmt: skip

    def test_the_keys_sign_calls_until_they_expire(
        self, account: Account, service: MetadataService, clock: Clock, gateway: Gateway
    ) -> None:
        account.add_role("agent", lifetime_seconds=600)
        keys = self.keys(service)
        assert call_with(gateway, keys, clock.now) == (200, None)
        assert call_with(gateway, {**keys, "SecurityToken": ""}, clock.now)[0] == 400
        clock.now += 600
        expired = (400, "InvalidSecurityToken.Expired")
        assert call_with(gateway, keys, clock.now) == expired

    def test_the_keys_are_renewed_well_before_they_expire(
        self, account: Account, service: MetadataService, clock: Clock, gateway: Gateway
    ) -> None:
        account.add_role("agent", lifetime_seconds=6 * 3600)
        first = self.keys(service)
        clock.now += 5.5 * 3600 - 1
        assert self.keys(service) == first
        clock.now += 1
        second = self.keys(service)
        assert second["AccessKeyId"] != first["AccessKeyId"]
        assert call_with(gateway, first, clock.now) == (200, None)
        assert call_with(gateway, second, clock.now) == (200, None)

    def test_the_keys_of_a_role_need_a_token_where_all_else_does(
        self, account: Account, service: MetadataService
    ) -> None:
        account.add_role("agent")
        account.metadata_mode = "hardened"
        assert read(service, self.PATH + "agent").status == 403
        assert read(service, self.PATH + "agent", token(service)).status == 200

    def test_a_role_that_is_taken_away_is_gone(
        self, account: Account, service: MetadataService
    ) -> None:
        account.add_role("agent")
        account.keys.remove_role("agent")
        assert read(service, self.PATH + "agent").status == 404

    def test_the_keys_are_not_logged(self, account: Account, service: MetadataService) -> None:
        account.add_role("agent")
        keys = self.keys(service)
        log = repr(service._gateway.calls.view())
        assert keys["AccessKeySecret"] not in log
        assert keys["SecurityToken"] not in log


def call_with(gateway: Gateway, keys: dict[str, str], now: float) -> tuple[int, str | None]:
    params = {
        "Action": "DescribeLoadBalancers",
        "Version": "2014-05-15",
        "Format": "JSON",
        "RegionId": "cn-hangzhou",
        "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": str(uuid.uuid4()),
        "AccessKeyId": keys["AccessKeyId"],
        "SecurityToken": keys["SecurityToken"],
    }
    signature = sign("POST", params, keys["AccessKeySecret"])
    answer = gateway.answer(WireRequest("POST", {**params, "Signature": signature}))
    return answer.status, json.loads(answer.body).get("Code")


def test_the_fields_are_listed(service: MetadataService) -> None:
    assert b"instance-id\n" in read(service, "/latest/meta-data/").body


def test_a_hardened_instance_wants_a_token(account: Account, service: MetadataService) -> None:
    account.metadata_mode = "hardened"
    assert read(service).status == 403
    assert read(service, token=token(service)).status == 200


def test_an_old_instance_has_no_token_endpoint_and_answers_plainly(
    account: Account, service: MetadataService
) -> None:
    account.metadata_mode = "old"
    assert service.answer("PUT", TOKEN, {TTL: "60"}).status == 404
    assert read(service).body == b"i-self"


def test_a_token_ends_with_its_time_to_live(service: MetadataService, clock: Clock) -> None:
    good = token(service, "60")
    clock.now += 59
    assert read(service, token=good).status == 200
    clock.now += 1
    assert read(service, token=good).status == 401


def test_a_made_up_token_is_refused(service: MetadataService) -> None:
    assert read(service, token="made-up").status == 401


@pytest.mark.parametrize("ttl", ["0", "21601", "-1", "x", ""])
def test_a_time_to_live_out_of_bounds_is_refused(service: MetadataService, ttl: str) -> None:
    assert service.answer("PUT", TOKEN, {TTL: ttl}).status == 400


@pytest.mark.parametrize("ttl", ["1", "21600"])
def test_a_time_to_live_within_bounds_is_fine(service: MetadataService, ttl: str) -> None:
    assert service.answer("PUT", TOKEN, {TTL: ttl}).status == 200


@pytest.mark.parametrize("path", ["/latest/meta-data/no-such", "/latest/user-data"])
def test_what_is_not_there_is_an_html_page_with_404(service: MetadataService, path: str) -> None:
    answer = read(service, path)
    assert answer.status == 404
    assert answer.content_type == "text/html"
    assert b"<html>" in answer.body


@pytest.mark.parametrize(("method", "path"), [("GET", TOKEN), ("POST", ID)])
def test_other_methods_are_not_allowed(service: MetadataService, method: str, path: str) -> None:
    assert service.answer(method, path, {TTL: "60"}).status == 405


def test_without_a_self_instance_there_is_nothing_to_tell(clock: Clock) -> None:
    service = MetadataService(Gateway(Account(clock=clock)))
    assert read(service).status == 404


def test_a_service_can_answer_for_another_vm(gateway: Gateway) -> None:
    assert read(MetadataService(gateway, "i-other")).body == b"i-other"


def test_faults_strike_the_metadata_service_too(gateway: Gateway, service: MetadataService) -> None:
    gateway.faults.add(preset("no_token_endpoint", times=1))
    assert service.answer("PUT", TOKEN, {TTL: "60"}).status == 404
    assert token(service)
    gateway.faults.add(preset("metadata_gone"))
    with pytest.raises(ConnectionCutError):
        read(service)
    assert [(call.action, call.status) for call in gateway.calls.all()] == [
        ("metadata:token", 404),
        ("metadata:token", 200),
        ("metadata:meta-data/instance-id", 0),
    ]


@pytest.mark.parametrize(("effect", "status"), [(Refuse("x", 503), 503), (Reply(200, b""), 200)])
def test_the_metadata_service_can_be_broken_in_any_way(
    gateway: Gateway, service: MetadataService, effect: Effect, status: int
) -> None:
    gateway.faults.add(Rule(effect, action="metadata:meta-data/*"))
    answer = read(service)
    assert answer.status == status
    assert b"i-self" not in answer.body
