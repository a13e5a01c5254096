"""Reads of ALB and NLB that are older than the last change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mock_slb.account.account import Account

if TYPE_CHECKING:
    from alb_nlb.conftest import Kit

    from conftest import Clock

SELF = {"ServerId": "i-self", "ServerType": "Ecs", "Port": 8080}


@pytest.fixture(autouse=True)
def reads_lag(account: Account, kit: Kit, clock: Clock) -> None:
    clock.now += 60.0
    account.read_lag_seconds = 5.0


def test_each_state_of_a_server_is_seen_later(kit: Kit, clock: Clock) -> None:
    kit.add(SELF)
    seen: list[tuple[list[str], str]] = []
    for _ in range(8):
        seen.append(([one[3] for one in kit.servers()], kit.group_status()))
        clock.now += 1.0
    assert seen == [
        *[([], "Available")] * 5,
        (["Adding"], "Configuring"),
        *[(["Available"], "Available")] * 2,
    ]


def test_a_change_is_refused_by_what_is_and_not_by_what_is_seen(kit: Kit, clock: Clock) -> None:
    kit.add(SELF)
    assert kit.group_status() == "Available"
    assert kit.refusal(kit.remove(SELF))[0] == 400
    clock.now += 1.0
    kit.remove(SELF)
    assert kit.status == 200
    clock.now += 5.0
    assert kit.group_status() == "Configuring"


def test_tags_and_new_groups_are_found_only_later(kit: Kit, clock: Clock) -> None:
    wanted = {"Tag": [{"Key": "env", "Value": "test"}]}

    def found() -> tuple[list[str], list[str]]:
        groups = kit("ListServerGroups", **wanted)["ServerGroups"]
        balancers = kit("ListLoadBalancers", **wanted)["LoadBalancers"]
        return [g["ServerGroupId"] for g in groups], [b["LoadBalancerId"] for b in balancers]

    kit.fleet.add_server_group("sgp-2", tags={"env": "test"})
    kit.fleet.add_load_balancer("lb-2", tags={"env": "test"})
    kit.group.set_tags({"env": "prod"})
    kit.balancer.set_tags({"env": "prod"})
    assert found() == (["sgp-1"], [kit.balancer.id])
    clock.now += 5.0
    assert found() == (["sgp-2"], ["lb-2"])
