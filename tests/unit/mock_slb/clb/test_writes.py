from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mock_slb.account.account import Account
from mock_slb.clb.balancer import LoadBalancer

if TYPE_CHECKING:
    from conftest import Api

SELF = [{"ServerId": "i-self"}]


def default_group(balancer: LoadBalancer) -> list[tuple[str, int, str]]:
    return [(b.server_id, b.weight, b.description) for b in balancer.default_group.servers()]


def vserver_group(account: Account) -> list[tuple[str, int, int, str]]:
    servers = account.group("rsp-1").servers()
    return [(b.server_id, b.port, b.weight, b.description) for b in servers]


def test_add_puts_a_server_into_the_default_group(api: Api, balancer: LoadBalancer) -> None:
    answer = api(
        "AddBackendServers",
        LoadBalancerId="lb-1",
        BackendServers=[{"ServerId": "i-self", "Weight": 30, "Description": "bosh/1"}],
    )
    assert default_group(balancer) == [("i-self", 30, "bosh/1")]
    assert answer.pop("RequestId")
    # The reference: Add and Set give the weight back as a string.
    server = {"ServerId": "i-self", "Weight": "30", "Type": "ecs", "Description": "bosh/1"}
    assert answer == {"LoadBalancerId": "lb-1", "BackendServers": {"BackendServer": [server]}}


def test_set_changes_weight_and_description_and_leaves_the_others(
    api: Api, balancer: LoadBalancer
) -> None:
    balancer.default_group.add_server("i-other", weight=40, description="keep")
    balancer.default_group.add_server("i-self", weight=50, description="bosh/1")
    answer = api(
        "SetBackendServers",
        LoadBalancerId="lb-1",
        BackendServers=[{"ServerId": "i-self", "Weight": 0, "Description": "bosh/1"}],
    )
    assert default_group(balancer) == [("i-other", 40, "keep"), ("i-self", 0, "bosh/1")]
    assert [s["Weight"] for s in answer["BackendServers"]["BackendServer"]] == ["40", "0"]


def test_a_description_that_is_not_sent_again_is_lost(api: Api, balancer: LoadBalancer) -> None:
    balancer.default_group.add_server("i-self", weight=50, description="bosh/1")
    entry = {"ServerId": "i-self", "Weight": 0}
    api("SetBackendServers", LoadBalancerId="lb-1", BackendServers=[entry])
    assert default_group(balancer) == [("i-self", 0, "")]


def test_remove_takes_a_server_out_and_ignores_absent_ones(
    api: Api, balancer: LoadBalancer
) -> None:
    balancer.default_group.add_server("i-self")
    balancer.default_group.add_server("i-other")
    for _ in range(2):
        answer = api("RemoveBackendServers", LoadBalancerId="lb-1", BackendServers=SELF)
        assert default_group(balancer) == [("i-other", 100, "")]
        assert [s["Weight"] for s in answer["BackendServers"]["BackendServer"]] == [100]


def test_remove_takes_the_older_form_of_plain_ids(api: Api, balancer: LoadBalancer) -> None:
    balancer.default_group.add_server("i-self")
    api("RemoveBackendServers", LoadBalancerId="lb-1", BackendServers=["i-self"])
    assert default_group(balancer) == []


def test_a_vserver_group_is_written_by_server_and_port(api: Api, account: Account) -> None:
    both = [{"ServerId": "i-self", "Port": 80}, {"ServerId": "i-self", "Port": "81", "Weight": "9"}]
    answer = api("AddVServerGroupBackendServers", VServerGroupId="rsp-1", BackendServers=both)
    assert vserver_group(account) == [("i-self", 80, 100, ""), ("i-self", 81, 9, "")]
    assert answer["VServerGroupId"] == "rsp-1"
    assert answer["BackendServers"]["BackendServer"][1] == {
        "ServerId": "i-self",
        "Port": 81,
        "Weight": 9,
        "Type": "ecs",
    }
    api(
        "SetVServerGroupAttribute",
        VServerGroupId="rsp-1",
        BackendServers=[{"ServerId": "i-self", "Port": 80, "Weight": 0, "Description": "d"}],
    )
    assert vserver_group(account) == [("i-self", 80, 0, "d"), ("i-self", 81, 9, "")]
    for _ in range(2):
        one = [{"ServerId": "i-self", "Port": 80}]
        api("RemoveVServerGroupBackendServers", VServerGroupId="rsp-1", BackendServers=one)
        assert vserver_group(account) == [("i-self", 81, 9, "")]


def test_set_vserver_group_attribute_renames_the_group(api: Api, account: Account) -> None:
    answer = api("SetVServerGroupAttribute", VServerGroupId="rsp-1", VServerGroupName="new")
    assert answer["VServerGroupName"] == "new"
    assert account.group("rsp-1").name == "new"


def test_modify_exchanges_servers_or_changes_nothing(api: Api, account: Account) -> None:
    account.group("rsp-1").add_server("i-other", port=80)
    old = [{"ServerId": "i-other", "Port": 80}]
    call = {"VServerGroupId": "rsp-1", "OldBackendServers": old}
    new = [{"ServerId": "i-none", "Port": 80}]
    refused = api.refusal("ModifyVServerGroupBackendServers", **call, NewBackendServers=new)
    assert refused == (400, "ObtainIpFail")
    assert vserver_group(account) == [("i-other", 80, 100, "")]
    new = [{"ServerId": "i-self", "Port": 81}]
    api("ModifyVServerGroupBackendServers", **call, NewBackendServers=new)
    assert vserver_group(account) == [("i-self", 81, 100, "")]


def test_of_two_alike_in_one_call_the_first_counts(api: Api, balancer: LoadBalancer) -> None:
    twice = [{"ServerId": "i-self", "Weight": 1}, {"ServerId": "i-self", "Weight": 2}]
    api("AddBackendServers", LoadBalancerId="lb-1", BackendServers=twice)
    assert default_group(balancer) == [("i-self", 1, "")]


def test_a_call_adds_all_or_none(api: Api, balancer: LoadBalancer) -> None:
    servers = [{"ServerId": "i-self"}, {"ServerId": "i-none"}]
    refused = api.refusal("AddBackendServers", LoadBalancerId="lb-1", BackendServers=servers)
    assert refused == (400, "ObtainIpFail")
    assert default_group(balancer) == []


def test_an_add_of_what_is_there_fails_where_the_account_says_so(
    api: Api, account: Account, balancer: LoadBalancer
) -> None:
    account.already_there = "error"
    balancer.default_group.add_server("i-self")
    body = api("AddBackendServers", LoadBalancerId="lb-1", BackendServers=SELF)
    assert api.status == 400
    assert (body["Code"], body["Message"]) == ("InvalidParameter", "The resource already exists.")


@pytest.mark.parametrize("count", [20, 21])
def test_a_call_carries_twenty_servers_at_most(
    api: Api, account: Account, balancer: LoadBalancer, count: int
) -> None:
    for n in range(count):
        account.add_instance(f"i-{n}")
    servers = [{"ServerId": f"i-{n}"} for n in range(count)]
    answer = api("AddBackendServers", LoadBalancerId="lb-1", BackendServers=servers)
    if count == 20:
        assert len(default_group(balancer)) == 20
    else:
        assert (api.status, answer["Code"]) == (400, "TooManyBackendServers")
        assert default_group(balancer) == []


@pytest.mark.parametrize("weight", [-1, 101, 1.5, "x", "", None, True])
def test_a_weight_is_a_whole_number_up_to_100(api: Api, weight: object) -> None:
    server = [{"ServerId": "i-self", "Weight": weight}]
    refused = api.refusal("AddBackendServers", LoadBalancerId="lb-1", BackendServers=server)
    assert refused == (400, "InvalidWeight.Malformed")


@pytest.mark.parametrize("weight", [0, 100, "0", "100"])
def test_a_weight_may_come_as_number_or_text(
    api: Api, balancer: LoadBalancer, weight: object
) -> None:
    server = [{"ServerId": "i-self", "Weight": weight}]
    api("AddBackendServers", LoadBalancerId="lb-1", BackendServers=server)
    assert default_group(balancer) == [("i-self", int(str(weight)), "")]


@pytest.mark.parametrize("description", ["x" * 80, "bosh/0a-1.b_c", "后端"])
def test_a_description_may_have_what_the_reference_allows(
    api: Api, balancer: LoadBalancer, description: str
) -> None:
    server = [{"ServerId": "i-self", "Description": description}]
    api("AddBackendServers", LoadBalancerId="lb-1", BackendServers=server)
    assert default_group(balancer) == [("i-self", 100, description)]


@pytest.mark.parametrize("description", ["x" * 81, "with space", "a:b", 'a"b', "a\nb", 5])
def test_a_description_may_have_nothing_else(api: Api, description: object) -> None:
    server = [{"ServerId": "i-self", "Description": description}]
    refused = api.refusal("AddBackendServers", LoadBalancerId="lb-1", BackendServers=server)
    assert refused == (400, "BackendServersMalformed")


@pytest.mark.parametrize("port", [None, 0, 65536, "x", -1])
def test_a_vserver_groups_server_needs_a_port(api: Api, port: object) -> None:
    server = [{"ServerId": "i-self", "Port": port}]
    body = api("AddVServerGroupBackendServers", VServerGroupId="rsp-1", BackendServers=server)
    assert (api.status, body["Code"]) == (400, "InvalidParameter")
    assert "[1, 65535]" in body["Message"]


@pytest.mark.parametrize("servers", ["no json", "{}", "[]", "[1]", '[{"Weight": 1}]', "null"])
def test_backend_servers_must_be_a_list_of_servers(api: Api, servers: str) -> None:
    refused = api.refusal("AddBackendServers", LoadBalancerId="lb-1", BackendServers=servers)
    assert refused == (400, "BackendServersMalformed")


@pytest.mark.parametrize(
    ("action", "params", "missing"),
    [
        ("AddBackendServers", {"BackendServers": SELF}, "LoadBalancerId"),
        ("AddBackendServers", {"LoadBalancerId": "lb-1"}, "BackendServers"),
        ("SetBackendServers", {"LoadBalancerId": "lb-1"}, "BackendServers"),
        ("RemoveBackendServers", {"LoadBalancerId": "lb-1"}, "BackendServers"),
        ("DescribeHealthStatus", {}, "LoadBalancerId"),
        ("DescribeLoadBalancerAttribute", {}, "LoadBalancerId"),
        ("DescribeVServerGroupAttribute", {}, "VServerGroupId"),
        ("AddVServerGroupBackendServers", {"VServerGroupId": "rsp-1"}, "BackendServers"),
        ("RemoveVServerGroupBackendServers", {"VServerGroupId": "rsp-1"}, "BackendServers"),
    ],
)
def test_a_missing_parameter_is_named(
    api: Api, action: str, params: dict[str, object], missing: str
) -> None:
    body = api(action, **params)
    assert (api.status, body["Code"]) == (400, "MissingParameter")
    assert f'"{missing}"' in body["Message"]


@pytest.mark.parametrize(
    "action", ["AddBackendServers", "SetBackendServers", "RemoveBackendServers"]
)
def test_writes_to_a_load_balancer_that_is_not_there(api: Api, action: str) -> None:
    refused = api.refusal(action, LoadBalancerId="lb-none", BackendServers=SELF)
    assert refused == (404, "InvalidLoadBalancerId.NotFound")


@pytest.mark.parametrize(
    "action",
    [
        "AddVServerGroupBackendServers",
        "RemoveVServerGroupBackendServers",
        "SetVServerGroupAttribute",
        "DescribeVServerGroupAttribute",
    ],
)
def test_a_vserver_group_that_is_not_there_is_an_invalid_parameter_with_404(
    api: Api, action: str
) -> None:
    refused = api.refusal(action, VServerGroupId="rsp-none", BackendServers=SELF)
    assert refused == (404, "InvalidParameter")


def test_set_on_an_absent_server_is_an_error_and_changes_nothing(
    api: Api, account: Account, balancer: LoadBalancer
) -> None:
    balancer.default_group.add_server("i-other", weight=40)
    servers = [{"ServerId": "i-other", "Weight": 1}, {"ServerId": "i-self", "Weight": 0}]
    refused = api.refusal("SetBackendServers", LoadBalancerId="lb-1", BackendServers=servers)
    assert refused == (400, "InvalidServerId.NotFound")
    assert default_group(balancer) == [("i-other", 40, "")]


def test_a_network_interface_is_added_by_its_type_and_keyed_by_its_address(
    api: Api, account: Account
) -> None:
    account.add_instance("eni-1", type="eni", private_ip="10.0.0.1")
    as_ecs = [{"ServerId": "eni-1", "Port": 80}]
    call = {"VServerGroupId": "rsp-1"}
    refused = api.refusal("AddVServerGroupBackendServers", **call, BackendServers=as_ecs)
    assert refused == (400, "ObtainIpFail")
    enis = [
        {"ServerId": "eni-1", "Port": 80, "Type": "eni"},
        {"ServerId": "eni-1", "Port": 80, "Type": "eni", "ServerIp": "10.0.0.2"},
    ]
    api("AddVServerGroupBackendServers", **call, BackendServers=enis)
    addresses = [b.server_ip for b in account.group("rsp-1").servers()]
    assert addresses == ["10.0.0.1", "10.0.0.2"]
    api("RemoveVServerGroupBackendServers", **call, BackendServers=enis[1:])
    assert [b.server_ip for b in account.group("rsp-1").servers()] == ["10.0.0.1"]
    api("RemoveVServerGroupBackendServers", **call, BackendServers=as_ecs)
    assert account.group("rsp-1").servers() == []


def test_an_unknown_type_is_refused(api: Api) -> None:
    server = [{"ServerId": "i-self", "Type": "vm"}]
    refused = api.refusal("AddBackendServers", LoadBalancerId="lb-1", BackendServers=server)
    assert refused == (400, "InvalidParameter")


@pytest.mark.parametrize("group", ["lb-1", "rsp-1"])
def test_an_address_that_another_server_has_is_refused(
    api: Api, account: Account, group: str
) -> None:
    """BOSH gives a VM that is made anew the address of the one before."""
    account.add_instance("i-twin", private_ip=account.instance("i-self").private_ip)
    action, place = "AddBackendServers", {"LoadBalancerId": "lb-1"}
    if group == "rsp-1":
        action, place = "AddVServerGroupBackendServers", {"VServerGroupId": "rsp-1"}
    server = {"ServerId": "i-self", "Port": 80}
    api(action, **place, BackendServers=[server])
    assert api.status == 200
    twin = [{**server, "ServerId": "i-twin"}]
    code = "InvalidBackendServers.ServerIpConflict"
    assert api.refusal(action, **place, BackendServers=twin) == (400, code)
    account.address_taken = "accept"
    api(action, **place, BackendServers=twin)
    assert api.status == 200
