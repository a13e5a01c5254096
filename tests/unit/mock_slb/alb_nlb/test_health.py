"""Which servers a listener says are not normal; it says nothing of those that are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mock_slb.account.account import Account
from mock_slb.core.resources import HealthCheck
from mock_slb.health.probe import Prober
from mock_slb.health.targets import targets

if TYPE_CHECKING:
    from alb_nlb.conftest import Kit

    from conftest import Clock

SELF = {"ServerId": "i-self", "ServerType": "Ecs", "Port": 8080}


def prober(account: Account, *healthy: str) -> Prober:
    return Prober(account, try_once=lambda target: target.server_id in healthy)


def rounds(prober: Prober, count: int = 3) -> None:
    for _ in range(count):
        prober.round()


def test_a_server_is_initial_then_not_mentioned_once_it_is_normal(
    kit: Kit, account: Account
) -> None:
    kit.group.add_server("i-self", port=8080)
    assert kit.non_normal() == [("i-self", "Initial")]
    rounds(prober(account, "i-self"))
    assert kit.non_normal() == []


def test_a_server_that_fails_is_unhealthy_with_a_reason(kit: Kit, account: Account) -> None:
    kit.group.add_server("i-self", port=8080)
    rounds(prober(account))
    assert kit.non_normal() == [("i-self", "Unhealthy")]
    answer = kit("GetListenerHealthStatus", ListenerId="lsn-1")
    (info,) = answer["ListenerHealthStatus"][0]["ServerGroupInfos"]
    assert info["NonNormalServers"] == [
        {
            "ServerId": "i-self",
            "ServerIp": "192.168.0.1",
            "Port": 8080,
            "Status": "Unhealthy",
            "Reason": {"ReasonCode": "CONNECT_FAILED"},
        }
    ]


def test_a_server_that_is_only_being_added_is_not_mentioned_either(kit: Kit, clock: Clock) -> None:
    kit.add(SELF)
    assert kit.non_normal() == []
    clock.now += 1.0
    assert kit.non_normal() == [("i-self", "Initial")]


def test_a_server_at_weight_zero_is_unused(kit: Kit, account: Account) -> None:
    kit.group.add_server("i-self", port=8080, weight=0)
    rounds(prober(account, "i-self"))
    assert kit.non_normal() == [("i-self", "Unused")]


def test_alb_does_not_check_at_weight_zero_and_nlb_does(kit: Kit, account: Account) -> None:
    kit.group.add_server("i-self", port=8080)
    rounds(prober(account, "i-self"))
    kit.group.set_weight("i-self", 0, port=8080)
    assert len(targets(account)) == (0 if kit.is_alb else 1)
    kit.group.set_weight("i-self", 100, port=8080)
    assert kit.non_normal() == ([("i-self", "Initial")] if kit.is_alb else [])


def test_a_group_without_a_check_has_servers_that_are_unavailable(
    kit: Kit, account: Account
) -> None:
    kit.fleet.add_server_group("sgp-unchecked", health_check=None).add_server("i-self", port=80)
    listener = kit.balancer.add_listener(81, server_group="sgp-unchecked")
    answer = kit("GetListenerHealthStatus", ListenerId=listener.id)
    (info,) = answer["ListenerHealthStatus"][0]["ServerGroupInfos"]
    assert [one["Status"] for one in info["NonNormalServers"]] == ["Unavailable"]
    assert targets(account) == []


def test_whether_there_is_a_check_is_told_in_each_products_own_spelling(kit: Kit) -> None:
    answer = kit("GetListenerHealthStatus", ListenerId="lsn-1")
    (info,) = answer["ListenerHealthStatus"][0]["ServerGroupInfos"]
    if kit.is_alb:
        assert info["HealthCheckEnabled"] == "on"
    else:
        assert info["HeathCheckEnabled"] is True
        assert "HealthCheckEnabled" not in info


def test_no_health_outlives_a_membership(kit: Kit, account: Account) -> None:
    kit.group.add_server("i-self", port=8080)
    rounds(prober(account, "i-self"))
    kit.group.remove_server("i-self", port=8080)
    kit.group.add_server("i-self", port=8080)
    assert kit.non_normal() == [("i-self", "Initial")]


def test_health_can_be_forced(kit: Kit, account: Account) -> None:
    kit.group.add_server("i-self", port=8080)
    for forced, told in [
        ("normal", []),
        ("abnormal", [("i-self", "Unhealthy")]),
        ("unavailable", [("i-self", "Unavailable")]),
    ]:
        account.force_health("i-self", forced)
        assert kit.non_normal() == told


def test_a_rules_group_is_told_of_only_when_it_is_asked_for(alb_kit: Kit, account: Account) -> None:
    alb_kit.fleet.add_server_group("sgp-2").add_server("i-self", port=80)
    rule = alb_kit.balancer.add_rule("lsn-1", server_group="sgp-2")
    plain = alb_kit("GetListenerHealthStatus", ListenerId="lsn-1")
    assert "RuleHealthStatus" not in plain
    told = alb_kit("GetListenerHealthStatus", ListenerId="lsn-1", IncludeRule="true")
    (entry,) = told["RuleHealthStatus"]
    assert entry["RuleId"] == rule.id
    (info,) = entry["ServerGroupInfos"]
    assert [one["ServerId"] for one in info["NonNormalServers"]] == ["i-self"]
    assert [target.listener for target in targets(account)] == [rule.id]


def test_a_listener_that_is_not_there_is_named_as_the_product_spells_it(kit: Kit) -> None:
    noun = "Listener" if kit.is_alb else "listener"
    refused = kit.refusal(kit("GetListenerHealthStatus", ListenerId="lsn-9"))
    assert refused == (404, f"ResourceNotFound.{noun}")


def test_where_probes_go(kit: Kit, account: Account) -> None:
    account.add_instance("i-2", host="127.0.0.2", ports={90: 19090}, eni_id="eni-2")
    kit.group.add_server("i-self", port=8080)
    kit.group.add_server("eni-2", port=90, type="Eni")
    assert [t.address for t in targets(account)] == [("127.0.0.1", 18080), ("127.0.0.2", 19090)]
    account.set_running("i-2", False)
    assert [t.address for t in targets(account)] == [("127.0.0.1", 18080), None]


def test_an_address_is_probed_at_whoever_has_it_now(kit: Kit, account: Account) -> None:
    group = kit.fleet.add_server_group("sgp-ip", type="Ip")
    kit.balancer.add_listener(81, server_group="sgp-ip")
    group.add_server("192.168.0.1", port=8080)
    assert [t.address for t in targets(account)] == [("127.0.0.1", 18080)]
    account.release_instance("i-self")
    assert [t.address for t in targets(account)] == [None]
    account.add_instance("i-stranger", private_ip="192.168.0.1")
    assert [t.address for t in targets(account)] == [("127.0.0.1", 8080)]


def test_a_stopped_listener_is_not_probed(kit: Kit, account: Account) -> None:
    kit.fleet.add_server_group("sgp-2").add_server("i-self", port=80)
    kit.balancer.add_listener(81, server_group="sgp-2", status="Stopped")
    assert targets(account) == []


@pytest.mark.parametrize("port", [None, 9000])
def test_a_check_may_have_a_port_of_its_own(kit: Kit, account: Account, port: int | None) -> None:
    group = kit.fleet.add_server_group("sgp-2", health_check=HealthCheck(port=port))
    kit.balancer.add_listener(81, server_group="sgp-2")
    group.add_server("i-other", port=80)
    assert [t.address for t in targets(account)] == [("127.0.0.1", port or 80)]


@pytest.mark.parametrize(("cross_zone", "told"), [(False, [("i-self", "Unused")]), (True, [])])
def test_a_server_in_a_zone_without_a_node_is_unused_unless_zones_are_crossed(
    kit: Kit, account: Account, cross_zone: bool, told: list[tuple[str, str]]
) -> None:
    kit.balancer.zone_ids = ("cn-hangzhou-k",)
    kit.balancer.cross_zone = cross_zone
    kit.group.add_server("i-self", port=8080)
    rounds(prober(account, "i-self"))
    assert kit.non_normal() == told
