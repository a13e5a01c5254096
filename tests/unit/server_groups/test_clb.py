"""The adapters of Classic Load Balancer: one contract for every kind of server group."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import responses
from tests.unit.driver import ACCESS_KEY, PORT, SECRET_KEY, World

from mock_slb.account.account import Account
from mock_slb.gateway.faults import Refuse, Reply, Reset, Rule
from slb_registration.cloud.client import Cloud
from slb_registration.cloud.credentials import Static
from slb_registration.model.configuration import GroupSpec, StaticKeys
from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.server_group import (
    BackendServer,
    Changed,
    ListenerHealth,
    Members,
    ServerGroup,
)
from slb_registration.server_groups.clb import DefaultGroup, VServerGroup
from slb_registration.server_groups.open import open_group
from slb_registration.server_groups.tagged import ClbListing

WRITES = ("add", "set_weight", "remove")
ACTIONS = {
    ("default group", "find"): "DescribeLoadBalancerAttribute",
    ("default group", "add"): "AddBackendServers",
    ("default group", "set_weight"): "SetBackendServers",
    ("default group", "remove"): "RemoveBackendServers",
    ("vServer group", "find"): "DescribeVServerGroupAttribute",
    ("vServer group", "add"): "AddVServerGroupBackendServers",
    ("vServer group", "set_weight"): "SetVServerGroupAttribute",
    ("vServer group", "remove"): "RemoveVServerGroupBackendServers",
    ("default group", "health"): "DescribeHealthStatus",
    ("vServer group", "health"): "DescribeHealthStatus",
}


def mine(world: World, weight: int = 100, description: str = "bosh/spec-1/web") -> BackendServer:
    return BackendServer("i-self", world.port, weight, description)


def call(world: World, group: ServerGroup, what: str) -> object:
    if what in WRITES:
        return getattr(group, what)(mine(world, 60))
    return getattr(group, what)()


def prepared(world: World, what: str) -> ServerGroup:
    """A group in which this change makes a difference."""
    group = world.group()
    if what in ("set_weight", "remove"):
        group.add(mine(world, 5))
    group.find()
    return group


def done(world: World, what: str) -> bool:
    """Whether the account shows that the change was made."""
    return world.weight() == (None if what == "remove" else 60)


# find


def test_find_lists_all_servers_with_key_weight_and_description(world: World):
    world.put_in("i-self", 60, "bosh/spec-1/前端")
    members = world.group().find()
    assert not members.busy
    assert set(members.servers) == {
        BackendServer("i-other-1", world.port, 100, "not ours"),
        BackendServer("i-other-2", world.port, 100, "not ours"),
        BackendServer("i-self", world.port, 60, "bosh/spec-1/前端"),
    }
    assert members.get("i-self", world.port).weight == 60
    assert members.get("i-self", 1) is None
    assert members.get("i-nobody", world.port) is None


def test_find_sees_an_empty_group(world: World):
    world.take_out("i-other-1")
    world.take_out("i-other-2")
    assert world.group().find().servers == ()


def test_find_in_a_vserver_group_keeps_the_ports_apart(sdk: responses.RequestsMock):
    world = World(sdk, "vServer group")
    world.account.group("rsp-1").add_server("i-self", port=9999, weight=1)
    world.put_in("i-self", 60)
    members = world.group().find()
    assert members.get("i-self", PORT).weight == 60
    assert members.get("i-self", 9999).weight == 1


# Changes


@pytest.mark.parametrize("what", WRITES)
def test_a_change_is_made_to_this_server_alone(world: World, what: str):
    group = prepared(world, what)
    before = world.others()
    assert call(world, group, what) == Changed(pending=False)
    assert done(world, what)
    assert world.others() == before


@pytest.mark.parametrize("what", ["add", "set_weight"])
def test_a_change_carries_the_description(world: World, what: str):
    call(world, prepared(world, what), what)
    assert world.servers.server("i-self", world.port or 0).description == "bosh/spec-1/web"


@pytest.mark.parametrize("what", WRITES)
@pytest.mark.parametrize("already_there", ["ignore", "error"])
def test_a_change_may_be_repeated(world: World, what: str, already_there: str):
    world.account.already_there = already_there
    group = prepared(world, what)
    call(world, group, what)
    if what == "add" and already_there == "error":
        with pytest.raises(ApiError) as caught:
            call(world, group, what)
        assert caught.value.kind is Kind.CONFLICT  # look again, nothing is wrong
    else:
        call(world, group, what)
    assert done(world, what)
    assert [one.server_id for one in world.servers.servers()].count("i-self") <= 1


@pytest.mark.parametrize("what", WRITES)
def test_a_change_whose_answer_is_lost_may_have_been_made(world: World, what: str):
    group = prepared(world, what)
    action = ACTIONS[world.kind, what]
    world.gateway.faults.add(Rule(Reset(), action=action, after_change=True, times=1))
    with pytest.raises(ApiError) as caught:
        call(world, group, what)
    assert caught.value.kind is Kind.LOST
    assert caught.value.action == action
    assert done(world, what)

    call(world, group, what)  # and may be repeated then, too
    assert done(world, what)


@pytest.mark.parametrize("what", WRITES)
def test_a_change_that_meets_another_writers_is_busy_and_not_made(world: World, what: str):
    group = prepared(world, what)
    before = world.servers.servers()
    action = ACTIONS[world.kind, what]
    world.refuse("BackendServer.configuring", 409, action, times=1)
    with pytest.raises(ApiError) as caught:
        call(world, group, what)
    assert caught.value.kind is Kind.BUSY
    assert world.servers.servers() == before


@pytest.mark.parametrize("what", ["set_weight", "remove"])
def test_a_server_that_another_writer_has_just_removed_is_gone(world: World, what: str):
    group = prepared(world, what)
    world.take_out()
    if what == "remove":
        group.remove(mine(world))
        return
    with pytest.raises(ApiError) as caught:
        call(world, group, what)
    assert caught.value.kind is Kind.GONE


def test_an_instance_that_is_not_running_is_waited_for(world: World):
    world.account.set_running("i-self", False)
    with pytest.raises(ApiError) as caught:
        world.group().add(mine(world))
    assert caught.value.kind is Kind.BUSY


@pytest.mark.parametrize("what", [*WRITES, "find", "health"])
def test_a_group_that_does_not_exist_is_not_found(world: World, what: str):
    world.account.remove_load_balancer("lb-1")
    with pytest.raises(ApiError) as caught:
        call(world, world.group(), what)
    assert caught.value.kind is Kind.NOT_FOUND


@pytest.mark.parametrize("what", [*WRITES, "find", "health"])
def test_every_method_is_one_call(world: World, what: str):
    group = prepared(world, what)
    before = world.made()
    call(world, group, what)
    assert world.made() == before + 1
    assert world.gateway.calls.all()[-1].action == ACTIONS[world.kind, what]


@pytest.mark.parametrize("what", [*WRITES, "find", "health"])
@pytest.mark.parametrize("code", ["Throttling.User", "Forbidden.RAM"])
def test_every_method_raises_api_errors_as_they_are(world: World, what: str, code: str):
    group = prepared(world, what)
    world.refuse(code, 400)
    with pytest.raises(ApiError) as caught:
        call(world, group, what)
    assert caught.value.code == code


def test_what_is_sent_for_a_server(world: World):
    world.group().add(BackendServer("i-self", world.port, 0, ""))
    (sent,) = json.loads(world.gateway.calls.all()[-1].params["BackendServers"])
    port = {} if world.port is None else {"Port": "8080"}
    assert sent == {"ServerId": "i-self", "Weight": "0", "Type": "ecs", **port}


# Answers that lack something

BROKEN: list[object] = [
    {},
    {"BackendServers": None},
    {"BackendServers": {"BackendServer": {}}},
    {"BackendServers": {"BackendServer": ["i-1"]}},
    {"BackendServers": {"BackendServer": [{"Port": 1, "Weight": 100}]}},
    {"BackendServers": {"BackendServer": [{"ServerId": "i-1", "Port": 1}]}},
    {"BackendServers": {"BackendServer": [{"ServerId": "i-1", "Port": 1, "Weight": "many"}]}},
    {"BackendServers": {"BackendServer": [{"ServerId": "i-1", "Port": 1, "Weight": None}]}},
]


@pytest.mark.parametrize("body", BROKEN, ids=json.dumps)
@pytest.mark.parametrize("what", ["find", "health"])
def test_an_answer_that_lacks_something_is_no_empty_group(world: World, what: str, body: object):
    """Taken for an empty group, it would make the agent register, or believe that it has left."""
    group = prepared(world, what)
    world.gateway.faults.add(Rule(Reply(200, json.dumps(body).encode(), "application/json")))
    with pytest.raises(ApiError) as caught:
        call(world, group, what)
    assert caught.value.code == "IncompleteAnswer"
    assert not caught.value.hopeless


def test_an_answer_without_its_inner_list_only_implies_an_empty_group(world: World):
    """It may be how an empty list looks; it does not prove that this VM has left."""
    world.take_out("i-other-1")
    world.take_out("i-other-2")
    group = world.group()
    assert group.find() == Members(())
    body = json.dumps({"BackendServers": {}}).encode()
    world.gateway.faults.add(Rule(Reply(200, body, "application/json")))
    assert group.find() == Members((), implied=True)


def test_weights_and_ports_may_come_as_text(world: World):
    server = {"ServerId": "i-1", "Port": "8080", "Weight": "30", "Description": None}
    body = {"BackendServers": {"BackendServer": [server]}}
    world.gateway.faults.add(Rule(Reply(200, json.dumps(body).encode(), "application/json")))
    assert world.group().find().servers == (BackendServer("i-1", world.port, 30, ""),)


# health


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
    group = prepared(world, "find")
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
    body = json.dumps({"RequestId": "R", "Listeners": listeners}).encode()
    reply = Reply(200, body, "application/json")
    clb.gateway.faults.add(Rule(reply, action="DescribeLoadBalancerListeners"))
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
    body = json.dumps({"RequestId": "R", "Listeners": listeners}).encode()
    reply = Reply(200, body, "application/json")
    clb.gateway.faults.add(Rule(reply, action="DescribeLoadBalancerListeners"))
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


# Which group is meant


@pytest.fixture
def cloud(sdk: responses.RequestsMock) -> Cloud:
    return Cloud(Static(StaticKeys(ACCESS_KEY, SECRET_KEY, None)), "cn-hangzhou")


def spec(**given: object) -> GroupSpec:
    fields: dict[str, object] = dict.fromkeys(
        ("load_balancer_id", "vserver_group_id", "port", "description")
    )
    return GroupSpec(**{"product": "clb", "weight": 100, **fields, **given})  # type: ignore[arg-type]


def test_a_spec_opens_the_adapter_of_its_kind_without_a_call(cloud: Cloud):
    default = open_group(cloud, spec(load_balancer_id="lb-1"))
    assert isinstance(default, DefaultGroup)
    assert (default.name, default.port) == ("clb/lb-1", None)
    virtual = open_group(cloud, spec(vserver_group_id="rsp-1", port=8080))
    assert isinstance(virtual, VServerGroup)
    assert (virtual.name, virtual.port) == ("clb/rsp-1:8080", 8080)


def test_a_spec_without_a_group_is_refused(cloud: Cloud):
    with pytest.raises(ValueError, match="no adapter"):
        open_group(cloud, spec())


# Finding load balancers by tag

TAGS = {"bosh-deployment": "cf", "bosh-instance-group": "router"}


@pytest.fixture
def listing(clb: World) -> Callable[[], tuple[str, ...]]:
    return lambda: tuple(one.id for one in ClbListing(clb.cloud, TAGS).tagged())


def test_load_balancers_with_all_tags_are_found_sorted(clb: World, listing):
    account: Account = clb.account
    account.add_load_balancer("lb-b", tags=TAGS)
    account.add_load_balancer("lb-a", tags={**TAGS, "more": "x"})
    account.add_load_balancer("lb-half", tags={"bosh-deployment": "cf"})
    account.add_load_balancer("lb-other", tags={**TAGS, "bosh-instance-group": "web"})
    account.add_load_balancer("lb-elsewhere", tags=TAGS, region="cn-beijing")
    assert listing() == ("lb-a", "lb-b")


def test_no_load_balancer_found_is_no_error(listing):
    assert listing() == ()


@pytest.mark.parametrize("number", [99, 100, 101, 250])
def test_all_pages_are_read(clb: World, listing, number: int):
    names = [f"lb-{one:04}" for one in range(number)]
    for name in names:
        clb.account.add_load_balancer(name, tags=TAGS)
    assert listing() == tuple(names)
    assert clb.made("DescribeLoadBalancers") <= number // 100 + 1


@pytest.mark.parametrize("body", [{}, {"LoadBalancers": None}, {"LoadBalancers": []}])
def test_a_listing_that_lacks_the_list_is_broken_not_empty(clb: World, listing, body):
    clb.gateway.faults.add(Rule(Reply(200, json.dumps(body).encode(), "application/json")))
    with pytest.raises(ApiError):
        listing()
