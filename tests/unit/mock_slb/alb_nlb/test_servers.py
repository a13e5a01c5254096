"""Which servers may enter a group, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mock_slb.account.account import Account

if TYPE_CHECKING:
    from alb_nlb.conftest import Kit

SELF = {"ServerId": "i-self", "ServerType": "Ecs", "Port": 8080}


@pytest.fixture(autouse=True)
def changes_are_instant(account: Account) -> None:
    account.change_seconds = 0.0


def ip(address: str, port: int = 80) -> dict[str, object]:
    return {"ServerId": address, "ServerType": "Ip", "Port": port}


def test_a_network_interface_serves_with_each_of_its_addresses(kit: Kit, account: Account) -> None:
    account.add_instance("i-2", eni_id="eni-2", private_ip="10.0.0.2", other_ips=("10.0.0.3",))
    eni = {"ServerId": "eni-2", "ServerType": "Eni", "Port": 80}
    kit.add({**eni, "ServerIp": "10.0.0.2"}, {**eni, "ServerIp": "10.0.0.3"})
    assert [s.server_ip for s in kit.group.servers()] == ["10.0.0.2", "10.0.0.3"]
    kit.remove({**eni, "ServerIp": "10.0.0.2"})
    assert [s.server_ip for s in kit.group.servers()] == ["10.0.0.3"]
    code = "ServerIp" if kit.is_alb else "IP"
    refused = kit.refusal(kit.add({**eni, "ServerIp": "10.9.9.9"}))
    assert refused == (400, f"IllegalParam.{code}")


def test_a_group_of_addresses_takes_addresses_and_nothing_else(kit: Kit) -> None:
    kit.fleet.add_server_group("sgp-ip", type="Ip", ipv6=True)
    kit.add(ip("192.168.0.1"), ip("2408:0::1"), ServerGroupId="sgp-ip")
    assert kit.status == 200
    group = kit.fleet.group("sgp-ip")
    assert [s.server_id for s in group.servers()] == ["192.168.0.1", "2408::1"]
    kit.remove(ip("2408:0000::0001"), ServerGroupId="sgp-ip")
    assert [s.server_id for s in group.servers()] == ["192.168.0.1"]
    assert kit.refusal(kit.add(SELF, ServerGroupId="sgp-ip")) == (400, "Mismatch.ServerType")
    assert kit.refusal(kit.add(ip("192.168.0.1"))) == (400, "Mismatch.ServerType")
    assert kit.refusal(kit.add(ip("i-self"), ServerGroupId="sgp-ip"))[0] == 400


def test_ipv6_needs_a_group_that_has_it(kit: Kit) -> None:
    kit.fleet.add_server_group("sgp-ip", type="Ip")
    code = "IllegalParam.ServerIp" if kit.is_alb else "OperationDenied.ServerGroupNotSupportIpv6"
    assert kit.refusal(kit.add(ip("2408::1"), ServerGroupId="sgp-ip")) == (400, code)


@pytest.mark.parametrize("type_", ["Ecs", "Eni", "Eci"])
def test_a_server_that_does_not_exist_is_named_by_its_type(kit: Kit, type_: str) -> None:
    server = {"ServerId": "x-none", "ServerType": type_, "Port": 80}
    assert kit.refusal(kit.add(server)) == (404, f"ResourceNotFound.{type_}")


def test_a_server_of_another_vpc_is_refused(kit: Kit, account: Account) -> None:
    account.add_instance("i-far", vpc_id="vpc-far")
    far = {"ServerId": "i-far", "ServerType": "Ecs", "Port": 80}
    assert kit.refusal(kit.add(far)) == (400, "Mismatch.VpcId")


def test_one_that_may_not_enter_keeps_the_others_out(kit: Kit) -> None:
    kit.add(SELF, {"ServerId": "i-none", "ServerType": "Ecs", "Port": 80})
    assert kit.status == 404
    assert kit.group.servers() == []


def test_the_same_server_twice_in_one_call_is_refused(kit: Kit) -> None:
    code = "BackendServer" if kit.is_alb else "Server"
    assert kit.refusal(kit.add(SELF, SELF)) == (400, f"DuplicatedParam.{code}")


def test_alb_refuses_a_server_that_is_there_already(alb_kit: Kit) -> None:
    alb_kit.group.add_server("i-self", port=8080)
    assert alb_kit.refusal(alb_kit.add(SELF)) == (400, "Conflict.BackendServer")


def test_nlb_ignores_a_server_that_is_there_already_or_refuses_it(
    nlb_kit: Kit, account: Account
) -> None:
    nlb_kit.group.add_server("i-self", port=8080, weight=5)
    nlb_kit.add(SELF)
    assert [s.weight for s in nlb_kit.group.servers()] == [5]
    account.already_there = "error"
    assert nlb_kit.refusal(nlb_kit.add(SELF)) == (400, "DuplicatedParam.Server")


@pytest.mark.parametrize("action", ["update", "remove"])
def test_a_server_that_is_absent_cannot_be_changed_or_removed(kit: Kit, action: str) -> None:
    refused = kit.refusal(getattr(kit, action)(SELF))
    assert refused == (404, "ResourceNotFound.BackendServer")


def test_there_is_a_limit_to_the_servers_of_one_call(kit: Kit) -> None:
    limit = 200
    servers: list[dict[str, object]] = [{**SELF, "Port": 1 + n} for n in range(limit + 1)]
    assert kit.refusal(kit.add(*servers)) == (400, "IllegalParam.Servers")
    kit.add(*servers[:limit])
    assert kit.status == 200
    assert len(kit.group.servers()) == limit
    assert kit.refusal(kit.update(*servers)) == (400, "IllegalParam.Servers")
    assert kit.refusal(kit.remove(*servers)) == (400, "IllegalParam.Servers")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Port": 0}, "IllegalParam.Port"),
        ({"Port": 65536}, "IllegalParam.Port"),
        ({"Port": "x"}, "IllegalParam.Port"),
        ({"Weight": 101}, "IllegalParam.Weight"),
        ({"Weight": -1}, "IllegalParam.Weight"),
        ({"ServerType": "ecs"}, "IllegalParam.ServerType"),
        ({"Description": "x"}, "IllegalParam.description"),
        ({"Description": "no spaces"}, "IllegalParam.description"),
    ],
)
def test_a_value_out_of_bounds_is_refused(kit: Kit, change: dict[str, object], code: str) -> None:
    assert kit.refusal(kit.add({**SELF, **change})) == (400, code)


@pytest.mark.parametrize("name", ["ServerId", "ServerType"])
def test_what_is_missing_is_named(kit: Kit, name: str) -> None:
    server = {key: value for key, value in SELF.items() if key != name}
    prefix = "Missing" if kit.is_alb else "MissingParam."
    assert kit.refusal(kit.add(server)) == (400, f"{prefix}{name}")
    assert kit.refusal(kit.add()) == (400, f"{prefix}Servers")
    assert kit.refusal(kit("AddServersToServerGroup")) == (400, f"{prefix}ServerGroupId")


def test_a_group_that_is_not_there_is_named_as_the_product_spells_it(kit: Kit) -> None:
    noun = "ServerGroup" if kit.is_alb else "serverGroup"
    refused = kit.refusal(kit.add(SELF, ServerGroupId="sgp-none"))
    assert refused == (404, f"ResourceNotFound.{noun}")
    refused = kit.refusal(kit.add(SELF, RegionId="cn-beijing"))
    assert refused == (404, f"ResourceNotFound.{noun}")


def test_groups_of_the_two_products_are_told_apart_by_the_product_only(
    alb_kit: Kit, nlb_kit: Kit
) -> None:
    alb_kit.add(SELF)
    assert [s.server_id for s in alb_kit.group.servers()] == ["i-self"]
    assert nlb_kit.group.servers() == []


def test_servers_of_a_group_that_forwards_any_port_have_port_0(nlb_kit: Kit) -> None:
    group = nlb_kit.fleet.add_server_group("sgp-any", any_port=True)
    any_port = {"ServerGroupId": "sgp-any"}
    server = {"ServerId": "i-self", "ServerType": "Ecs"}
    assert nlb_kit.refusal(nlb_kit.add(SELF, **any_port)) == (400, "IllegalParam.Port")
    nlb_kit.add(server, **any_port)
    nlb_kit.update({**server, "Port": 0, "Weight": 5}, **any_port)
    assert [(one.port, one.weight) for one in group.servers()] == [(0, 5)]
    (told,) = nlb_kit("ListServerGroups", ServerGroupIds=["sgp-any"])["ServerGroups"]
    assert told["AnyPortEnabled"] is True
    nlb_kit.remove(server, **any_port)
    assert group.servers() == []
    with pytest.raises(ValueError, match="only NLB"):
        nlb_kit.account.alb.add_server_group("sgp-any", any_port=True)
