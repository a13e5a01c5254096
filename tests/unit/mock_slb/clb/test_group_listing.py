"""CLB's listings of groups, and its active/standby groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mock_slb.account.account import Account
from mock_slb.clb.balancer import LoadBalancer
from mock_slb.clb.group import ServerGroup
from mock_slb.health.targets import targets

if TYPE_CHECKING:
    from conftest import Api


@pytest.fixture
def pair(balancer: LoadBalancer) -> ServerGroup:
    group = balancer.add_master_slave_group(
        "rsp-ms", master=("i-self", 80), slave=("i-other", 81), name="pair", tags={"a": "b"}
    )
    balancer.add_listener(90, "tcp", master_slave_group="rsp-ms")
    return group


def test_an_active_standby_group_is_described(api: Api, pair: ServerGroup) -> None:
    answer = api("DescribeMasterSlaveServerGroupAttribute", MasterSlaveServerGroupId="rsp-ms")
    answer.pop("RequestId")
    both = {"Weight": 100, "Type": "ecs"}
    assert answer == {
        "MasterSlaveServerGroupId": "rsp-ms",
        "MasterSlaveServerGroupName": "pair",
        "LoadBalancerId": "lb-1",
        "CreateTime": "2026-05-28T20:26:40Z",
        "Tags": {"Tag": [{"TagKey": "a", "TagValue": "b"}]},
        "MasterSlaveBackendServers": {
            "MasterSlaveBackendServer": [
                {**both, "ServerId": "i-self", "Port": 80, "ServerType": "Master"},
                {**both, "ServerId": "i-other", "Port": 81, "ServerType": "Slave"},
            ]
        },
    }


def test_the_standby_server_stays_one_when_the_active_one_is_released(
    api: Api, account: Account, pair: ServerGroup
) -> None:
    account.release_instance("i-self")
    answer = api("DescribeMasterSlaveServerGroupAttribute", MasterSlaveServerGroupId="rsp-ms")
    servers = answer["MasterSlaveBackendServers"]["MasterSlaveBackendServer"]
    assert [one["ServerType"] for one in servers] == ["Slave"]


def test_an_active_standby_group_is_no_vserver_group_and_the_other_way_round(
    api: Api, pair: ServerGroup
) -> None:
    refused = api.refusal("DescribeVServerGroupAttribute", VServerGroupId="rsp-ms")
    assert refused == (404, "InvalidParameter")
    for action in ("AddVServerGroupBackendServers", "RemoveVServerGroupBackendServers"):
        servers = [{"ServerId": "i-self", "Port": 80}]
        assert api.refusal(action, VServerGroupId="rsp-ms", BackendServers=servers)[0] == 404
    action = "DescribeMasterSlaveServerGroupAttribute"
    assert api.refusal(action, MasterSlaveServerGroupId="rsp-1") == (404, "InvalidParameter")
    assert api.refusal(action) == (400, "MissingParameter")
    far = {"MasterSlaveServerGroupId": "rsp-ms", "RegionId": "cn-beijing"}
    assert api.refusal(action, **far) == (404, "InvalidParameter")


def test_a_listener_serves_an_active_standby_group(
    api: Api, account: Account, pair: ServerGroup
) -> None:
    status = api("DescribeHealthStatus", LoadBalancerId="lb-1", ListenerPort="90")
    servers = status["BackendServers"]["BackendServer"]
    assert [(one["ServerId"], one["Port"]) for one in servers] == [("i-self", 80), ("i-other", 81)]
    assert len([target for target in targets(account) if target.listener == "tcp:90"]) == 2
    listeners = api("DescribeLoadBalancerListeners", ListenerPort="90")["Listeners"]
    configs = [one["TCPListenerConfig"] for one in listeners]
    assert [one["MasterSlaveServerGroupId"] for one in configs] == ["rsp-ms"]


def test_the_groups_of_a_load_balancer_are_listed_by_kind(api: Api, pair: ServerGroup) -> None:
    answer = api("DescribeVServerGroups", LoadBalancerId="lb-1")
    (group,) = answer["VServerGroups"]["VServerGroup"]
    assert (group["VServerGroupId"], group["VServerGroupName"]) == ("rsp-1", "api")
    assert "AssociatedObjects" not in group
    answer = api("DescribeMasterSlaveServerGroups", LoadBalancerId="lb-1", IncludeListener="true")
    (group,) = answer["MasterSlaveServerGroups"]["MasterSlaveServerGroup"]
    assert group["MasterSlaveServerGroupId"] == "rsp-ms"
    listeners = group["AssociatedObjects"]["Listeners"]["Listener"]
    assert listeners == [{"Port": 90, "Protocol": "tcp"}]
    assert api.refusal("DescribeVServerGroups") == (400, "MissingParameter")


def test_groups_are_found_by_their_own_tags(
    api: Api, balancer: LoadBalancer, pair: ServerGroup
) -> None:
    balancer.add_vserver_group("rsp-tagged", tags={"a": "b"})

    def found(action: str, **tag: str) -> int:
        (groups,) = (v for k, v in api(action, LoadBalancerId="lb-1", **tag).items() if "Gr" in k)
        (listed,) = groups.values()
        return len(listed)

    wanted = {"Tag.1.Key": "a", "Tag.1.Value": "b"}
    assert found("DescribeVServerGroups", **wanted) == 1
    assert found("DescribeMasterSlaveServerGroups", **wanted) == 1
    assert found("DescribeMasterSlaveServerGroups", **{"Tag.1.Key": "c"}) == 0


def test_a_load_balancer_tells_its_vpc(api: Api, account: Account) -> None:
    account.add_load_balancer("lb-2", vpc_id="vpc-2")
    account.add_load_balancer("lb-classic", vpc_id="")
    listed = api("DescribeLoadBalancers")["LoadBalancers"]["LoadBalancer"]
    assert {one["LoadBalancerId"]: one["VpcId"] for one in listed} == {
        "lb-1": "vpc-mock",
        "lb-2": "vpc-2",
        "lb-classic": "",
    }
    found = api("DescribeLoadBalancers", VpcId="vpc-2")["LoadBalancers"]["LoadBalancer"]
    assert [one["LoadBalancerId"] for one in found] == ["lb-2"]


def test_a_load_balancer_that_is_deleted_takes_its_groups_along(
    api: Api, account: Account, pair: ServerGroup
) -> None:
    account.remove_load_balancer("lb-1")
    assert account.groups() == []
