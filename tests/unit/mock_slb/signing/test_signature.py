from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mock_slb.account.account import Account
from mock_slb.gateway.gateway import Gateway
from mock_slb.http.wire import WireRequest
from mock_slb.signing.claims import WINDOW_SECONDS
from mock_slb.signing.signature import sign, string_to_sign

if TYPE_CHECKING:
    from conftest import Clock

# The example of Alibaba Cloud's documentation of RPC signatures.
DOCUMENTED = {
    "AccessKeyId": "testid",
    "Action": "DescribeRegions",
    "Format": "XML",
    "SignatureMethod": "HMAC-SHA1",
    "SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf",
    "SignatureVersion": "1.0",
    "Timestamp": "2016-02-23T12:46:24Z",
    "Version": "2014-05-26",
}

Sign = Callable[..., WireRequest]


def outcome(gateway: Gateway, request: WireRequest) -> tuple[int, str | None]:
    answer = gateway.answer(request)
    return answer.status, json.loads(answer.body).get("Code")


def resigned(request: WireRequest, secret: str = "test-secret", **changes: str) -> WireRequest:
    params = {**request.params, **changes}
    params["Signature"] = sign(request.method, params, secret)
    return WireRequest(request.method, params)


@pytest.fixture
def call(sign_call: Sign) -> WireRequest:
    return sign_call("DescribeLoadBalancers", {})


def test_the_documented_example_gives_the_documented_signature() -> None:
    assert sign("GET", DOCUMENTED, "testsecret") == "OLeaidS1JvxuMvnyHOwuJ+uX5qY="


def test_signs_of_all_kinds_are_encoded_as_the_documentation_says() -> None:
    text = string_to_sign("POST", {"b": "a b*~/后", "a": "+"})
    assert text == "POST&%2F&a%3D%252B%26b%3Da%2520b%252A~%252F%25E5%2590%258E"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_call_that_is_signed_is_carried_out(
    gateway: Gateway, call: WireRequest, method: str
) -> None:
    params = {**call.params}
    params["Signature"] = sign(method, params, "test-secret")
    assert outcome(gateway, WireRequest(method, params)) == (200, None)


@pytest.mark.parametrize("name", ["AccessKeyId", "Signature", "Timestamp", "SignatureNonce"])
def test_a_call_without_a_common_parameter_is_refused(
    gateway: Gateway, call: WireRequest, name: str
) -> None:
    params = {k: v for k, v in call.params.items() if k != name}
    assert outcome(gateway, WireRequest("POST", params)) == (400, f"Missing{name}")


@pytest.mark.parametrize(
    ("name", "value"), [("SignatureMethod", "HMAC-SHA256"), ("SignatureVersion", "2.0")]
)
def test_another_signature_scheme_is_refused(
    gateway: Gateway, call: WireRequest, name: str, value: str
) -> None:
    assert outcome(gateway, resigned(call, **{name: value})) == (400, f"Invalid{name}")


def test_an_unknown_key_is_not_found(gateway: Gateway, call: WireRequest) -> None:
    unknown = resigned(call, AccessKeyId="nobody")
    assert outcome(gateway, unknown) == (404, "InvalidAccessKeyId.NotFound")


def test_a_wrong_secret_is_told_with_the_string_that_the_server_signed(
    gateway: Gateway, call: WireRequest
) -> None:
    wrong = resigned(call, secret="wrong")
    answer = gateway.answer(wrong)
    body = json.loads(answer.body)
    assert (answer.status, body["Code"]) == (400, "SignatureDoesNotMatch")
    # The SDK takes what follows the first colon for the string to sign.
    assert body["Message"].split(":")[1] == string_to_sign("POST", wrong.params)
    assert "test-secret" not in body["Message"]


def test_a_parameter_that_was_changed_on_the_way_breaks_the_signature(
    gateway: Gateway, call: WireRequest
) -> None:
    changed = WireRequest("POST", {**call.params, "RegionId": "cn-beijing"})
    assert outcome(gateway, changed) == (400, "SignatureDoesNotMatch")


def test_a_signature_that_is_not_ascii_is_wrong_and_not_a_crash(
    gateway: Gateway, call: WireRequest
) -> None:
    changed = WireRequest("POST", {**call.params, "Signature": "é"})
    assert outcome(gateway, changed) == (400, "SignatureDoesNotMatch")


@pytest.mark.parametrize("direction", [-1, 1])
def test_a_clock_may_be_off_by_fifteen_minutes_and_no_more(
    gateway: Gateway, clock: Clock, sign_call: Sign, direction: int
) -> None:
    clock.now += direction * WINDOW_SECONDS
    assert outcome(gateway, sign_call("DescribeLoadBalancers", {})) == (200, None)
    clock.now += direction
    refused = outcome(gateway, sign_call("DescribeLoadBalancers", {}))
    assert refused == (400, "InvalidTimeStamp.Expired")


def test_the_servers_clock_can_be_set_off(
    account: Account, gateway: Gateway, call: WireRequest
) -> None:
    account.clock_offset_seconds = -3600
    assert outcome(gateway, call) == (400, "InvalidTimeStamp.Expired")


@pytest.mark.parametrize("text", ["yesterday", "2026-05-28 20:26:40", "1780000000"])
def test_a_timestamp_of_another_form_is_refused(
    gateway: Gateway, call: WireRequest, text: str
) -> None:
    assert outcome(gateway, resigned(call, Timestamp=text)) == (400, "InvalidTimeStamp.Format")


def test_a_nonce_is_good_for_one_call(gateway: Gateway, call: WireRequest) -> None:
    assert outcome(gateway, call) == (200, None)
    assert outcome(gateway, call) == (400, "SignatureNonceUsed")


def test_a_call_with_a_bad_signature_does_not_use_its_nonce_up(
    gateway: Gateway, call: WireRequest
) -> None:
    outcome(gateway, resigned(call, secret="wrong"))
    assert outcome(gateway, call) == (200, None)


def test_nonces_are_forgotten_once_the_timestamp_alone_would_refuse_them(
    gateway: Gateway, clock: Clock, call: WireRequest
) -> None:
    outcome(gateway, call)
    clock.now += 2 * WINDOW_SECONDS + 1
    assert outcome(gateway, call) == (400, "InvalidTimeStamp.Expired")


class TestShortLivedKeys:
    @pytest.fixture(autouse=True)
    def short_lived_keys(self, account: Account, clock: Clock) -> None:
        account.add_key("STS.1", "test-secret", security_token="token-1", expires_at=clock.now + 60)
        account.add_key("STS.2", "test-secret", security_token="token-2")

    @pytest.mark.parametrize(
        ("key", "token", "code"),
        [
            ("STS.1", "token-1", None),
            ("STS.1", "", "MissingSecurityToken"),
            ("STS.1", "token-2", "InvalidSecurityToken.MismatchWithAccessKey"),
            ("STS.1", "made-up", "InvalidSecurityToken.Malformed"),
            ("test-key", "made-up", "InvalidSecurityToken.Malformed"),
            ("test-key", "token-1", "InvalidSecurityToken.MismatchWithAccessKey"),
        ],
    )
    def test_the_token_must_be_the_keys_own(
        self, gateway: Gateway, call: WireRequest, key: str, token: str, code: str | None
    ) -> None:
        request = resigned(call, AccessKeyId=key, SecurityToken=token)
        assert outcome(gateway, request) == (400 if code else 200, code)

    def test_the_token_is_not_logged(self, gateway: Gateway, call: WireRequest) -> None:
        outcome(gateway, resigned(call, AccessKeyId="STS.1", SecurityToken="token-1"))
        assert "token-1" not in repr(gateway.calls.view())

    def test_the_token_ends_when_the_key_does(
        self, gateway: Gateway, call: WireRequest, clock: Clock
    ) -> None:
        request = resigned(call, AccessKeyId="STS.1", SecurityToken="token-1")
        clock.now += 60
        assert outcome(gateway, request) == (400, "InvalidSecurityToken.Expired")


def test_a_key_that_is_removed_or_replaced_signs_no_more(
    account: Account, gateway: Gateway, sign_call: Sign
) -> None:
    account.add_key("test-key", "rotated")
    refused = outcome(gateway, sign_call("DescribeLoadBalancers", {}))
    assert refused == (400, "SignatureDoesNotMatch")
    account.remove_key("test-key")
    refused = outcome(gateway, sign_call("DescribeLoadBalancers", {}))
    assert refused == (404, "InvalidAccessKeyId.NotFound")


def test_secrets_are_not_shown_where_a_key_is_printed(account: Account) -> None:
    key = account.add_key("k", "very-secret", security_token="very-token")
    assert "very-" not in repr(key)
