"""What every kind of server group can be relied on for: the same tests for all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import responses
from tests.unit.driver import HEALTHY, LOWER, PORT, REMOVE, UNHEALTHY
from tests.unit.every_kind import ANY_PORT, IPV6, KINDS, MARKER, Setting, mine

from slb_registration.model.errors import ApiError
from slb_registration.model.errors import Kind as ErrorKind
from slb_registration.model.operations import Op
from slb_registration.model.server_group import BackendServer
from slb_registration.reconcile.observed_state import Place


@pytest.fixture(params=(*KINDS, ANY_PORT), ids=lambda kind: kind.name)
def setting(sdk: responses.RequestsMock, request: pytest.FixtureRequest) -> Setting:
    return Setting(sdk, request.param)


@pytest.fixture
def serving(setting: Setting):
    """An agent whose VM is in rotation, at rest."""
    agent = setting.agent()
    setting.driver.want(HEALTHY)
    setting.driver.run(20)
    assert setting.there().weight == 100
    assert agent.registrar.group.settled
    return agent


def ignoring(kind: ErrorKind, call, server: BackendServer) -> None:
    """Make a call that may be refused for this reason, and for no other."""
    refused: ApiError | None = None
    try:
        call(server)
    except ApiError as error:
        refused = error
    assert refused is None or refused.kind is kind, refused


# The protocol, call by call


def test_find_tells_the_servers_of_others_as_they_are(setting: Setting):
    members = setting.open().find()
    assert sorted(
        (one.server_id, one.port, one.weight, one.description) for one in members.servers
    ) == [(name, setting.port, weight, text) for name, weight, text in sorted(setting.others())]
    assert {one.state for one in members.servers} == {"available"}
    assert not members.busy
    assert mine(setting, members) is None


def test_a_server_that_was_added_is_found_as_it_was_added(setting: Setting):
    group = setting.open()
    change = group.add(setting.me(30))
    assert change.pending == setting.kind.takes_time
    setting.settle()
    assert mine(setting, group.find()) == setting.me(30)
    assert setting.there().weight == 30
    assert len(setting.others()) == 2


def test_adding_again_changes_nothing(setting: Setting):
    group = setting.open()
    group.add(setting.me(30))
    setting.settle()
    ignoring(ErrorKind.CONFLICT, group.add, setting.me(30))
    setting.settle()
    assert mine(setting, group.find()) == setting.me(30)
    assert len(setting.group.servers()) == 3


def test_adding_again_where_the_api_minds_is_a_conflict(setting: Setting):
    setting.account.already_there = "error"
    group = setting.open()
    group.add(setting.me())
    setting.settle()
    with pytest.raises(ApiError) as caught:
        group.add(setting.me())
    assert caught.value.kind is ErrorKind.CONFLICT


def test_a_weight_is_set_once_or_twice_and_the_description_stays(setting: Setting):
    group = setting.open()
    group.add(setting.me())
    setting.settle()
    for _ in range(2):
        group.set_weight(setting.me(0))
        setting.settle()
        assert mine(setting, group.find()) == setting.me(0)
    assert setting.there().description == MARKER
    assert [weight for _, weight, _ in setting.others()] == [100, 100]


def test_the_weight_of_an_absent_server_is_no_success(setting: Setting):
    with pytest.raises(ApiError) as caught:
        setting.open().set_weight(setting.me(0))
    assert caught.value.kind is ErrorKind.GONE


def test_a_server_is_removed_once_or_twice_and_alone(setting: Setting):
    group = setting.open()
    group.add(setting.me())
    setting.settle()
    group.remove(setting.me())
    setting.settle()
    assert mine(setting, group.find()) is None
    ignoring(ErrorKind.GONE, group.remove, setting.me())
    setting.settle()
    assert setting.there() is None
    assert len(setting.others()) == 2


def test_a_missing_group_is_said_to_be_missing(setting: Setting):
    missing = {name: f"{value}-missing" for name, value in setting.ids.items()}
    group = setting.open(**missing)
    for call in (
        group.find,
        lambda: group.add(setting.me()),
        lambda: group.set_weight(setting.me()),
    ):
        with pytest.raises(ApiError) as caught:
            call()
        assert caught.value.kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize(("forced", "status"), [("normal", "normal"), ("abnormal", "abnormal")])
def test_health_is_that_of_the_listeners_that_use_the_group(
    setting: Setting, forced: str, status: str
):
    group = setting.open()
    group.add(setting.me())
    setting.settle()
    group.find()
    setting.account.force_health(setting.kind.server_id, forced)
    for _ in range(2):
        own = [one for one in group.health() if one.server_id == setting.kind.server_id]
        assert [(one.listener_port, one.port, one.status) for one in own] == [
            (80, setting.kind.port, status)
        ]
    assert all(
        one.is_of(setting.kind.server_id, setting.port, setting.me().server_ip) for one in own
    )


def test_health_that_is_not_known_yet_is_unavailable(setting: Setting):
    group = setting.open()
    group.add(setting.me())
    setting.settle()
    group.find()
    own = [one for one in group.health() if one.server_id == setting.kind.server_id]
    assert [one.status for one in own] == ["unavailable"]


def test_at_weight_0_there_is_no_status_to_wait_for(setting: Setting):
    group = setting.open()
    group.add(setting.me(0))
    setting.settle()
    group.find()
    own = [one for one in group.health() if one.server_id == setting.kind.server_id]
    if setting.kind.takes_time:
        assert own == []
    else:
        assert {one.status for one in own} <= {"unavailable"}


# With the registrar: what was lost, and what others do


@pytest.mark.parametrize("made", [True, False], ids=["made", "not made"])
def test_a_lost_answer_to_the_addition_is_looked_up(setting: Setting, made: bool):
    setting.lose("Add", made=made)
    agent = setting.agent()
    setting.driver.want(HEALTHY)
    setting.driver.run(60)
    assert setting.there().weight == 100
    assert agent.writes() == [Op.ADD] * (1 if made else 2)


@pytest.mark.parametrize("made", [True, False], ids=["made", "not made"])
def test_a_lost_answer_to_a_weight_is_looked_up(setting: Setting, serving, made: bool):
    setting.lose("Update" if setting.kind.takes_time else "Set", made=made)
    start = setting.driver.now
    setting.driver.want(LOWER)
    setting.driver.run(60)
    assert setting.there().weight == 0
    assert serving.writes(since=start) == [Op.SET_WEIGHT] * (1 if made else 2)
    assert serving.registrar.group.at_least(Place.LOWERED)


@pytest.mark.parametrize("made", [True, False], ids=["made", "not made"])
def test_a_lost_answer_to_the_removal_is_looked_up(setting: Setting, serving, made: bool):
    setting.lose("Remove", made=made)
    start = setting.driver.now
    setting.driver.want(REMOVE)
    setting.driver.run(60)
    assert setting.there() is None
    assert serving.writes(since=start) == [Op.REMOVE] * (1 if made else 2)
    assert serving.registrar.group.at_least(Place.LEFT)


@pytest.mark.parametrize("action", ["Describe", "List"])
def test_a_lost_answer_to_a_read_changes_nothing(setting: Setting, serving, action: str):
    setting.lose(action, made=False, times=3)
    start = setting.driver.now
    setting.driver.run(300)
    assert serving.writes(since=start) == []
    assert serving.registrar.group.settled


def test_a_lost_answer_about_health_changes_nothing(setting: Setting, serving):
    setting.lose("Health", made=False, times=2)
    setting.driver.run(200)
    assert [one.status for one in serving.registrar.slb_health.listeners] == ["unavailable"]
    assert setting.there().weight == 100


def test_another_writer_adds_this_vm_first(setting: Setting):
    agent = setting.agent()
    setting.driver.want(HEALTHY)
    setting.as_another("add", 10)
    setting.driver.run(60)
    assert setting.there().weight == 100
    assert setting.there().description == MARKER
    assert len(setting.group.servers()) == 3
    assert agent.registrar.group.settled


@pytest.mark.parametrize("change", ["weight", "remove"])
def test_what_another_writer_changes_is_put_right(setting: Setting, serving, change: str):
    setting.as_another(change, 7)
    setting.driver.run(90)
    assert setting.there().weight == 100
    assert serving.registrar.group.settled


def test_another_writer_removes_this_vm_while_its_weight_is_set(setting: Setting, serving):
    setting.driver.want(LOWER)
    setting.as_another("remove")
    setting.driver.run(60)
    assert setting.there() is None
    assert serving.registrar.group.at_least(Place.LOWERED)


def test_another_writer_removes_this_vm_first(setting: Setting, serving):
    setting.refuse("ResourceNotFound.BackendServer", 404, action="Remove*")
    setting.as_another("remove")
    setting.driver.want(REMOVE)
    setting.driver.run(60)
    assert setting.there() is None
    assert serving.registrar.group.at_least(Place.LEFT)


def test_an_unhealthy_vm_gets_weight_0_and_its_weight_back(setting: Setting, serving):
    setting.driver.want(UNHEALTHY)
    setting.driver.run(30)
    assert setting.there().weight == 0
    setting.driver.want(HEALTHY)
    setting.driver.run(30)
    assert setting.there().weight == 100
    assert serving.writes() == [Op.ADD, Op.SET_WEIGHT, Op.SET_WEIGHT]
    assert len(setting.others()) == 2


def test_the_predecessor_is_removed_once_this_vm_serves(setting: Setting):
    kind = setting.kind
    before = {"ecs": "i-old", "eni": "eni-old", "ip": "192.168.9.9"}[kind.server_type]
    setting.account.add_instance("i-old", eni_id="eni-old", private_ip="192.168.9.9")
    old = replace(setting.me(), server_id=before)
    if kind.server_type != "ecs":
        old = replace(old, server_ip="192.168.9.9")
    setting.open().add(old)
    setting.settle()
    assert setting.there(before) is not None

    setting.agent()
    setting.driver.want(HEALTHY)
    setting.driver.run(60)

    assert setting.there(before) is None
    assert setting.there().weight == 100
    assert len(setting.others()) == 2


# Several at once


@pytest.mark.parametrize(
    "setting", [kind for kind in KINDS if kind.has_ports], ids=lambda k: k.name, indirect=True
)
def test_removing_one_port_leaves_the_other(setting: Setting):
    agents = {}
    for port in (PORT, PORT + 1):
        agents[port] = setting.agent(setting.open(port=port), port=port)
    setting.driver.want(HEALTHY)
    setting.driver.run(90)
    assert [setting.there(port=port).weight for port in agents] == [100, 100]

    setting.driver.want(REMOVE, agents[PORT])
    setting.driver.run(60)

    assert setting.there(port=PORT) is None
    assert setting.there(port=PORT + 1).weight == 100
    assert len(setting.others()) == 2


def test_each_registration_has_a_name_of_its_own(sdk: responses.RequestsMock):
    settings = [Setting(sdk, kind) for kind in KINDS]
    ports = (PORT, PORT + 1)
    names = [one.open(port=port).name for one in settings for port in ports if one.kind.has_ports]
    assert len(set(names)) == len(names)
    assert "alb/sgp-1:8080" in names
    assert "nlb/sgp-1:8080@2001:db8::7" in names
    assert "clb/rsp-1:8080@eni-self/192.168.7.7" in names


@pytest.mark.parametrize("product", ["alb", "nlb"])
def test_two_addresses_of_one_vm_do_not_remove_each_other(
    sdk: responses.RequestsMock, product: str
):
    setting = Setting(sdk, next(k for k in KINDS if (k.product, k.server_type) == (product, "ip")))
    ours = {setting.kind.server_id, IPV6}
    other = {"server_id": IPV6, "server_ip": IPV6}
    setting.agent(also_ours=ours)
    setting.agent(setting.open(**other), **other, also_ours=ours)
    setting.driver.want(HEALTHY)
    setting.driver.run(300)
    assert {one.server_id for one in setting.group.servers()} >= ours
    assert not setting.made("Remove")
