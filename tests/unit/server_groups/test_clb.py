"""The adapters of Classic Load Balancer: one contract for every kind of server group."""

from __future__ import annotations

import json

import pytest
import responses
from tests.unit.driver import PORT, World

from mock_slb.gateway.faults import Reset, Rule
from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.server_group import BackendServer, Changed, Members, ServerGroup

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
    world.reply(body)
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
    world.reply({"BackendServers": {}})
    assert group.find() == Members((), implied=True)


def test_weights_and_ports_may_come_as_text(world: World):
    server = {"ServerId": "i-1", "Port": "8080", "Weight": "30", "Description": None}
    body = {"BackendServers": {"BackendServer": [server]}}
    world.reply(body)
    assert world.group().find().servers == (BackendServer("i-1", world.port, 30, ""),)
