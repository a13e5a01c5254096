"""The real aliyun-python-sdk-slb, answered without a socket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import responses
from aliyunsdkcore.acs_exception.exceptions import ClientException, ServerException

from mock_slb.account.account import Account
from mock_slb.gateway.fault_presets import preset
from mock_slb.testing import SDK_SEND, attach

if TYPE_CHECKING:
    from conftest import Sdk
    from mock_slb.gateway.gateway import Gateway


SELF = json.dumps([{"ServerId": "i-self", "Weight": 10, "Description": "bosh/后-1.a_b"}])
PORT = json.dumps([{"ServerId": "i-self", "Port": 80, "Weight": 10}])


def test_the_sdk_makes_every_call_that_the_cloud_knows(attached: tuple[Sdk, Gateway]) -> None:
    sdk, gateway = attached
    sdk("AddBackendServers", LoadBalancerId="lb-1", BackendServers=SELF)
    sdk("SetBackendServers", LoadBalancerId="lb-1", BackendServers=SELF)
    answer = sdk("DescribeLoadBalancerAttribute", LoadBalancerId="lb-1")
    assert answer["BackendServers"]["BackendServer"][0]["Description"] == "bosh/后-1.a_b"
    sdk("DescribeHealthStatus", LoadBalancerId="lb-1", ListenerPort=80, ListenerProtocol="tcp")
    sdk("RemoveBackendServers", LoadBalancerId="lb-1", BackendServers=SELF)
    tags = json.dumps([{"TagKey": "env", "TagValue": "test"}])
    assert sdk("DescribeLoadBalancers", Tags=tags, PageNumber=1, PageSize=100)["TotalCount"] == 1
    listeners = sdk("DescribeLoadBalancerListeners", LoadBalancerIds=["lb-1"])
    assert [one["BackendServerPort"] for one in listeners["Listeners"]] == [8080]
    sdk("AddVServerGroupBackendServers", VServerGroupId="rsp-1", BackendServers=PORT)
    sdk("SetVServerGroupAttribute", VServerGroupId="rsp-1", BackendServers=PORT)
    sdk("DescribeVServerGroupAttribute", VServerGroupId="rsp-1")
    sdk(
        "ModifyVServerGroupBackendServers",
        VServerGroupId="rsp-1",
        OldBackendServers=PORT,
        NewBackendServers=PORT,
    )
    sdk("RemoveVServerGroupBackendServers", VServerGroupId="rsp-1", BackendServers=PORT)
    assert {call.status for call in gateway.calls.all()} == {200}
    assert len(gateway.calls.all()) == 12


def test_an_error_reaches_the_sdk_with_its_code_and_status(attached: tuple[Sdk, Gateway]) -> None:
    sdk, _ = attached
    with pytest.raises(ServerException) as error:
        sdk("DescribeLoadBalancerAttribute", LoadBalancerId="lb-none")
    assert error.value.get_error_code() == "InvalidLoadBalancerId.NotFound"
    assert error.value.get_http_status() == 404
    assert len(error.value.get_request_id()) == 36


def test_the_sdk_recognises_a_wrong_secret(
    attached: tuple[Sdk, Gateway], real_time_account: Account
) -> None:
    real_time_account.add_key("sdk-key", "rotated")
    with pytest.raises(ServerException) as error:
        attached[0]("DescribeLoadBalancers")
    # The SDK's own code, which it gives where both sides signed the same text.
    assert error.value.get_error_code() == "InvalidAccessKeySecret"


def test_a_lost_answer_reaches_the_sdk_as_a_network_error(
    attached: tuple[Sdk, Gateway], real_time_account: Account
) -> None:
    sdk, gateway = attached
    gateway.faults.add(preset("lost_answer", times=1))
    with pytest.raises(ClientException) as error:
        sdk("AddBackendServers", LoadBalancerId="lb-1", BackendServers=SELF)
    assert error.value.get_error_code() == "SDK.HttpError"
    group = real_time_account.load_balancer("lb-1").default_group
    assert [b.server_id for b in group.servers()] == ["i-self"]


def test_a_proxys_page_reaches_the_sdk_as_an_unknown_server_error(
    attached: tuple[Sdk, Gateway],
) -> None:
    sdk, gateway = attached
    gateway.faults.add(preset("bad_gateway"))
    with pytest.raises(ServerException) as error:
        sdk("DescribeLoadBalancers")
    assert error.value.get_error_code() == "SDK.UnknownServerError"
    assert error.value.get_http_status() == 502


def test_a_mock_that_was_attached_and_not_called_is_no_failure() -> None:
    with responses.RequestsMock(target=SDK_SEND) as mock:
        gateway = attach(mock, Account())
    assert gateway.calls.all() == []
