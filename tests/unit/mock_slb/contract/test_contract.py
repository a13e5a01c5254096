"""The mocked cloud keeps the API reference's contract: every action, over HTTP, one by one.

Parameters are refused or honoured as the contract says, answers have its fields in its types, and
every documented error can be played. What differs stands in mock_slb.contract.exceptions.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

import pytest

from mock_slb.account.account import Account
from mock_slb.contract import ARRAY, BOOLEAN, INTEGER, Contract, Parameter, contracts
from mock_slb.contract import exceptions as excepted
from mock_slb.gateway.products import PRODUCTS
from mock_slb.server import MockServer, serve
from mock_slb.signing.signature import sign

VERSIONS = {product.name: version for version, product in PRODUCTS.items()}
EVERY = [
    contract
    for product, version in VERSIONS.items()
    for action, contract in contracts(product).items()
]
TYPES = {"string": str, "integer": int, "boolean": bool}

Params = dict[str, str]
Server = dict[str, str]
SERVER = {"ServerId": "i-self", "ServerType": "Ecs", "Port": "80"}
BACKEND = json.dumps([{"ServerId": "i-self", "Port": 80}])


def named(contract: Contract) -> str:
    return f"{contract.product}-{contract.action}"


def flat(name: str, *servers: Mapping[str, str]) -> Params:
    return {f"{name}.{n}.{key}": v for n, one in enumerate(servers, 1) for key, v in one.items()}


@dataclass
class World:
    """An account with something of everything, and a client that signs."""

    server: MockServer
    connection: HTTPConnection

    def raw(self, contract: Contract, params: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        everything = {
            "Action": contract.action,
            "Version": VERSIONS[contract.product],
            "Format": "JSON",
            "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": str(uuid.uuid4()),
            "AccessKeyId": "k",
            **params,
        }
        everything["Signature"] = sign("POST", everything, "s")
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self.connection.request("POST", "/", urlencode(everything), form)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def ok(self, contract: Contract, params: Mapping[str, str]) -> dict[str, Any]:
        status, body = self.raw(contract, params)
        assert status == 200, body
        return body

    def refused(self, contract: Contract, params: Mapping[str, str]) -> tuple[str, str]:
        status, body = self.raw(contract, params)
        assert status == 400, f"not refused: {params}"
        return body["Code"], body["Message"]


@pytest.fixture(scope="module")
def started() -> Iterator[tuple[MockServer, HTTPConnection]]:
    with (
        serve(Account(), probe=False) as server,
        closing(HTTPConnection("127.0.0.1", server.port, timeout=5)) as connection,
    ):
        yield server, connection


@pytest.fixture
def world(started: tuple[MockServer, HTTPConnection]) -> World:
    server, connection = started
    fill(server.account)
    server.faults.clear()
    return World(server, connection)


def fill(account: Account) -> None:
    """Make everything anew."""
    fresh = Account()
    fresh.change_seconds = 0.0
    fresh.add_key("k", "s")
    fresh.add_role("r")
    for id_ in ("i-self", "i-there"):
        fresh.add_instance(id_)
    clb = fresh.add_load_balancer("lb-1", name="web", tags={"env": "test"})
    clb.default_group.add_server("i-there", description="d")
    clb.add_vserver_group("rsp-1", tags={"env": "test"}).add_server("i-there", port=80)
    clb.add_master_slave_group("rsp-ms", master=("i-self", 80), slave=("i-there", 80))
    for port, protocol in enumerate(("tcp", "udp", "http", "https"), 80):
        clb.add_listener(port, protocol, backend_port=80, sticky_seconds=60)
    clb.add_listener(84, "tcp", vserver_group="rsp-1", connection_drain_seconds=60)
    clb.add_listener(85, "tcp", master_slave_group="rsp-ms")
    for fleet in (fresh.alb, fresh.nlb):
        group = fleet.add_server_group("sgp-1", name="web", tags={"env": "test"})
        group.sticky_seconds = 60 if fleet is fresh.alb else None
        group.add_server("i-there", port=80, description="there")
        balancer = fleet.add_load_balancer("xlb-1", name="web", tags={"env": "test"})
        listener = balancer.add_listener(80, server_group="sgp-1", id="lsn-1", description="one")
        balancer.add_listener(81, server_group="sgp-1", tags={"env": "test"})
        if fleet is fresh.alb:
            balancer.add_rule(listener.id, server_group="sgp-1")
    vars(account).update(vars(fresh))


def job_of(world: World, product: str) -> str:
    add = contracts(product)["AddServersToServerGroup"]
    answer = world.ok(add, {"ServerGroupId": "sgp-1", **flat("Servers", SERVER)})
    job: str = answer["JobId"]
    return job


SAMPLES: Mapping[str, Callable[[World, str], Params]] = {
    "AddServersToServerGroup": lambda *_: flat("Servers", SERVER),
    "RemoveServersFromServerGroup": lambda *_: flat("Servers", {**SERVER, "ServerId": "i-there"}),
    "UpdateServerGroupServersAttribute": lambda *_: flat(
        "Servers", {**SERVER, "ServerId": "i-there", "Weight": "5"}
    ),
    "GetJobStatus": lambda world, product: {"JobId": job_of(world, product)},
    "ListAsynJobs": lambda world, product: {"JobIds.1": job_of(world, product)},
    "AssumeRole": lambda *_: {"RoleArn": "acs:ram::1234567890123456:role/r"},
    "GetListenerHealthStatus": lambda _, product: (
        {"IncludeRule": "true"} if product == "alb" else {}
    ),
    "DescribeVServerGroups": lambda *_: {"IncludeRule": "true", "IncludeListener": "true"},
    "DescribeMasterSlaveServerGroups": lambda *_: {"IncludeListener": "true"},
    "DescribeLoadBalancerUDPListenerAttribute": lambda *_: {"ListenerPort": "81"},
    "DescribeLoadBalancerHTTPListenerAttribute": lambda *_: {"ListenerPort": "82"},
    "DescribeLoadBalancerHTTPSListenerAttribute": lambda *_: {"ListenerPort": "83"},
    "ModifyVServerGroupBackendServers": lambda *_: {"NewBackendServers": BACKEND},
    "SetBackendServers": lambda *_: {"BackendServers": json.dumps([{"ServerId": "i-there"}])},
    "SetVServerGroupAttribute": lambda *_: {"VServerGroupName": "other"},
}
RESOURCES = {"slb": ("instance", "lb-1"), "alb": ("loadbalancer", "xlb-1")}


def sample(world: World, contract: Contract) -> Params:
    """Parameters with which the call succeeds."""
    product = contract.product
    kind, resource = RESOURCES.get(product, RESOURCES["alb"])
    known = {
        "RegionId": "cn-hangzhou",
        "LoadBalancerId": "lb-1" if product == "slb" else "xlb-1",
        "VServerGroupId": "rsp-1",
        "MasterSlaveServerGroupId": "rsp-ms",
        "ServerGroupId": "sgp-1",
        "ListenerId": "lsn-1",
        "ListenerPort": "80",
        "BackendServers": BACKEND,
        "RoleSessionName": "s-1",
        "ResourceType": kind,
    }
    needed = {name: known[name] for name, one in contract.parameters.items()
              if one.required and name in known}  # fmt: skip
    if contract.action == "ListTagResources":
        needed["ResourceId.1"] = resource
    return {**needed, **SAMPLES.get(contract.action, lambda *_: {})(world, product)}


# --- what there is -----------------------------------------------------------------------------


def test_the_mock_has_every_action_of_the_contract_and_no_other() -> None:
    for product, version in VERSIONS.items():
        assert set(PRODUCTS[version].actions) == set(contracts(product))


def test_an_action_that_only_the_mock_lacks_says_so(world: World) -> None:
    lacking = Contract("slb", "CreateLoadBalancer", {}, {}, ())
    status, body = world.raw(lacking, {})
    assert (status, body["Code"]) == (501, "MockedCloud.HasNoSuchAction")
    assert "has no CreateLoadBalancer; it has AddBackendServers" in body["Message"]
    status, body = world.raw(Contract("slb", "CreateLoadBalancers", {}, {}, ()), {})
    assert (status, body["Code"]) == (404, "InvalidAction.NotFound")


PLACES = [
    *excepted.BOUNDS, *excepted.NEEDED, *excepted.REFUSED, *excepted.WITHOUT_EFFECT, *excepted.GONE,
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES, ids="-".join)
def test_an_exception_is_about_a_parameter_that_there_is(place: excepted.Place) -> None:
    product, action, path = place
    name, _, field = path.partition(".")
    parameter = contracts(product)[action].parameters[name]
    assert not field or field in {one.name for one in parameter.fields}


@pytest.mark.parametrize("place", excepted.TOLD, ids="-".join)
def test_a_field_that_is_told_besides_is_really_none_of_the_contract(place: excepted.Place) -> None:
    product, action, path = place
    told: Any = contracts(product)[action].response
    *outer, name = path.split(".")
    for step in outer:
        told = told[step.removesuffix("[]")]
        told = told[0] if step.endswith("[]") else told
    assert name not in told


def test_parameters_that_are_gone_by_2026_stand_among_the_exceptions() -> None:
    gone = {(c.product, c.action, name) for c in EVERY for name in c.gone}
    assert gone == set(excepted.GONE)
    assert gone


# --- parameters ----------------------------------------------------------------------------------


def each_parameter() -> Iterator[Any]:
    for contract in EVERY:
        for name, parameter in contract.parameters.items():
            yield pytest.param(contract, parameter, id=f"{named(contract)}-{name}")


def without(params: Params, name: str) -> Params:
    return {k: v for k, v in params.items() if k != name and not k.startswith(f"{name}.")}


@pytest.mark.parametrize(("contract", "parameter"), list(each_parameter()))
def test_a_parameter_is_taken_and_refused_as_the_contract_says(
    world: World, contract: Contract, parameter: Parameter
) -> None:
    params, name = sample(world, contract), parameter.name
    bare = without(params, name)
    if parameter.required:
        code, message = world.refused(contract, bare)
        assert code.startswith("Missing")
        assert name in code + message
    if parameter.type == INTEGER:
        numbers(world, contract, parameter, params)
    if parameter.type == BOOLEAN:
        code, message = world.refused(contract, {**params, name: "perhaps"})
        assert f"{name}: it must be true or false" in message
    if parameter.type == ARRAY:
        lists(world, contract, parameter, bare)


def numbers(world: World, contract: Contract, parameter: Parameter, params: Params) -> None:
    name = parameter.name
    for value in ("x", "-1", "1.5", "9" * 5000):
        assert name in world.refused(contract, {**params, name: value})[1]
    for limit, beyond in ((parameter.low, -1), (parameter.high, 1)):
        if limit is None:
            continue
        if limit + beyond >= 0:
            _, message = world.refused(contract, {**params, name: str(limit + beyond)})
            assert f"{name}: it must be {limit}" in message
        paged = {"PageNumber": "1"} if name == "PageSize" else {}
        _, body = world.raw(contract, {**params, **paged, name: str(limit)})
        assert f"{name}: it must be" not in body.get("Message", "")


def lists(world: World, contract: Contract, parameter: Parameter, bare: Params) -> None:
    name = parameter.name
    for field in parameter.fields:
        good = {**SERVER, "Key": "k", "Value": "v"}
        good = {one.name: good[one.name] for one in parameter.fields if one.name in good}
        if field.required:
            code, message = world.refused(
                contract, {**bare, **flat(name, {k: v for k, v in good.items() if k != field.name})}
            )
            assert code.startswith("Missing")
            assert field.name in code + message
        if field.type == INTEGER:
            for value in ("x", *beyond(field)):
                code, message = world.refused(
                    contract, {**bare, **flat(name, {**good, field.name: value})}
                )
                assert f"{name}.1.{field.name}: it must be" in message
    if parameter.most is not None:
        many = elements(parameter, parameter.most + 1)
        assert name in world.refused(contract, {**bare, **many})[1]
        _, body = world.raw(contract, {**bare, **elements(parameter, parameter.most)})
        assert "at most" not in body.get("Message", "")
    if name == "Tag":
        assert "TagKey" in "".join(world.refused(contract, {**bare, "Tag.1.Value": "v"}))
        long = {**bare, "Tag.1.Key": "k" * 65}
        assert "64 characters" in world.refused(contract, long)[1]


def beyond(field: Parameter) -> list[str]:
    limits = [] if field.high is None else [str(field.high + 1)]
    return limits if not field.low else [*limits, str(field.low - 1)]


def elements(parameter: Parameter, number: int) -> Params:
    if not parameter.fields:
        return {f"{parameter.name}.{n}": f"x-{n}" for n in range(1, number + 1)}
    if parameter.name == "Tag":
        return flat("Tag", *({"Key": f"k{n}", "Value": "v"} for n in range(number)))
    return flat("Servers", *({**SERVER, "Port": str(n)} for n in range(1, number + 1)))


# Filters: one that the entries of a listing meet, and one that they do not.
LISTINGS = [
    c for c in EVERY
    if c.action.startswith("List") or c.action in {
        "DescribeLoadBalancers", "DescribeLoadBalancerListeners", "DescribeVServerGroups",
        "DescribeMasterSlaveServerGroups", "DescribeTags", "DescribeInstances",
    }
]  # fmt: skip
NO_FILTERS = {"RegionId", "NextToken", "MaxResults", "PageNumber", "PageSize", "IncludeRule",
              "IncludeListener", "DistinctKey", "DryRun"}  # fmt: skip
MET = {
    "ServerId": "i-there", "LoadBalancerId": "lb-1", "LoadBalancerName": "web",
    "ServerIntranetAddress": "192.168.0.2", "AddressIPVersion": "ipv4",
    "LoadBalancerStatus": "active", "AddressType": "intranet", "InternetChargeType": "4",
    "VpcId": "vpc-mock", "VSwitchId": "vsw-mock", "NetworkType": "vpc", "Address": "192.168.255.1",
    "MasterZoneId": "cn-hangzhou-h", "SlaveZoneId": "cn-hangzhou-g", "PayType": "PayOnDemand",
    "ResourceGroupId": "rg-mock", "Tags": '[{"TagKey": "env", "TagValue": "test"}]',
    "ListenerProtocol": "tcp", "ListenerPort": "80", "ServerGroupId": "sgp-1",
    "ServerGroupType": "Instance", "ResourceType": "servergroup", "Direction": "Request",
    "ApiName": "AddServersToServerGroup", "BeginTime": "0", "EndTime": "9" * 15,
    "ZoneId": "cn-hangzhou-h", "AddressIpVersion": "IPv4", "LoadBalancerType": "Network",
    "LoadBalancerBussinessStatus": "Normal", "LoadBalancerBusinessStatus": "Normal",
    "ServerIds": "i-there", "ServerIps": "192.168.0.2", "ServerGroupIds": "sgp-1",
    "ServerGroupNames": "web", "ListenerIds": "lsn-1", "LoadBalancerIds": "xlb-1",
    "LoadBalancerNames": "web", "VpcIds": "vpc-mock", "ResourceIds": "sgp-1",
    "DNSName": "xlb-1.cn-hangzhou.alb.aliyuncsslb.com",
    "RuleIds": "rule-1-1", "InstanceIds": '["i-there"]', "Status": "Running",
    "InstanceNetworkType": "vpc", "PrivateIpAddresses": '["192.168.0.2"]',
}  # fmt: skip
MET_BY = {
    ("alb", "AddressType"): "Intranet", ("alb", "LoadBalancerStatus"): "Active",
    ("alb", "PayType"): "PostPay", ("alb", "ListenerProtocol"): "HTTP",
    ("nlb", "AddressType"): "Intranet", ("nlb", "LoadBalancerStatus"): "Active",
    ("nlb", "AddressIpVersion"): "ipv4", ("nlb", "ListenerProtocol"): "TCP",
    ("nlb", "DNSName"): "xlb-1.cn-hangzhou.nlb.aliyuncsslb.com",
}  # fmt: skip
# No entry of the mock's has such a value: every filter leaves nothing.
NEVER_MET = {"Ipv6AddressType"}
UNMET = {"BeginTime": "9" * 15, "EndTime": "0", "ListenerPort": "99",
         "Tags": '[{"TagKey": "none"}]', "InstanceIds": "[]",
         "PrivateIpAddresses": "[]"}  # fmt: skip


def each_filter() -> Iterator[Any]:
    for contract in LISTINGS:
        for name, parameter in contract.parameters.items():
            place = (contract.product, contract.action, name)
            if name in NO_FILTERS or place in excepted.WITHOUT_EFFECT:
                continue
            if contract.action == "ListTagResources" and name == "ResourceType":
                continue
            yield pytest.param(contract, parameter, id=f"{named(contract)}-{name}")


def entries(contract: Contract, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The one list of the answer, whichever its name."""
    for name, value in answer.items():
        if isinstance(value, list):
            return value
        if isinstance(value, dict) and name in contract.response:
            (inner,) = value.values()
            return list(inner)
    raise AssertionError(answer)


@pytest.mark.parametrize(("contract", "parameter"), list(each_filter()))
def test_a_filter_is_honoured_or_refused_by_its_name(
    world: World, contract: Contract, parameter: Parameter
) -> None:
    name, params = parameter.name, sample(world, contract)
    listed_by_id = contract.action == "ListTagResources"
    base = params if listed_by_id and name == "Tag" else without(params, name)
    if (contract.product, contract.action, name) in excepted.REFUSED:
        value = {BOOLEAN: "true", INTEGER: "1"}.get(parameter.type, "x")
        key = f"{name}.1" if parameter.type == ARRAY else name
        key += f".{parameter.fields[0].name}" if parameter.fields else ""
        assert f"does not filter by {name}" in world.refused(contract, {**base, key: value})[1]
        return
    if name == "Tag":
        met, unmet = {"Tag.1.Key": "env", "Tag.1.Value": "test"}, {"Tag.1.Key": "none"}
    else:
        key = f"{name}.1" if parameter.type == ARRAY else name
        value = params.get(key) or MET_BY.get((contract.product, name)) or MET.get(name, "?")
        met, unmet = {key: value}, {key: UNMET.get(name, "none")}
    status, answer = world.raw(contract, {**base, **unmet})
    # What is named and not there is an error of some actions, and no entry of others.
    assert status != 200 or not entries(contract, answer)
    if name not in NEVER_MET and (contract.action, name) not in NOTHING_TAGGED:
        assert entries(contract, world.ok(contract, {**base, **met}))


# The mock's rules, and listeners of CLB, have no tags.
NOTHING_TAGGED = {("ListRules", "Tag"), ("DescribeLoadBalancerListeners", "Tag"),
                  ("DescribeMasterSlaveServerGroups", "Tag")}  # fmt: skip


# --- answers -------------------------------------------------------------------------------------


def strays(contract: Contract, told: object, value: object, path: str) -> Iterator[str]:
    """What the contract does not have, or has in another type."""
    if (contract.product, contract.action, path) in excepted.TOLD:
        return
    if isinstance(told, list):
        if not isinstance(value, list):
            yield f"{path} is no list"
            return
        for one in value:
            yield from strays(contract, told[0], one, f"{path}[]")
    elif isinstance(told, dict):
        if not isinstance(value, dict):
            yield f"{path} is no object"
            return
        for name, one in value.items():
            place = f"{path}.{name}" if path else name
            if name not in told and (contract.product, contract.action, place) not in excepted.TOLD:
                yield f"{place} is not in the contract"
            else:
                yield from strays(contract, told.get(name), one, place)
    elif told is None or type(value) is not TYPES[str(told)]:
        yield f"{path}: {value!r} is no {told}"


@pytest.mark.parametrize("contract", EVERY, ids=named)
def test_an_answer_has_only_fields_of_the_contract_in_their_types(
    world: World, contract: Contract
) -> None:
    answer = world.ok(contract, sample(world, contract))
    assert list(strays(contract, contract.response, answer, "")) == []
    assert set(answer) - {"RequestId"} or contract.response.keys() <= {"RequestId"}


def test_a_listing_of_listeners_tells_what_other_clients_read(world: World) -> None:
    listing = contracts("slb")["DescribeLoadBalancerListeners"]
    configs = [
        one[f"{one['ListenerProtocol'].upper()}ListenerConfig"]
        for one in world.ok(listing, {})["Listeners"]
    ]
    assert [one.get("HealthCheckSwitch") for one in configs[:4]] == ["on", "on", None, None]
    assert (configs[4]["ConnectionDrain"], configs[4]["ConnectionDrainTimeout"]) == ("on", 60)
    assert configs[5]["MasterSlaveServerGroupId"] == "rsp-ms"


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", EVERY, ids=named)
def test_every_documented_error_can_be_played(world: World, contract: Contract) -> None:
    params = sample(world, contract)
    for error in contract.errors:
        rule = {
            "effect": "refuse",
            "code": error.code,
            "action": contract.action,
            "match": {"Version": VERSIONS[contract.product]},
            "times": 1,
        }
        headers = {"Content-Type": "application/json"}
        world.connection.request("POST", "/_mock/faults", json.dumps(rule), headers)
        assert json.loads(world.connection.getresponse().read()).keys() == {"id"}
        status, body = world.raw(contract, params)
        assert (status, body["Code"]) == (error.status, error.code)
    assert world.raw(contract, params)[0] == 200
