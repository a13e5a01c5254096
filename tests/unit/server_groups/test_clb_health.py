"""Health as CLB tells it: listener by listener, and of which of them lead to the group."""

from __future__ import annotations

from dataclasses import replace

import pytest
import responses
from tests.unit.driver import PORT, World

from mock_slb.gateway.faults import Refuse, Rule
from slb_registration.model.server_group import ListenerHealth, ServerGroup
from slb_registration.server_groups.clb import DefaultGroup, VServerGroup


def statuses(group: ServerGroup, server_id: str = "i-self") -> list[tuple[int, str, str]]:
    return [
        (one.listener_port, one.protocol, one.status)
        for one in group.health()
        if one.server_id == server_id
    ]


def test_health_is_told_listener_by_listener(world: World):
    world.put_in("i-self")
    balancer = world.account.load_balancer("lb-1")
    group = None if world.kind == "default group" else "rsp-1"
    balancer.add_listener(443, "https", backend_port=PORT if group is None else None,
                          vserver_group=group)  # fmt: skip
    world.account.force_health("i-self", "abnormal")
    assert statuses(world.group()) == [(80, "tcp", "abnormal"), (443, "https", "abnormal")]
    world.account.force_health("i-self", "normal")
    assert world.group().health()[-1] == ListenerHealth(
        443, "https", "i-self", PORT, "normal", checked=True
    )


def test_a_port_with_two_protocols_is_asked_for_listener_by_listener(world: World):
    world.put_in("i-self")
    world.account.force_health("i-self", "normal")
    group = world.group()
    group.find()
    whole = Rule(Refuse("TooManyListeners"), action="DescribeHealthStatus", times=1)
    world.gateway.faults.add(whole)
    assert statuses(group) == [(80, "tcp", "normal")]
    asked = world.gateway.calls.all("DescribeHealthStatus")[-1].params
    assert (asked["ListenerPort"], asked["ListenerProtocol"]) == ("80", "tcp")


def want_listeners_named(world: World) -> None:
    """Let the next read be one of each listener."""
    rule = Rule(Refuse("TooManyListeners"), action="DescribeHealthStatus", times=1)
    world.gateway.faults.add(rule)


def many_listeners(world: World) -> None:
    """Three that lead to the group, two of them on one port, and thirty that lead elsewhere."""
    balancer = world.account.load_balancer("lb-1")
    mine = {"backend_port": PORT} if world.kind == "default group" else {"vserver_group": "rsp-1"}
    balancer.add_vserver_group("rsp-2")
    balancer.add_listener(53, "tcp", **mine)
    balancer.add_listener(53, "udp", **mine)
    for port in range(8001, 8031):
        balancer.add_listener(port, "tcp", vserver_group="rsp-2")
    world.put_in("i-self")
    world.account.force_health("i-self", "normal")


def test_health_is_read_from_the_listeners_that_lead_to_the_group_and_no_others(world: World):
    many_listeners(world)
    group = world.group()
    for _ in range(2):
        want_listeners_named(world)
        assert [one[:2] for one in statuses(group)] == [(80, "tcp"), (53, "tcp"), (53, "udp")]
    assert world.made("DescribeHealthStatus") == 2 * (1 + 3)
    assert world.made("DescribeLoadBalancerListeners") == 1


def test_where_nobody_tells_which_listeners_lead_here_all_are_read(clb: World):
    many_listeners(clb)
    want_listeners_named(clb)
    clb.refuse("Forbidden.RAM", 403, "DescribeLoadBalancerListeners")
    assert (53, "udp", "normal") in statuses(clb.group())
    assert clb.made("DescribeHealthStatus") == 1 + 33


def test_a_read_of_many_listeners_ends_between_two_of_them_when_it_is_wanted_no_longer(
    world: World,
):
    many_listeners(world)
    group = world.group()
    want_listeners_named(world)
    assert group.health(lambda: world.made("DescribeHealthStatus") < 3) is None
    assert world.made("DescribeHealthStatus") == 3
    want_listeners_named(world)
    assert len(group.health()) == 9


def test_round_robin_is_known_where_the_listeners_were_read_anyway(world: World):
    many_listeners(world)
    listeners = world.account.load_balancer("lb-1").listeners
    listeners["tcp:8001"] = replace(listeners["tcp:8001"], scheduler="rr")
    elsewhere = world.group()
    want_listeners_named(world)
    elsewhere.health()
    assert not elsewhere.round_robin

    listeners["tcp:80"] = replace(listeners["tcp:80"], scheduler="rr")
    group = world.group()
    assert not group.round_robin
    want_listeners_named(world)
    group.health()
    assert group.round_robin


@pytest.mark.parametrize("switch", ["HealthCheck", "HealthCheckSwitch"])
def test_a_check_is_off_by_either_name_of_its_switch(clb: World, switch: str):
    clb.put_in("i-self")
    listeners = [
        {"ListenerPort": 80, "ListenerProtocol": "tcp", "TCPListenerConfig": {switch: "off"}},
        {"ListenerPort": 81, "ListenerProtocol": "tcp", "TCPListenerConfig": {switch: "on"}},
    ]
    clb.reply({"RequestId": "R", "Listeners": listeners}, "DescribeLoadBalancerListeners")
    adapter = clb.group()
    for _ in range(3):
        health = adapter.health()
    assert [one.checked for one in health if one.server_id == "i-self"] == [False]


# Several groups of one load balancer


def neighbours(sdk: responses.RequestsMock, protocol: str = "tcp") -> World:
    """This VM with one port in two vServer groups and the default group, and in one without a
    listener. Each of the others has one: 80 leads to rsp-1, 81 to rsp-2, 82 to the default group.
    """
    world = World(sdk, "vServer group")
    balancer = world.account.load_balancer("lb-1")
    world.put_in("i-self")
    balancer.listeners.clear()
    balancer.add_listener(80, protocol, vserver_group="rsp-1")
    balancer.add_vserver_group("rsp-2").add_server("i-self", port=PORT)
    balancer.add_listener(81, protocol, vserver_group="rsp-2")
    balancer.default_group.add_server("i-self", weight=100)
    balancer.add_listener(82, protocol, backend_port=PORT)
    balancer.add_vserver_group("rsp-3").add_server("i-self", port=PORT)
    world.account.force_health("i-self", "normal")
    return world


def told(group: ServerGroup) -> list[tuple[int, bool]]:
    """The listeners of which it tells, and whether they were told apart from others'."""
    return [(one.listener_port, one.told_apart) for one in group.health()
            if one.server_id == "i-self"]  # fmt: skip


def test_each_group_of_one_load_balancer_tells_of_its_own_listeners(sdk: responses.RequestsMock):
    world = neighbours(sdk)
    for name, listeners in (("rsp-1", [80]), ("rsp-2", [81]), ("rsp-3", [])):
        group = VServerGroup(world.cloud, name, PORT)
        assert told(group) == told(group) == [(port, True) for port in listeners]
    assert told(DefaultGroup(world.cloud, "lb-1")) == [(82, True)]
    assert world.made("DescribeLoadBalancerListeners") == 4


@pytest.mark.parametrize("name", ["rsp-1", "rsp-3"])
def test_that_slb_does_not_tell_them_apart_is_said(sdk: responses.RequestsMock, name: str):
    world = neighbours(sdk)
    world.refuse("Forbidden.RAM", 403, "DescribeLoadBalancerListeners")
    assert told(VServerGroup(world.cloud, name, PORT)) == [(80, False), (81, False), (82, False)]


def test_a_forwarding_rule_may_lead_to_any_vserver_group(sdk: responses.RequestsMock):
    world = neighbours(sdk, "http")
    group = VServerGroup(world.cloud, "rsp-1", PORT)
    assert told(group) == [(80, True), (81, False), (82, False)]
    assert told(DefaultGroup(world.cloud, "lb-1")) == [(82, True)]


def test_the_only_listener_is_told_apart_in_passing(sdk: responses.RequestsMock):
    world = neighbours(sdk)
    listeners = world.account.load_balancer("lb-1").listeners
    del listeners["tcp:81"], listeners["tcp:82"]
    mine, its = (VServerGroup(world.cloud, name, PORT) for name in ("rsp-1", "rsp-3"))
    for group, ports in ((mine, [80]), (its, [])):
        for _ in range(3):
            group.health()
        assert told(group) == [(port, True) for port in ports]


def test_a_listener_of_which_it_is_not_told_where_it_leads_may_lead_here(clb: World):
    clb.put_in("i-self")
    clb.account.load_balancer("lb-1").add_listener(81, "tcp", backend_port=PORT)
    listeners = [{"ListenerPort": port, "ListenerProtocol": "tcp"} for port in (80, 81)]
    clb.reply({"RequestId": "R", "Listeners": listeners}, "DescribeLoadBalancerListeners")
    assert told(clb.group()) == [(80, False), (81, False)]


def test_a_vserver_group_tells_only_of_its_own_port(sdk: responses.RequestsMock):
    world = World(sdk, "vServer group")
    world.put_in("i-self")
    world.account.group("rsp-1").add_server("i-self", port=9999)
    assert {one.port for one in world.group().health()} == {PORT}


def test_health_of_a_vserver_group_asks_for_its_load_balancer_once(sdk: responses.RequestsMock):
    world = World(sdk, "vServer group")
    group = world.group()
    group.health()
    group.health()
    assert world.made("DescribeVServerGroupAttribute") == 1
    assert world.made("DescribeHealthStatus") == 2


@pytest.mark.parametrize("alone", [True, False])
def test_a_listener_without_a_check_is_known_as_such_once_it_stays_unavailable(
    world: World, alone: bool
):
    """Or at once, where it has to be told apart from others."""
    world.put_in("i-self")
    balancer = world.account.load_balancer("lb-1")
    group = None if world.kind == "default group" else "rsp-1"
    balancer.add_listener(8000, "http", backend_port=PORT if group is None else None,
                          vserver_group=group, health_check=None)  # fmt: skip
    if alone:
        del balancer.listeners["tcp:80"]
    adapter = world.group()
    seen = [
        {one.listener_port: one.good for one in adapter.health() if one.server_id == "i-self"}
        for _ in range(3)
    ]
    assert seen == (
        [{8000: False}] * 2 + [{8000: True}] if alone else [{80: False, 8000: True}] * 3
    )
    for _ in range(20):
        adapter.health()
    assert world.made("DescribeLoadBalancerListeners") == 1


def test_a_listener_without_a_check_is_known_among_more_than_a_page_of_them(clb: World):
    clb.put_in("i-self")
    balancer = clb.account.load_balancer("lb-1")
    for port in range(8001, 8151):
        balancer.add_listener(port, "http", backend_port=PORT, health_check=None)
    adapter = clb.group()
    for _ in range(3):
        health = [one for one in adapter.health() if one.server_id == "i-self"]
    assert [one.listener_port for one in health if not one.checked] == [*range(8001, 8151)]
    assert clb.made("DescribeLoadBalancerListeners") == 2


@pytest.mark.parametrize("code", ["Forbidden.RAM", "Throttling.User"])
def test_a_listing_of_listeners_that_fails_leaves_health_as_it_is(clb: World, code: str):
    clb.put_in("i-self")
    clb.refuse(code, 400, "DescribeLoadBalancerListeners")
    adapter = clb.group()
    for _ in range(6):
        assert statuses(adapter) == [(80, "tcp", "unavailable")]
    # What may not be asked is not asked with every read.
    assert clb.made("DescribeLoadBalancerListeners") == (1 if code == "Forbidden.RAM" else 4)
