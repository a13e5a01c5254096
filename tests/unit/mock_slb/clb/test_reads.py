from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mock_slb.account.account import Account
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.core.resources import HealthCheck

if TYPE_CHECKING:
    from conftest import Api

# The fields of the public reference for Slb 2014-05-15, by name and type.
LOAD_BALANCER_FIELDS = {
    "Address": str, "AddressIPVersion": str, "AddressType": str, "CreateTime": str,
    "CreateTimeStamp": int, "DeleteProtection": str, "InternetChargeType": str,
    "LoadBalancerId": str, "LoadBalancerName": str, "LoadBalancerSpec": str,
    "LoadBalancerStatus": str, "MasterZoneId": str, "ModificationProtectionStatus": str,
    "NetworkType": str, "PayType": str, "RegionId": str, "RegionIdAlias": str,
    "ResourceGroupId": str, "SlaveZoneId": str, "Tags": dict, "VSwitchId": str, "VpcId": str,
}  # fmt: skip
ATTRIBUTE_FIELDS = {
    **LOAD_BALANCER_FIELDS, "BackendServers": dict, "Bandwidth": int, "EndTime": str,
    "EndTimeStamp": int, "ListenerPorts": dict, "ListenerPortsAndProtocal": dict,
    "ListenerPortsAndProtocol": dict, "RequestId": str,
}  # fmt: skip


def types_of(view: dict[str, object]) -> dict[str, type]:
    return {name: type(value) for name, value in view.items()}


def test_a_load_balancer_is_described_with_the_fields_of_the_reference(
    api: Api, balancer: LoadBalancer
) -> None:
    balancer.default_group.add_server("i-self", weight=3, description="d")
    answer = api("DescribeLoadBalancerAttribute", LoadBalancerId="lb-1")
    assert types_of(answer) == ATTRIBUTE_FIELDS
    assert answer["CreateTime"] == "2026-05-28T20:26:40Z"
    assert answer["CreateTimeStamp"] == 1_780_000_000_000
    assert answer["Tags"] == {"Tag": [{"TagKey": "env", "TagValue": "test"}]}
    assert answer["BackendServers"]["BackendServer"] == [
        {
            "ServerId": "i-self",
            "Weight": 3,
            "Type": "ecs",
            "Description": "d",
            "ServerIp": "192.168.0.1",
        }
    ]


def test_listeners_are_listed_three_times_once_misspelt(api: Api) -> None:
    answer = api("DescribeLoadBalancerAttribute", LoadBalancerId="lb-1")
    assert answer["ListenerPorts"] == {"ListenerPort": [80]}
    assert answer["ListenerPortsAndProtocal"] == {
        "ListenerPortAndProtocal": [{"ListenerPort": 80, "ListenerProtocal": "tcp"}]
    }
    (right,) = answer["ListenerPortsAndProtocol"]["ListenerPortAndProtocol"]
    assert (right["ListenerPort"], right["ListenerProtocol"]) == (80, "tcp")


def test_a_vserver_group_names_its_load_balancer(api: Api, account: Account) -> None:
    account.group("rsp-1").add_server("i-self", port=8080, weight=4)
    answer = api("DescribeVServerGroupAttribute", VServerGroupId="rsp-1")
    assert answer["LoadBalancerId"] == "lb-1"
    assert answer["VServerGroupName"] == "api"
    assert answer["BackendServers"]["BackendServer"] == [
        {
            "ServerId": "i-self",
            "Port": 8080,
            "Weight": 4,
            "Type": "ecs",
            "ServerIp": "192.168.0.1",
        }
    ]


def test_an_empty_group_is_an_empty_list(api: Api) -> None:
    attribute = api("DescribeLoadBalancerAttribute", LoadBalancerId="lb-1")
    group = api("DescribeVServerGroupAttribute", VServerGroupId="rsp-1")
    health = api("DescribeHealthStatus", LoadBalancerId="lb-1")
    for answer in (attribute, group, health):
        assert answer["BackendServers"] == {"BackendServer": []}


def test_health_is_told_per_listener_and_server(api: Api, balancer: LoadBalancer) -> None:
    balancer.add_listener(443, "http", vserver_group="rsp-1")
    backend = balancer.default_group.add_server("i-self")
    balancer.vserver_groups()[0].add_server("i-other", port=9000)
    balancer.report_health(balancer.listeners["tcp:80"], backend, "normal")
    answer = api("DescribeHealthStatus", LoadBalancerId="lb-1")
    assert answer["BackendServers"]["BackendServer"] == [
        {
            "ServerId": "i-self",
            "ServerIp": "192.168.0.1",
            "Port": 8080,
            "ListenerPort": 80,
            "Protocol": "tcp",
            "ServerHealthStatus": "normal",
        },
        {
            "ServerId": "i-other",
            "ServerIp": "192.168.0.2",
            "Port": 9000,
            "ListenerPort": 443,
            "Protocol": "http",
            "ServerHealthStatus": "unavailable",
        },
    ]
    named = api("DescribeHealthStatus", LoadBalancerId="lb-1", ListenerPort=443)
    assert [s["ServerId"] for s in named["BackendServers"]["BackendServer"]] == ["i-other"]


def test_health_of_a_port_with_two_protocols_needs_the_protocol(
    api: Api, balancer: LoadBalancer
) -> None:
    balancer.add_listener(80, "udp")
    balancer.default_group.add_server("i-self")
    call = {"LoadBalancerId": "lb-1", "ListenerPort": 80}
    assert api.refusal("DescribeHealthStatus", **call) == (400, "TooManyListeners")
    answer = api("DescribeHealthStatus", **call, ListenerProtocol="udp")
    assert [s["Protocol"] for s in answer["BackendServers"]["BackendServer"]] == ["udp"]
    everything = api("DescribeHealthStatus", LoadBalancerId="lb-1")
    assert len(everything["BackendServers"]["BackendServer"]) == 2
    balancer.add_listener(81, "udp", backend_port=80)
    of_one = api("DescribeHealthStatus", LoadBalancerId="lb-1", ListenerProtocol="udp")
    ports = [one["ListenerPort"] for one in of_one["BackendServers"]["BackendServer"]]
    assert ports == [80, 81]
    none = {"LoadBalancerId": "lb-1", "ListenerProtocol": "http"}
    assert api.refusal("DescribeHealthStatus", **none) == (404, "ListenerNotFound")


def test_health_of_a_port_without_listener_is_an_error(api: Api) -> None:
    call = {"LoadBalancerId": "lb-1", "ListenerPort": 81}
    assert api.refusal("DescribeHealthStatus", **call) == (404, "ListenerNotFound")


def found(answer: dict[str, object]) -> list[str]:
    balancers = answer["LoadBalancers"]
    assert isinstance(balancers, dict)
    return [one["LoadBalancerId"] for one in balancers["LoadBalancer"]]


def test_load_balancers_are_listed_with_the_fields_of_the_reference(api: Api) -> None:
    answer = api("DescribeLoadBalancers")
    (one,) = answer["LoadBalancers"]["LoadBalancer"]
    assert types_of(one) == LOAD_BALANCER_FIELDS
    assert (answer["PageNumber"], answer["PageSize"], answer["TotalCount"]) == (1, 10, 1)


@pytest.mark.parametrize(
    ("tags", "ids"),
    [
        ([("env", "test")], ["lb-1", "lb-2"]),
        ([("env", "test"), ("app", "cf")], ["lb-2"]),
        ([("env", "prod")], []),
        ([("app", None)], ["lb-2"]),
    ],
)
def test_load_balancers_are_found_by_all_of_the_tags(
    api: Api, account: Account, tags: list[tuple[str, str | None]], ids: list[str]
) -> None:
    account.add_load_balancer("lb-2", tags={"env": "test", "app": "cf"})
    account.add_load_balancer("lb-3")
    older = [{"TagKey": k, **({"TagValue": v} if v else {})} for k, v in tags]
    assert found(api("DescribeLoadBalancers", Tags=older)) == ids
    newer = {f"Tag.{n}.Key": k for n, (k, _) in enumerate(tags, 1)}
    newer.update({f"Tag.{n}.Value": v for n, (_, v) in enumerate(tags, 1) if v})
    assert found(api("DescribeLoadBalancers", **newer)) == ids


@pytest.mark.parametrize("tags", ["x", "{}x", '[{"Key": "a"}]', "[1]", "7"])
def test_tags_that_are_no_list_of_tags_are_refused(api: Api, tags: str) -> None:
    assert api.refusal("DescribeLoadBalancers", Tags=tags) == (400, "InvalidParameter")


def test_load_balancers_are_found_by_id_name_and_server(
    api: Api, account: Account, balancer: LoadBalancer
) -> None:
    other = account.add_load_balancer("lb-2", name="second")
    other.default_group.add_server("i-self")
    balancer.vserver_groups()[0].add_server("i-other", port=80)
    assert found(api("DescribeLoadBalancers", LoadBalancerId="lb-2,lb-9")) == ["lb-2"]
    assert found(api("DescribeLoadBalancers", LoadBalancerName="web")) == ["lb-1"]
    assert found(api("DescribeLoadBalancers", ServerId="i-self")) == ["lb-2"]
    assert found(api("DescribeLoadBalancers", ServerId="i-other")) == ["lb-1"]
    assert found(api("DescribeLoadBalancers", VpcId="vpc-other")) == []


def test_load_balancers_come_in_pages(api: Api, account: Account) -> None:
    for n in range(2, 8):
        account.add_load_balancer(f"lb-{n}")
    pages = [api("DescribeLoadBalancers", PageNumber=n, PageSize=3) for n in (1, 2, 3, 4)]
    assert [found(page) for page in pages] == [
        ["lb-1", "lb-2", "lb-3"],
        ["lb-4", "lb-5", "lb-6"],
        ["lb-7"],
        [],
    ]
    assert {page["TotalCount"] for page in pages} == {7}
    assert {page["PageSize"] for page in pages} == {3}


@pytest.mark.parametrize(
    ("paging", "code"),
    [
        ({"PageSize": "10"}, "MissingParameter"),
        ({"PageNumber": "1", "PageSize": "101"}, "InvalidParameter"),
        ({"PageNumber": "0"}, "InvalidParameter"),
        ({"PageNumber": "x"}, "InvalidParameter"),
        ({"PageNumber": "1" * 5000}, "InvalidParameter"),
    ],
)
def test_paging_that_makes_no_sense_is_refused(api: Api, paging: dict[str, str], code: str) -> None:
    assert api.refusal("DescribeLoadBalancers", **paging) == (400, code)


def test_the_listing_needs_a_region(api: Api) -> None:
    assert api.refusal("DescribeLoadBalancers", RegionId="") == (400, "MissingParameter")


def test_more_than_twenty_tags_are_refused(api: Api) -> None:
    tags = [{"TagKey": f"k{n}", "TagValue": "v"} for n in range(21)]
    assert api.refusal("DescribeLoadBalancers", Tags=tags) == (400, "InvalidParameter")


def test_only_the_region_that_is_asked_for_is_seen(api: Api, account: Account) -> None:
    account.add_load_balancer("lb-far", region="cn-beijing")
    far = {"RegionId": "cn-beijing"}
    assert found(api("DescribeLoadBalancers", **far)) == ["lb-far"]
    attribute = api("DescribeLoadBalancerAttribute", LoadBalancerId="lb-far", **far)
    assert attribute["RegionId"] == "cn-beijing"
    group = api.refusal("DescribeVServerGroupAttribute", VServerGroupId="rsp-1", **far)
    assert group == (404, "InvalidParameter")


def test_listeners_tell_the_backend_port_and_whether_they_check(
    api: Api, balancer: LoadBalancer
) -> None:
    balancer.add_listener(443, "http", backend_port=8443, health_check=None)
    check = HealthCheck("http", path="/health", port=9001)
    balancer.add_listener(9000, "http", vserver_group="rsp-1", health_check=check)
    answer = api("DescribeLoadBalancerListeners", **{"LoadBalancerId.1": "lb-1"})
    first, second, third = answer["Listeners"]
    assert (first["ListenerPort"], first["BackendServerPort"]) == (80, 8080)
    assert first["TCPListenerConfig"]["HealthCheck"] == "on"
    assert second["HTTPListenerConfig"] == {"HealthCheck": "off", "StickySession": "off"}
    assert third["VServerGroupId"] == "rsp-1"
    assert "BackendServerPort" not in third
    assert third["HTTPListenerConfig"]["HealthCheckURI"] == "/health"
    assert third["HTTPListenerConfig"]["HealthCheckConnectPort"] == 9001


def test_listeners_come_in_pages_by_token_and_by_filter(api: Api, balancer: LoadBalancer) -> None:
    for port in (81, 82):
        balancer.add_listener(port)
    first = api("DescribeLoadBalancerListeners", MaxResults=2)
    assert [one["ListenerPort"] for one in first["Listeners"]] == [80, 81]
    assert first["TotalCount"] == 3
    rest = api("DescribeLoadBalancerListeners", MaxResults=2, NextToken=first["NextToken"])
    assert [one["ListenerPort"] for one in rest["Listeners"]] == [82]
    assert "NextToken" not in rest
    one = api("DescribeLoadBalancerListeners", ListenerPort=81, ListenerProtocol="tcp")
    assert [each["ListenerPort"] for each in one["Listeners"]] == [81]
    none = api("DescribeLoadBalancerListeners", **{"LoadBalancerId.1": "lb-none"})
    assert none["Listeners"] == []
