"""The newer signature, in headers."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from mock_slb.account.account import Account
from mock_slb.gateway.gateway import Gateway
from mock_slb.http.wire import WireRequest
from mock_slb.signing.claims import WINDOW_SECONDS
from mock_slb.signing.signature_v3 import ALGORITHM, sign, string_to_sign

if TYPE_CHECKING:
    from conftest import Clock

NOW_TEXT = "2026-05-28T20:26:40Z"
# The example of Alibaba Cloud's documentation of the V3 signature.
DOCUMENTED_QUERY = {
    "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
    "RegionId": "cn-shanghai",
}
DOCUMENTED_HEADERS = {
    "host": "ecs.cn-shanghai.aliyuncs.com",
    "x-acs-action": "RunInstances",
    "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
    "x-acs-date": "2023-10-26T10:22:32Z",
    "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
    "x-acs-version": "2014-05-26",
}


def test_the_documented_example_gives_the_documented_signature() -> None:
    request = WireRequest(
        "POST", DOCUMENTED_QUERY, headers=DOCUMENTED_HEADERS, query=DOCUMENTED_QUERY
    )
    text = string_to_sign(request, list(DOCUMENTED_HEADERS))
    assert text.endswith("7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259")
    assert sign(text, "YourAccessKeySecret") == (
        "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


def signed(
    *,
    query: dict[str, str] | None = None,
    form: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    key: str = "test-key",
    secret: str = "test-secret",
    signed_headers: str | None = None,
) -> WireRequest:
    query, form = query or {}, form or {}
    body = urlencode(form).encode()
    everything = {
        "Host": "slb.aliyuncs.com",
        "X-Acs-Action": "DescribeLoadBalancers",
        "X-Acs-Version": "2014-05-15",
        "X-Acs-Date": NOW_TEXT,
        "X-Acs-Signature-Nonce": str(uuid.uuid4()),
        "X-Acs-Content-Sha256": hashlib.sha256(body).hexdigest(),
        **(headers or {}),
    }
    names = signed_headers or ";".join(sorted(name.lower() for name in everything))
    unsigned = WireRequest("POST", {**query, **form}, "h", everything, query, body)
    signature = sign(string_to_sign(unsigned, names.split(";")), secret)
    authorization = f"{ALGORITHM} Credential={key},SignedHeaders={names},Signature={signature}"
    everything["Authorization"] = authorization
    return WireRequest("POST", {**query, **form}, "h", everything, query, body)


REGION = {"RegionId": "cn-hangzhou"}


def outcome(gateway: Gateway, request: WireRequest) -> tuple[int, str | None]:
    answer = gateway.answer(request)
    return answer.status, json.loads(answer.body).get("Code")


def test_a_call_that_is_signed_is_carried_out_and_logged(gateway: Gateway) -> None:
    assert outcome(gateway, signed(query=REGION)) == (200, None)
    (call,) = gateway.calls.all()
    assert (call.product, call.action, call.params) == ("slb", "DescribeLoadBalancers", REGION)


def test_parameters_in_a_form_are_covered_by_the_hash_of_the_body(gateway: Gateway) -> None:
    assert outcome(gateway, signed(form=REGION)) == (200, None)
    request = signed(form=REGION)
    forged = WireRequest("POST", REGION, "h", request.headers, {}, b"RegionId=cn-beijing")
    assert outcome(gateway, forged) == (400, "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    "change",
    [
        {"query": {"RegionId": "cn-beijing"}},
        {"method": "GET"},
        {"header": ("X-Acs-Action", "DescribeHealthStatus")},
        {"header": ("X-Acs-Date", "2026-05-28T20:26:41Z")},
    ],
)
def test_whatever_is_changed_afterwards_breaks_the_signature(
    gateway: Gateway, change: dict[str, object]
) -> None:
    request = signed(query=REGION)
    query = change.get("query", request.query)
    method = change.get("method", "POST")
    headers = dict(request.headers)
    if "header" in change:
        name, value = change["header"]  # type: ignore[misc]
        headers[name] = value
    forged = WireRequest(str(method), dict(query), "h", headers, dict(query), b"")  # type: ignore[call-overload]
    assert outcome(gateway, forged) == (400, "SignatureDoesNotMatch")


def test_a_wrong_secret_or_an_unknown_key_is_refused(gateway: Gateway) -> None:
    assert outcome(gateway, signed(query=REGION, secret="x")) == (400, "SignatureDoesNotMatch")
    refused = outcome(gateway, signed(query=REGION, key="nobody"))
    assert refused == (404, "InvalidAccessKeyId.NotFound")


@pytest.mark.parametrize(
    "name", ["x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256", "host"]
)
def test_a_header_that_is_missing_is_named(gateway: Gateway, name: str) -> None:
    request = signed(query=REGION)
    headers = {k: v for k, v in request.headers.items() if k.lower() != name}
    assert outcome(gateway, WireRequest("POST", REGION, "h", headers, REGION)) == (
        400,
        f"Missing{name}",
    )


def test_a_header_that_matters_must_be_signed(gateway: Gateway) -> None:
    request = signed(query=REGION, signed_headers="host;x-acs-action;x-acs-version")
    assert outcome(gateway, request) == (400, "IncompleteSignature")


@pytest.mark.parametrize("text", ["ACS3-HMAC-SHA256 nonsense", "ACS3-RSA-SHA256 Credential=a"])
def test_an_authorization_of_another_form_is_refused(gateway: Gateway, text: str) -> None:
    request = signed(query=REGION)
    headers = {**request.headers, "Authorization": text}
    forged = WireRequest("POST", REGION, "h", headers, REGION)
    assert outcome(gateway, forged) == (400, "IncompleteSignature")


def test_a_nonce_is_good_for_one_call(gateway: Gateway) -> None:
    request = signed(query=REGION)
    assert outcome(gateway, request) == (200, None)
    assert outcome(gateway, request) == (400, "SignatureNonceUsed")


@pytest.mark.parametrize("direction", [-1, 1])
def test_a_clock_may_be_off_by_fifteen_minutes_and_no_more(
    gateway: Gateway, clock: Clock, direction: int
) -> None:
    clock.now += direction * WINDOW_SECONDS
    assert outcome(gateway, signed(query=REGION)) == (200, None)
    clock.now += direction
    assert outcome(gateway, signed(query=REGION)) == (400, "InvalidTimeStamp.Expired")


def test_short_lived_keys_come_with_their_token(account: Account, gateway: Gateway) -> None:
    account.add_key("STS.1", "s", security_token="token-1")

    def with_token(token: str | None) -> tuple[int, str | None]:
        headers = {} if token is None else {"X-Acs-Security-Token": token}
        return outcome(gateway, signed(query=REGION, key="STS.1", secret="s", headers=headers))

    assert with_token("token-1") == (200, None)
    assert with_token(None) == (400, "MissingSecurityToken")
    assert with_token("made-up") == (400, "InvalidSecurityToken.Malformed")
    assert "token-1" not in repr(gateway.calls.view())


def test_what_is_asked_for_must_exist(gateway: Gateway) -> None:
    unknown = signed(query=REGION, headers={"X-Acs-Action": "DeleteEverything"})
    assert outcome(gateway, unknown) == (404, "InvalidAction.NotFound")
    unknown = signed(query=REGION, headers={"X-Acs-Version": "1999-01-01"})
    assert outcome(gateway, unknown) == (400, "InvalidVersion")
