"""Roles that are assumed with STS."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import responses
from aliyunsdkcore.auth.credentials import RamRoleArnCredential
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest
from aliyunsdkslb.request.v20140515.DescribeLoadBalancersRequest import (
    DescribeLoadBalancersRequest,
)

from mock_slb.account.account import Account
from mock_slb.gateway.gateway import Gateway
from mock_slb.http.wire import WireRequest
from mock_slb.sts.actions import VERSION
from mock_slb.testing import SDK_SEND, attach

if TYPE_CHECKING:
    from conftest import Clock

Sign = Callable[..., WireRequest]
SESSION = {"RoleSessionName": "agent@vm-1"}


@pytest.fixture
def sts(gateway: Gateway, sign_call: Sign) -> Callable[..., tuple[int, dict[str, Any]]]:
    def call(**params: str) -> tuple[int, dict[str, Any]]:
        answer = gateway.answer(sign_call("AssumeRole", {"Version": VERSION, **params}))
        return answer.status, json.loads(answer.body)

    return call


Sts = Callable[..., tuple[int, dict[str, Any]]]


def test_a_role_gives_out_keys_that_expire(account: Account, clock: Clock, sts: Sts) -> None:
    role = account.add_role("Agent")
    status, answer = sts(RoleArn=role.arn, **SESSION)
    assert status == 200
    assert answer["AssumedRoleUser"]["Arn"] == f"{role.arn}/agent@vm-1"
    keys = answer["Credentials"]
    assert keys["Expiration"] == "2026-05-28T21:26:40Z"
    key = account.key(keys["AccessKeyId"])
    assert key is not None
    assert (key.secret, key.security_token) == (keys["AccessKeySecret"], keys["SecurityToken"])
    assert key.expires_at == clock.now + 3600


def test_each_assumption_gives_other_keys_and_the_old_ones_stay_good(
    account: Account, sts: Sts
) -> None:
    role = account.add_role("agent")
    ids = {sts(RoleArn=role.arn, **SESSION)[1]["Credentials"]["AccessKeyId"] for _ in range(2)}
    assert len(ids) == 2
    assert all(account.key(id_) for id_ in ids)


@pytest.mark.parametrize(
    ("seconds", "ok"), [(899, False), (900, True), (7200, True), (7201, False)]
)
def test_the_duration_has_bounds(account: Account, sts: Sts, seconds: int, ok: bool) -> None:
    role = account.add_role("agent", max_session_seconds=7200)
    status, answer = sts(RoleArn=role.arn, DurationSeconds=str(seconds), **SESSION)
    assert (status, answer.get("Code")) == (
        (200, None) if ok else (400, "InvalidParameter.DurationSeconds")
    )


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        ({"RoleArn": "acs:ram::1:role/none"}, (404, "EntityNotExist.Role")),
        ({"RoleArn": "agent"}, (400, "InvalidParameter.RoleArn")),
        ({"RoleArn": ""}, (400, "MissingRoleArn")),
        ({"RoleSessionName": "a b"}, (400, "InvalidParameter.RoleSessionName")),
        ({"RoleSessionName": "x"}, (400, "InvalidParameter.RoleSessionName")),
        ({"RoleSessionName": ""}, (400, "MissingRoleSessionName")),
    ],
)
def test_what_is_wrong_is_refused(
    account: Account, sts: Sts, params: dict[str, str], refusal: tuple[int, str]
) -> None:
    role = account.add_role("agent")
    status, answer = sts(**{"RoleArn": role.arn, **SESSION, **params})
    assert (status, answer["Code"]) == refusal


def test_the_keys_work_in_the_sdk(real_time_account: Account) -> None:
    role = real_time_account.add_role("agent")
    with responses.RequestsMock(target=SDK_SEND) as mock:
        attach(mock, real_time_account)
        client = AcsClient("sdk-key", "sdk-secret", "cn-hangzhou", auto_retry=False)
        request = CommonRequest(
            domain="sts.cn-hangzhou.aliyuncs.com", version=VERSION, action_name="AssumeRole"
        )
        request.set_method("POST")
        request.add_query_param("RoleArn", role.arn)
        request.add_query_param("RoleSessionName", "agent")
        keys = json.loads(client.do_action_with_exception(request))["Credentials"]
    assert real_time_account.key(keys["AccessKeyId"])


def test_the_sdks_own_credential_that_assumes_a_role_is_understood(
    real_time_account: Account,
) -> None:
    role = real_time_account.add_role("agent")
    credential = RamRoleArnCredential("sdk-key", "sdk-secret", role.arn, "session")
    with responses.RequestsMock(target=SDK_SEND) as mock:
        gateway = attach(mock, real_time_account)
        client = AcsClient(region_id="cn-hangzhou", credential=credential, auto_retry=False)
        request = DescribeLoadBalancersRequest()
        request.set_endpoint("https://slb.aliyuncs.com")
        assert json.loads(client.do_action_with_exception(request))["TotalCount"] == 1
    assert [(call.product, call.action) for call in gateway.calls.all()] == [
        ("sts", "AssumeRole"),
        ("slb", "DescribeLoadBalancers"),
    ]
