"""The real aliyun-python-sdk-alb and -nlb, answered without a socket and over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import responses
from aliyunsdkcore.acs_exception.exceptions import ServerException

from mock_slb.account.account import Account
from mock_slb.server import serve
from mock_slb.testing import SDK_SEND, attach

if TYPE_CHECKING:
    from conftest import Sdk

SELF = {"ServerId": "i-self", "ServerType": "Ecs", "Port": 8080, "Weight": 7}
TAGS = [{"Key": "env", "Value": "test"}]
# In NLB's request classes the names of lists are sometimes doubled.
SPELLING = {
    "alb": {"Servers": "Servers", "Ids": "ServerGroupIds", "Balancers": "LoadBalancerIds"},
    "nlb": {"Servers": "Serverss", "Ids": "ServerGroupIdss", "Balancers": "LoadBalancerIdss"},
}


@pytest.fixture(params=["alb", "nlb"])
def product(request: pytest.FixtureRequest, real_time_account: Account) -> str:
    account = real_time_account
    account.change_seconds = 0.0
    fleet = {"alb": account.alb, "nlb": account.nlb}[request.param]
    fleet.add_server_group("sgp-1", tags={"env": "test"})
    balancer = fleet.add_load_balancer("lb-new", tags={"env": "test"})
    balancer.add_listener(80, server_group="sgp-1", id="lsn-1")
    name: str = request.param
    return name


@pytest.fixture(params=["attached", "http"])
def sdk(
    request: pytest.FixtureRequest,
    real_time_account: Account,
    new_sdk: Callable[..., Sdk],
) -> Iterator[Sdk]:
    if request.param == "attached":
        with responses.RequestsMock(target=SDK_SEND) as mock:
            attach(mock, real_time_account)
            yield new_sdk("https://product.cn-hangzhou.aliyuncs.com")
    else:
        with serve(real_time_account, probe=False) as server:
            yield new_sdk(server.url)


def test_the_sdk_makes_every_call_that_the_product_knows(sdk: Sdk, product: str) -> None:
    names = SPELLING[product]

    def call(action: str, **params: object) -> dict[str, Any]:
        return sdk.on(product, action, **params)

    def servers() -> list[tuple[str, int, str]]:
        listed = call("ListServerGroupServers", ServerGroupId="sgp-1")["Servers"]
        return [(one["ServerId"], one["Weight"], one["Description"]) for one in listed]

    added = {**SELF, "Description": "bosh/后-1.a_b"}
    job = call(
        "AddServersToServerGroup", ServerGroupId="sgp-1", Servers=[added], ClientToken="token-1"
    )
    assert servers() == [("i-self", 7, "bosh/后-1.a_b")]
    if product == "alb":
        assert call("ListAsynJobs", JobIds=[job["JobId"]])["Jobs"][0]["Status"] == "Succeeded"
    else:
        assert call("GetJobStatus", JobId=job["JobId"])["Status"] == "Succeeded"
    groups = call("ListServerGroups", **{names["Ids"]: ["sgp-1"]}, Tag=TAGS)["ServerGroups"]
    assert groups[0]["RelatedLoadBalancerIds"] == ["lb-new"]
    assert groups[0]["Tags"] == TAGS
    assert len(call("ListLoadBalancers", Tag=TAGS)["LoadBalancers"]) == 1
    assert len(call("ListListeners", **{names["Balancers"]: ["lb-new"]})["Listeners"]) == 1
    health = call("GetListenerHealthStatus", ListenerId="lsn-1")["ListenerHealthStatus"]
    assert health[0]["ServerGroupInfos"][0]["NonNormalServers"][0]["Status"] == "Initial"
    call(
        "UpdateServerGroupServersAttribute",
        ServerGroupId="sgp-1",
        ClientToken="token-2",
        **{names["Servers"]: [{**added, "Weight": 0}]},
    )
    assert servers() == [("i-self", 0, "bosh/后-1.a_b")]
    call(
        "RemoveServersFromServerGroup",
        ServerGroupId="sgp-1",
        ClientToken="token-3",
        **{names["Servers"]: [SELF]},
    )
    assert servers() == []


def test_alb_tells_of_its_rules(sdk: Sdk, real_time_account: Account) -> None:
    real_time_account.add_alb_server_group("sgp-1")
    balancer = real_time_account.add_alb("alb-1")
    listener = balancer.add_listener(80, server_group="sgp-1")
    balancer.add_rule(listener.id, server_group="sgp-1")
    assert len(sdk.on("alb", "ListRules", ListenerIds=[listener.id])["Rules"]) == 1
    told = sdk.on("alb", "GetListenerHealthStatus", ListenerId=listener.id, IncludeRule=True)
    assert len(told["RuleHealthStatus"]) == 1


def test_a_refusal_reaches_the_sdk_with_its_code_and_status(sdk: Sdk, product: str) -> None:
    with pytest.raises(ServerException) as error:
        sdk.on(product, "GetListenerHealthStatus", ListenerId="lsn-9")
    assert error.value.get_error_code().lower() == "resourcenotfound.listener"
    assert error.value.get_http_status() == 404
