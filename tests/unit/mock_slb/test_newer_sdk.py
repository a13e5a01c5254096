"""The newer SDKs, which sign in headers, do the same calls over HTTP.

Their models name and type every field of the API reference, so what the mocked cloud answers is
held against them.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from alibabacloud_alb20200616 import models as alb_models
from alibabacloud_alb20200616.client import Client as AlbClient
from alibabacloud_nlb20220430 import models as nlb_models
from alibabacloud_nlb20220430.client import Client as NlbClient
from alibabacloud_slb20140515 import models as slb_models
from alibabacloud_slb20140515.client import Client as SlbClient
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.utils_models import Config

from mock_slb.account.account import Account
from mock_slb.contract.exceptions import TOLD, TOLD_BY_2026
from mock_slb.gateway.gateway import Gateway
from mock_slb.http.wire import WireAnswer, WireRequest
from mock_slb.server import serve

PRODUCTS = {
    "slb": (SlbClient, slb_models),
    "alb": (AlbClient, alb_models),
    "nlb": (NlbClient, nlb_models),
}
SIMPLE = {"str": str, "int": int, "bool": bool}
SELF = json.dumps([{"ServerId": "i-self", "Weight": 10, "Description": "bosh/后-1.a_b"}])
PORT = json.dumps([{"ServerId": "i-self", "Port": 80, "Weight": 10}])
TAG = [{"Key": "env", "Value": "test"}]


class RememberingGateway(Gateway):
    """Keeps its last answer as it was on the wire."""

    last: Any = None

    def answer(self, request: WireRequest) -> WireAnswer:
        answer = super().answer(request)
        self.last = json.loads(answer.body)
        return answer


class NewerSdk:
    """Calls by name; each answer is checked against the SDK's model of it."""

    def __init__(self, gateway: RememberingGateway, endpoint: str, **keys: str) -> None:
        self.gateway = gateway
        config = Config(
            **{"access_key_id": "sdk-key", "access_key_secret": "sdk-secret", **keys},
            region_id="cn-hangzhou",
            endpoint=endpoint,
            protocol="HTTP",
        )
        self.clients = {name: client(config) for name, (client, _) in PRODUCTS.items()}

    def __call__(self, product: str, action: str, **params: object) -> dict[str, Any]:
        request = getattr(PRODUCTS[product][1], f"{action}Request")().from_map(params)
        call = getattr(self.clients[product], snake(action))
        body = call(request).body
        wire = self.gateway.last
        assert body.to_map() == without_extras(wire), "a field that the reference does not have"
        assert list(wrongly_typed(body, action)) == []
        answer: dict[str, Any] = wire
        return answer


EXTRAS = {path.split(".")[-1] for _, _, path in TOLD.keys() - TOLD_BY_2026.keys()}


def without_extras(answer: Any) -> Any:
    """An answer but for the fields that are told besides the reference's."""
    if isinstance(answer, dict):
        return {k: without_extras(v) for k, v in answer.items() if k not in EXTRAS}
    return [without_extras(one) for one in answer] if isinstance(answer, list) else answer


def snake(action: str) -> str:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", action)
    return spaced.lower()


def wrongly_typed(model: Any, place: str) -> Iterator[str]:
    """The fields of a model whose value is not of the type that the model is annotated with."""
    for name, parameter in inspect.signature(type(model).__init__).parameters.items():
        value = getattr(model, name, None)
        if name == "self" or value is None:
            continue
        annotation = str(parameter.annotation)
        element = re.fullmatch(r"List\[(.+)\]", annotation)
        if element is not None and not isinstance(value, list):
            yield f"{place}.{name}: {value!r} is no {annotation}"
            continue
        wanted = SIMPLE.get(element[1] if element is not None else annotation)
        for one in value if element is not None else [value]:
            if wanted is None:
                yield from wrongly_typed(one, f"{place}.{name}")
            elif type(one) is not wanted:
                yield f"{place}.{name}: {one!r} is no {annotation}"


@pytest.fixture
def account(real_time_account: Account) -> Account:
    account = real_time_account
    account.change_seconds = 0.0
    for fleet in (account.alb, account.nlb):
        fleet.add_server_group("sgp-1", tags={"env": "test"})
        listener = fleet.add_load_balancer("lb-new", tags={"env": "test"})
        listener.add_listener(80, server_group="sgp-1", id="lsn-1")
    account.alb.balancer("lb-new").add_rule("lsn-1", server_group="sgp-1")
    account.load_balancer("lb-1").add_master_slave_group(
        "rsp-ms", master=("i-self", 80), slave=("i-other", 80), tags={"a": "b"}
    )
    return account


@pytest.fixture
def gateway(account: Account) -> RememberingGateway:
    return RememberingGateway(account)


@pytest.fixture
def endpoint(gateway: RememberingGateway) -> Iterator[str]:
    with serve(gateway=gateway, probe=False) as server:
        yield server.url.removeprefix("http://")


@pytest.fixture
def sdk(gateway: RememberingGateway, endpoint: str) -> NewerSdk:
    return NewerSdk(gateway, endpoint)


def test_clb_as_the_newer_sdk_calls_it(sdk: NewerSdk) -> None:
    def clb(action: str, **params: object) -> dict[str, Any]:
        return sdk("slb", action, RegionId="cn-hangzhou", **params)

    clb("AddBackendServers", LoadBalancerId="lb-1", BackendServers=SELF)
    clb("SetBackendServers", LoadBalancerId="lb-1", BackendServers=SELF)
    described = clb("DescribeLoadBalancerAttribute", LoadBalancerId="lb-1")
    (server,) = described["BackendServers"]["BackendServer"]
    assert server["Description"] == "bosh/后-1.a_b"
    health = clb("DescribeHealthStatus", LoadBalancerId="lb-1", ListenerPort=80)
    assert len(health["BackendServers"]["BackendServer"]) == 1
    clb("RemoveBackendServers", LoadBalancerId="lb-1", BackendServers=SELF)
    found = clb("DescribeLoadBalancers", Tag=TAG, PageNumber=1, PageSize=100)
    assert found["TotalCount"] == 1
    assert len(clb("DescribeLoadBalancerListeners", LoadBalancerId=["lb-1"])["Listeners"]) == 1
    clb("AddVServerGroupBackendServers", VServerGroupId="rsp-1", BackendServers=PORT)
    clb("SetVServerGroupAttribute", VServerGroupId="rsp-1", BackendServers=PORT)
    clb("DescribeVServerGroupAttribute", VServerGroupId="rsp-1")
    clb(
        "ModifyVServerGroupBackendServers",
        VServerGroupId="rsp-1",
        OldBackendServers=PORT,
        NewBackendServers=PORT,
    )
    clb("RemoveVServerGroupBackendServers", VServerGroupId="rsp-1", BackendServers=PORT)
    clb("DescribeVServerGroups", LoadBalancerId="lb-1", IncludeListener=True)
    clb("DescribeMasterSlaveServerGroups", LoadBalancerId="lb-1", IncludeListener=True)
    pair = clb("DescribeMasterSlaveServerGroupAttribute", MasterSlaveServerGroupId="rsp-ms")
    assert len(pair["MasterSlaveBackendServers"]["MasterSlaveBackendServer"]) == 2


@pytest.mark.parametrize("product", ["alb", "nlb"])
def test_alb_and_nlb_as_the_newer_sdk_calls_them(sdk: NewerSdk, product: str) -> None:
    server = {"ServerId": "i-self", "ServerType": "Ecs", "Port": 80}

    def call(action: str, **params: object) -> dict[str, Any]:
        return sdk(product, action, **params)

    def servers() -> list[tuple[str, int, str]]:
        listed = call("ListServerGroupServers", ServerGroupId="sgp-1")["Servers"]
        return [(one["ServerId"], one["Weight"], one.get("Description", "")) for one in listed]

    def write(action: str, token: str, **fields: object) -> str:
        entry = [{**server, **fields}]
        answer = call(action, ServerGroupId="sgp-1", Servers=entry, ClientToken=token)
        job: str = answer["JobId"]
        return job

    job = write("AddServersToServerGroup", "t1", Weight=7, Description="bosh/后-1.a_b")
    assert write("AddServersToServerGroup", "t1", Weight=7, Description="bosh/后-1.a_b") == job
    assert servers() == [("i-self", 7, "bosh/后-1.a_b")]
    call("ListAsynJobs", JobIds=[job])
    if product == "nlb":
        assert call("GetJobStatus", JobId=job)["Status"] == "Succeeded"
    groups = call("ListServerGroups", Tag=TAG, ServerGroupIds=["sgp-1"])["ServerGroups"]
    assert [group["RelatedLoadBalancerIds"] for group in groups] == [["lb-new"]]
    assert len(call("ListLoadBalancers", Tag=TAG)["LoadBalancers"]) == 1
    assert len(call("ListListeners", LoadBalancerIds=["lb-new"])["Listeners"]) == 1
    if product == "alb":
        assert len(call("ListRules", ListenerIds=["lsn-1"])["Rules"]) == 1
    asked = {"IncludeRule": True} if product == "alb" else {}
    health = call("GetListenerHealthStatus", ListenerId="lsn-1", **asked)
    (info,) = health["ListenerHealthStatus"][0]["ServerGroupInfos"]
    assert [one["Status"] for one in info["NonNormalServers"]] == ["Initial"]
    write("UpdateServerGroupServersAttribute", "t2", Weight=0)
    assert servers() == [("i-self", 0, "")]
    write("RemoveServersFromServerGroup", "t3")
    assert servers() == []


def test_settings_of_clb_as_the_newer_sdks_models_read_them(
    sdk: NewerSdk, account: Account
) -> None:
    balancer = account.load_balancer("lb-1")
    balancer.listeners.clear()
    balancer.add_listener(81, "tcp", sticky_seconds=60, connection_drain_seconds=30)
    balancer.add_listener(82, "http", sticky_seconds=90, scheduler="rr", status="stopped")
    balancer.add_listener(83, "udp", health_check=None)
    asked = {"RegionId": "cn-hangzhou", "LoadBalancerId": ["lb-1"]}
    answer = sdk("slb", "DescribeLoadBalancerListeners", **asked)
    model = slb_models.DescribeLoadBalancerListenersResponseBody().from_map(answer)
    tcp, http, udp = model.listeners
    first, second, third = tcp.tcplistener_config, http.httplistener_config, udp.udplistener_config
    assert (first.persistence_timeout, first.connection_drain) == (60, "on")
    assert first.connection_drain_timeout == 30
    assert (second.sticky_session, second.cookie_timeout) == ("on", 90)
    assert (http.scheduler, http.status) == ("rr", "stopped")
    assert (third.health_check, third.connection_drain) == ("off", None)


def test_session_persistence_of_alb_as_the_newer_sdks_models_read_it(
    sdk: NewerSdk, account: Account
) -> None:
    account.alb.group("sgp-1").sticky_seconds = 60
    answer = sdk("alb", "ListServerGroups")
    model = alb_models.ListServerGroupsResponseBody().from_map(answer)
    sticky = model.server_groups[0].sticky_session_config
    assert (sticky.sticky_session_enabled, sticky.cookie_timeout) == (True, 60)


def test_short_lived_keys_work(
    account: Account, gateway: RememberingGateway, endpoint: str
) -> None:
    key = account.keys.issue(900)
    assert key.security_token is not None
    keys = {
        "access_key_id": key.id,
        "access_key_secret": key.secret,
        "security_token": key.security_token,
    }
    sdk = NewerSdk(gateway, endpoint, **keys)
    assert sdk("alb", "ListServerGroups")["TotalCount"] == 1
    account.remove_key(key.id)
    with pytest.raises(ClientException) as error:
        sdk("alb", "ListServerGroups")
    assert error.value.code == "InvalidAccessKeyId.NotFound"


def test_a_refusal_reaches_the_newer_sdk_with_its_code_and_status(sdk: NewerSdk) -> None:
    with pytest.raises(ClientException) as error:
        sdk("nlb", "GetListenerHealthStatus", ListenerId="lsn-9")
    assert error.value.code == "ResourceNotFound.listener"
    assert error.value.status_code == 404


def test_a_field_of_another_name_or_type_would_be_found() -> None:
    body = nlb_models.GetJobStatusResponseBody().from_map({"Status": 1, "Reason": "x"})
    assert list(wrongly_typed(body, "GetJobStatus")) == ["GetJobStatus.status: 1 is no str"]
    assert "Reason" not in body.to_map()
