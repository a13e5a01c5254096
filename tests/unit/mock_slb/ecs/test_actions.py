"""ECS's DescribeInstances: which instances there are, by two official SDKs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from alibabacloud_tea_openapi.client import Client as NewerClient
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import RpcRequest
from darabonba.runtime import RuntimeOptions

from mock_slb.account.account import Account
from mock_slb.core.resources import EcsAccess
from mock_slb.ecs.actions import VERSION
from mock_slb.server import MockServer

Describe = Callable[..., dict[str, Any]]
"""Makes the call with these parameters."""


class RefusedError(Exception):
    """The code of a refusal."""


def older(server: MockServer) -> Describe:
    client = AcsClient("sdk-key", "sdk-secret", "cn-hangzhou", auto_retry=False)

    def describe(**params: str) -> dict[str, Any]:
        request = RpcRequest("Ecs", VERSION, "DescribeInstances")
        request.set_endpoint(server.url)
        request.set_accept_format("JSON")
        for name, value in params.items():
            request.add_query_param(name, value)
        try:
            parsed: dict[str, Any] = json.loads(client.do_action_with_exception(request))
        except ServerException as error:
            raise RefusedError(error.get_error_code()) from None
        return parsed

    return describe


def newer(server: MockServer) -> Describe:
    """As the product's own package calls the client that all the newer packages are built on."""
    config = Config(
        access_key_id="sdk-key",
        access_key_secret="sdk-secret",
        region_id="cn-hangzhou",
        endpoint=f"127.0.0.1:{server.port}",
        protocol="HTTP",
    )
    how = Params(
        action="DescribeInstances",
        version=VERSION,
        protocol="HTTP",
        pathname="/",
        method="POST",
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )
    client = NewerClient(config)

    def describe(**params: str) -> dict[str, Any]:
        query = {"RegionId": "cn-hangzhou", **params}
        try:
            answer = client.call_api(how, OpenApiRequest(query=query), RuntimeOptions())
        except ClientException as error:
            raise RefusedError(error.code) from None
        body: dict[str, Any] = answer["body"]
        return body

    return describe


@pytest.fixture(params=[older, newer], ids=["older SDK", "newer SDK"])
def describe(request: pytest.FixtureRequest, server: MockServer) -> Describe:
    made: Describe = request.param(server)
    return made


@pytest.fixture
def account(real_time_account: Account) -> Account:
    return real_time_account


def ids(answer: Mapping[str, Any]) -> list[str]:
    return [one["InstanceId"] for one in answer["Instances"]["Instance"]]


def test_stopped_ones_are_there_and_released_ones_are_not(
    describe: Describe, account: Account
) -> None:
    account.set_running("i-other", False)
    listed = describe()["Instances"]["Instance"]
    assert [(one["InstanceId"], one["Status"]) for one in listed] == [
        ("i-self", "Running"),
        ("i-other", "Stopped"),
    ]
    account.release_instance("i-other")
    assert ids(describe()) == ["i-self"]


def test_those_that_are_named_and_there_are_told(describe: Describe) -> None:
    assert ids(describe(InstanceIds='["i-other", "i-gone"]')) == ["i-other"]
    assert ids(describe(InstanceIds="[]")) == []


@pytest.mark.parametrize(
    "given", ["i-other", "{}", "[1]", json.dumps([f"i-{n}" for n in range(101)]), "[" * 5000]
)
def test_what_is_no_list_of_so_many_ids_is_refused(describe: Describe, given: str) -> None:
    with pytest.raises(RefusedError, match=r"^InvalidInstanceIds\.Malformed$"):
        describe(InstanceIds=given)


def test_another_regions_are_not_told(describe: Describe) -> None:
    assert ids(describe(RegionId="cn-beijing")) == []


@pytest.mark.parametrize("way", ["NextToken", "PageNumber"])
def test_pages_together_are_all_of_them(describe: Describe, account: Account, way: str) -> None:
    for number in range(25):
        account.add_instance(f"i-{number}")
    found: list[str] = []
    asked = {"MaxResults": "11"} if way == "NextToken" else {"PageNumber": "1", "PageSize": "11"}
    for page in range(2, 9):
        answer = describe(**asked)
        found += ids(answer)
        if len(found) == 27:
            break
        more = {"NextToken": answer.get("NextToken", "")} if way == "NextToken" else {}
        asked = {**asked, **(more or {"PageNumber": str(page)})}
    assert page == 4
    assert found == [one.id for one in account.instances()]
    assert not answer.get("NextToken")


def test_without_a_size_a_page_has_ten(describe: Describe, account: Account) -> None:
    for number in range(25):
        account.add_instance(f"i-{number}")
    assert len(ids(describe())) == len(ids(describe(MaxResults="1"))) == 10


def test_without_the_permission_the_list_is_empty_and_only_a_dry_run_tells(
    describe: Describe, account: Account
) -> None:
    with pytest.raises(RefusedError, match=r"^DryRunOperation$"):
        describe(DryRun="true")
    account.ecs_access = EcsAccess(denied=True)
    assert ids(describe(InstanceIds='["i-self"]')) == []
    with pytest.raises(RefusedError, match=r"^Forbidden\.RAM$"):
        describe(DryRun="true")


def test_what_the_policy_does_not_reach_is_left_out(describe: Describe, account: Account) -> None:
    account.ecs_access = EcsAccess(hidden=frozenset({"i-other"}))
    assert ids(describe(InstanceIds='["i-self", "i-other"]')) == ["i-self"]
