"""What ALB and NLB have that CLB has not: changes that take time, jobs, tokens, pages, reports."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import responses
from tests.unit.driver import HEALTHY, PORT, REMOVE, UNHEALTHY
from tests.unit.every_kind import ANY_PORT, KINDS, MARKER, Setting, mine

from mock_slb.core.resources import BackendKey
from mock_slb.gateway.faults import Refuse, Reply, Reset, Rule
from slb_registration.model.errors import ApiError
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Op
from slb_registration.reconcile.observed_state import Place
from slb_registration.server_groups.listener_health import NO_NODE
from slb_registration.server_groups.tagged import listings

PRODUCTS = [kind for kind in KINDS if kind.name in ("alb", "nlb")]
JOB = "GetJobStatus"


@pytest.fixture(params=PRODUCTS, ids=lambda kind: kind.name)
def setting(sdk: responses.RequestsMock, request: pytest.FixtureRequest) -> Setting:
    return Setting(sdk, request.param)


@pytest.fixture
def nlb(sdk: responses.RequestsMock) -> Setting:
    return Setting(sdk, next(kind for kind in PRODUCTS if kind.product == "nlb"))


@pytest.fixture
def alb(sdk: responses.RequestsMock) -> Setting:
    return Setting(sdk, next(kind for kind in PRODUCTS if kind.product == "alb"))


def serving(setting: Setting):
    agent = setting.agent()
    setting.driver.want(HEALTHY)
    setting.driver.run(30)
    assert setting.there().weight == 100
    return agent


def reply(setting: Setting, action: str, body: object, times: int | None = 1) -> None:
    effect = Reply(200, json.dumps(body).encode(), "application/json")
    setting.gateway.faults.add(Rule(effect, action=action, times=times))


# Lists without elements, of which nobody documents how they look

NO_LIST = [{}, {"Servers": None}, {"Servers": {}}, {"TotalCount": 0}, {"TotalCount": "0"}]


@pytest.mark.parametrize("answer", NO_LIST, ids=json.dumps)
def test_the_first_vm_joins_a_group_whose_answer_has_no_list(setting: Setting, answer: dict):
    for server in list(setting.group.servers()):
        setting.group.remove_server(server.server_id, port=PORT)
    assert not setting.group.servers()
    reply(setting, "ListServerGroupServers", {"RequestId": "R", **answer}, times=1)
    serving(setting)


@pytest.mark.parametrize(
    "answer",
    [
        {"Servers": None},  # no RequestId: who knows whose answer it is
        {"RequestId": "R", "TotalCount": 3},
        {"RequestId": "R", "TotalCount": 3, "Servers": {}},
        {"RequestId": "R", "TotalCount": None, "Servers": "none"},
        {"RequestId": "R", "Servers": {"Server": []}},
    ],
    ids=json.dumps,
)
def test_an_answer_that_lacks_its_list_is_broken_where_it_does_not_say_so(
    setting: Setting, answer: dict
):
    reply(setting, "ListServerGroupServers", answer)
    with pytest.raises(ApiError, match="the answer lacks Servers"):
        setting.open().find()


@pytest.mark.parametrize("answer", NO_LIST, ids=json.dumps)
def test_one_answer_without_a_list_is_no_proof_that_this_vm_was_removed(
    setting: Setting, answer: dict
):
    agent = serving(setting)
    reply(setting, "ListServerGroupServers", {"RequestId": "R", **answer}, times=None)
    setting.gateway.faults.add(Rule(Refuse("Conflict.Lock", 400), action="Remove*", times=1))
    start = setting.driver.now
    setting.driver.want(REMOVE)
    while not agent.registrar.group.at_least(Place.LEFT):
        setting.driver.run(0.5)
    assert 5 <= setting.driver.now - start <= 30


def test_a_list_without_elements_proves_it_at_once(setting: Setting):
    agent = serving(setting)
    reply(setting, "ListServerGroupServers", {"RequestId": "R", "Servers": []}, times=None)
    setting.driver.want(REMOVE)
    start = setting.driver.now
    while not agent.registrar.group.at_least(Place.LEFT):
        setting.driver.run(0.1)
    assert setting.driver.now - start < 5


# Changes under way


def test_a_change_under_way_shows_as_a_state_and_a_busy_group(setting: Setting):
    group = setting.open()
    group.add(setting.me())
    members = group.find()
    assert mine(setting, members).state == "adding"
    assert members.busy
    setting.settle()
    members = group.find()
    assert mine(setting, members).state == "available"
    assert not members.busy


def test_at_rest_a_read_is_one_call(setting: Setting):
    group = setting.open()
    group.add(setting.me())
    setting.settle()
    group.find()
    before = len(setting.gateway.calls.all())
    for _ in range(3):
        group.find()
    assert setting.made("")[before:] == ["ListServerGroupServers"] * 3


@pytest.mark.parametrize("seconds", [0.5, 5, 25])
def test_however_long_a_change_takes_it_is_made_once(setting: Setting, seconds: float):
    setting.account.change_seconds = seconds
    agent = setting.agent()
    setting.driver.want(HEALTHY)
    setting.driver.run(120)
    assert agent.writes() == [Op.ADD]
    assert agent.registrar.group.settled
    setting.driver.want(REMOVE)
    setting.driver.run(120)
    assert agent.writes() == [Op.ADD, Op.REMOVE]
    assert agent.registrar.group.at_least(Place.LEFT)


def test_a_group_that_another_writer_changes_is_waited_for(setting: Setting):
    agent = serving(setting)
    setting.group.keep_busy(20)
    start = setting.driver.now
    setting.driver.want(UNHEALTHY)
    setting.driver.run(15)
    # One write finds out that the group is busy, and reads tell when it is free.
    assert agent.writes(since=start) == [Op.SET_WEIGHT]
    assert setting.there().weight == 100
    setting.driver.run(45)
    assert setting.there().weight == 0
    assert agent.writes(since=start) == [Op.SET_WEIGHT] * 2


@pytest.mark.parametrize("state", ["Quarantined", "Upgrading", ""])
def test_a_state_that_is_not_known_is_one_to_wait_in(setting: Setting, state: str):
    agent = serving(setting)
    key = BackendKey("i-self", "", PORT)
    setting.group.forced_server_statuses[key] = state
    setting.driver.run(40)
    start = setting.driver.now
    setting.driver.want(UNHEALTHY)
    setting.driver.run(300)
    assert agent.writes(since=start) == []
    assert not agent.registrar.group.settled
    assert not [event for _, event in agent.events if event.level != "info"]
    setting.group.forced_server_statuses.clear()
    setting.driver.run(60)
    assert setting.there().weight == 0


def test_a_foreign_server_in_a_state_that_is_not_known_stops_nobody(setting: Setting):
    setting.group.forced_server_statuses[BackendKey("i-other-1", "", PORT)] = "Quarantined"
    agent = serving(setting)
    setting.driver.want(REMOVE)
    setting.driver.run(60)
    assert agent.registrar.group.at_least(Place.LEFT)


def test_an_unknown_status_of_the_group_is_one_to_wait_in(setting: Setting):
    agent = serving(setting)
    setting.group.forced_status = "Migrating"
    start = setting.driver.now
    setting.driver.want(UNHEALTHY)
    setting.driver.run(300)
    assert agent.writes(since=start) == [Op.SET_WEIGHT]
    setting.group.forced_status = None
    setting.driver.run(60)
    assert setting.there().weight == 0


@pytest.mark.parametrize("field", ["Status", "Weight", "ServerId", "Port"])
def test_a_server_without_its_fields_makes_the_answer_incomplete(setting: Setting, field: str):
    server = {"ServerId": "i-1", "Port": 80, "Weight": 1, "Status": "Available"}
    del server[field]
    reply(setting, "ListServerGroupServers", {"Servers": [server]})
    with pytest.raises(ApiError, match="the answer lacks a server"):
        setting.open().find()


# Jobs


def test_a_job_of_nlb_is_followed_until_it_has_ended(nlb: Setting):
    group = nlb.open()
    group.add(nlb.me())
    assert group.find().busy
    nlb.settle()
    assert not group.find().busy
    group.find()
    assert nlb.made(JOB) == [JOB]


@pytest.mark.parametrize("status", ["Processing", "Suspended", ""])
def test_what_the_group_shows_overrules_a_job_that_says_otherwise(nlb: Setting, status: str):
    """For ever Processing, it kept a VM at weight 0 for 544 s."""
    reply(nlb, JOB, {"Status": status}, times=None)
    agent = nlb.agent()
    nlb.driver.run(20)
    assert nlb.there().weight == 0
    nlb.driver.want(HEALTHY)
    nlb.driver.run(20)
    assert nlb.there().weight == 100
    nlb.driver.want(REMOVE)
    nlb.driver.run(20)
    assert agent.registrar.group.at_least(Place.LEFT)
    assert agent.writes() == [Op.ADD, Op.SET_WEIGHT, Op.REMOVE]


def test_a_job_that_ends_after_the_servers_were_read_lets_them_be_read_again(nlb: Setting):
    group = nlb.open()
    group.add(nlb.me())
    reply(nlb, JOB, {"Status": "Succeeded"})
    assert group.find().busy
    nlb.settle()
    assert not group.find().busy


def test_alb_is_not_asked_for_jobs(alb: Setting):
    serving(alb)
    assert alb.made("Job") == []


def test_a_job_whose_status_is_not_known_is_one_to_wait_for(nlb: Setting):
    group = nlb.open()
    group.add(nlb.me())
    nlb.group.forced_status = "Available"
    reply(nlb, JOB, {"Status": "Suspended"})
    assert group.find().busy
    nlb.settle()
    assert not group.find().busy


def test_a_job_is_not_asked_about_for_ever(nlb: Setting):
    group = nlb.open()
    nlb.group.fail_next_change()
    group.add(nlb.me())
    nlb.settle()
    reply(nlb, JOB, {"Status": "Suspended"}, times=None)
    assert group.find().busy
    nlb.driver.now += 31
    assert not group.find().busy
    assert group.find().get("i-self", PORT) is None


@pytest.mark.parametrize("reasons", [True, False])
def test_a_failed_job_is_an_error_with_its_reason_and_tried_again(nlb: Setting, reasons: bool):
    nlb.account.job_reasons = reasons
    nlb.group.fail_next_change("OperationFailed.Something", "it did not work")
    agent = nlb.agent()
    nlb.driver.want(HEALTHY)
    nlb.driver.run(120)
    (event,) = agent.said("a call failed")
    assert "AddServersToServerGroup: JobFailed" in event.fields["error"]
    assert ("it did not work" in event.fields["error"]) == reasons
    assert nlb.there().weight == 100
    assert agent.writes() == [Op.ADD, Op.ADD]
    assert len(set(nlb.tokens())) == 2


@pytest.mark.parametrize("code", ["ResourceNotFound.serverGroup", "ResourceNotFound.BackendServer"])
def test_no_failed_job_passes_for_a_group_that_is_gone(nlb: Setting, code: str):
    """A removal that failed must never look like one that is done."""
    agent = serving(nlb)
    nlb.account.job_reasons = True
    nlb.group.fail_next_change(code)
    nlb.driver.want(REMOVE)
    nlb.driver.run(8)
    assert nlb.there() is not None
    assert not agent.registrar.group.at_least(Place.LEFT)


def test_a_job_that_the_api_has_forgotten_is_over(nlb: Setting):
    group = nlb.open()
    nlb.group.fail_next_change()
    group.add(nlb.me())
    nlb.settle()
    nlb.refuse("ResourceNotFound.JobId", 404, action=JOB)
    assert not group.find().busy
    group.find()
    assert len(nlb.made(JOB)) == 1


def test_jobs_that_may_not_be_asked_for_are_said_once_and_done_without(nlb: Setting):
    nlb.account.change_seconds = 3
    nlb.refuse("Forbidden.RAM", 403, action=JOB, times=1000)
    agent = nlb.agent()
    nlb.driver.run(20)
    nlb.driver.want(HEALTHY)
    nlb.driver.run(20)
    (event,) = agent.said("a call failed")
    assert event.level == "warning"
    assert 'add "nlb:GetJobStatus"' in event.fields["error"]
    assert nlb.made(JOB) == [JOB]
    assert nlb.there().weight == 100
    assert agent.registrar.group.settled


def test_a_failed_change_of_alb_is_made_again(alb: Setting):
    alb.group.fail_next_change()
    agent = alb.agent()
    alb.driver.want(HEALTHY)
    alb.driver.run(120)
    assert alb.there().weight == 100
    assert agent.writes() == [Op.ADD, Op.ADD]


# ClientToken


def test_every_write_has_a_token_of_its_own(setting: Setting):
    group = setting.open()
    for write in (group.add, group.set_weight, group.set_weight, group.remove):
        write(setting.me())
        setting.settle()
    tokens = setting.tokens()
    assert len(tokens) == len(set(tokens)) == 4
    assert all(0 < len(token) <= 64 and token.isascii() for token in tokens)


@pytest.mark.parametrize("effect", [Reset(), Reply(502, b"<html>"), Refuse("InternalError", 500)])
def test_a_write_is_repeated_with_its_token_if_it_may_have_been_made(setting: Setting, effect):
    setting.gateway.faults.add(Rule(effect, action="Add*", times=2))
    agent = setting.agent()
    setting.driver.want(HEALTHY)
    setting.driver.run(120)
    assert setting.there().weight == 100
    assert agent.writes() == [Op.ADD] * 3
    assert len(set(setting.tokens())) == 1


def test_a_write_that_was_made_without_an_answer_is_made_once(setting: Setting):
    """Repeated before the read shows it, the token makes it one."""
    group = setting.open()
    setting.lose("Add", made=True)
    with pytest.raises(ApiError):
        group.add(setting.me())
    group.add(setting.me())
    setting.settle()
    assert mine(setting, group.find()) == setting.me()
    assert len(set(setting.tokens())) == 1


def test_being_throttled_says_nothing_of_the_write_before(setting: Setting):
    group = setting.open()
    setting.lose("Add", made=False)
    with pytest.raises(ApiError):
        group.add(setting.me())
    setting.refuse("Throttling.User", action="Add*")
    with pytest.raises(ApiError):
        group.add(setting.me())
    group.add(setting.me())
    assert len(set(setting.tokens())) == 1


def test_after_a_refusal_the_next_write_has_another_token(setting: Setting):
    group = setting.open()
    setting.refuse("IncorrectStatus.ServerGroup", action="Add*")
    with pytest.raises(ApiError):
        group.add(setting.me())
    group.add(setting.me())
    assert len(set(setting.tokens())) == 2


def test_another_write_never_has_the_token_of_one_that_was_lost(setting: Setting):
    group = setting.open()
    setting.lose("Add", made=False)
    with pytest.raises(ApiError):
        group.add(setting.me(30))
    group.add(setting.me(31))
    assert len(set(setting.tokens())) == 2


def test_the_token_of_a_write_that_was_seen_is_not_used_again(setting: Setting):
    """With it the API would take a later, equal write for the one of then, and not make it."""
    agent = setting.agent()
    setting.lose("Add", made=True)
    setting.driver.want(HEALTHY)
    setting.driver.run(60)
    assert setting.there().weight == 100
    setting.as_another("remove")
    setting.driver.run(90)
    assert setting.there().weight == 100
    assert agent.writes() == [Op.ADD, Op.ADD]
    assert len(set(setting.tokens())) == 2


def test_an_old_token_is_not_used_again(setting: Setting):
    group = setting.open()
    setting.lose("Add", made=False)
    with pytest.raises(ApiError):
        group.add(setting.me())
    setting.driver.now += 601
    group.add(setting.me())
    assert len(set(setting.tokens())) == 2


# Pages


@pytest.mark.parametrize("number", [97, 98, 99, 198])
def test_all_pages_of_servers_are_read(setting: Setting, number: int):
    for one in range(number):
        setting.account.add_instance(f"i-{one:04}")
        setting.group.add_server(f"i-{one:04}", port=PORT)
    assert len(setting.open().find().servers) == number + 2
    assert len(setting.made("List")) == (number + 2 + 99) // 100


def test_a_listing_without_an_end_is_broken(setting: Setting):
    reply(setting, "ListServerGroupServers", {"Servers": [], "NextToken": "again"}, times=None)
    with pytest.raises(ApiError, match="the answer lacks an end"):
        setting.open().find()


def test_any_number_of_groups_can_be_asked_about_their_tags(setting: Setting):
    product = setting.kind.product
    fleet = setting.account.alb if product == "alb" else setting.account.nlb
    ids = [f"sgp-{number:02}" for number in range(45)]
    for id_ in ids:
        fleet.add_server_group(id_, tags={} if id_.endswith("7") else {"a": "b"})
    listing = listings(setting.cloud, [product], {"a": "b"})[product]
    assert listing.without_tags([*ids, "sgp-none"]) == {"sgp-07", "sgp-17", "sgp-27", "sgp-37"}


def test_a_page_that_fails_makes_the_listing_fail(setting: Setting):
    for one in range(120):
        setting.account.add_instance(f"i-{one:04}")
        setting.group.add_server(f"i-{one:04}", port=PORT)
    setting.gateway.faults.add(Rule(Reset(), action="ListServerGroupServers", skip=1))
    with pytest.raises(ApiError):
        setting.open().find()


# Health


def health(setting: Setting, group) -> dict[tuple[int, str], str]:
    return {
        (one.listener_port, one.server_id): one.status if one.checked else "not checked"
        for one in group.health()
    }


def registered(setting: Setting, weight: int = 100):
    group = setting.open()
    group.add(setting.me(weight))
    setting.settle()
    group.find()
    return group


def test_only_a_confirmed_member_is_normal_by_absence(setting: Setting):
    group = setting.open()
    group.add(setting.me())
    group.find()  # it is being added, and no listener lists it yet
    assert health(setting, group)[80, "i-self"] == "unavailable"


def test_after_a_write_nothing_is_confirmed_before_the_next_read(setting: Setting):
    group = registered(setting)
    setting.account.force_health("i-self", "normal")
    assert health(setting, group)[80, "i-self"] == "normal"
    group.remove(setting.me())
    assert health(setting, group)[80, "i-self"] != "normal"


def test_a_listener_without_checks_is_said_to_have_none(setting: Setting):
    setting.group.health_check = None
    group = registered(setting)
    assert health(setting, group)[80, "i-self"] == "not checked"


def test_listeners_of_other_groups_are_not_ours(setting: Setting):
    balancer = setting.balancer
    balancer.add_listener(81, server_group="sgp-2")
    balancer.add_listener(82, server_group="sgp-1")
    group = registered(setting)
    assert {port for port, _ in health(setting, group)} == {80, 82}


def test_at_rest_only_listeners_that_use_the_group_are_asked(setting: Setting):
    balancer = setting.balancer
    for port in range(81, 90):
        balancer.add_listener(port, server_group="sgp-2")
    group = registered(setting)
    group.health()
    before = len(setting.gateway.calls.all())
    group.health()
    assert setting.made("")[before:] == ["GetListenerHealthStatus"]


def test_a_listener_that_is_added_later_is_learned_within_ten_minutes(setting: Setting):
    group = registered(setting)
    group.health()
    setting.balancer.add_listener(81, server_group="sgp-1")
    assert {port for port, _ in health(setting, group)} == {80}
    setting.driver.now += 601
    assert {port for port, _ in health(setting, group)} == {80, 81}


def test_a_listener_that_was_deleted_is_forgotten(setting: Setting):
    setting.balancer.add_listener(81, server_group="sgp-1", id="lsn-late")
    group = registered(setting)
    group.health()
    del setting.balancer.listeners["lsn-late"]
    assert {port for port, _ in health(setting, group)} == {80}


def test_a_group_without_listeners_has_no_health(setting: Setting):
    setting.balancer.listeners.clear()
    assert registered(setting).health() == ()


def told(setting: Setting, *listed: dict[str, object], port: int = PORT):
    """What is said of this VM where the listener lists these as not normal."""
    if setting.there() is None:
        registered(setting)
    group = setting.open()
    group.find()
    servers = [{"ServerId": "i-self", "ServerIp": "", "Port": port, **one} for one in listed]
    info = {"ServerGroupId": "sgp-1", "NonNormalServers": servers}
    answer = {"RequestId": "R", "ListenerHealthStatus": [{"ServerGroupInfos": [info]}]}
    reply(setting, "GetListenerHealthStatus", answer)
    (one,) = (one for one in group.health() if one.server_id == "i-self")
    return one.status, one.reason


def test_a_zone_without_a_node_of_the_load_balancer_is_told(setting: Setting):
    setting.balancer.zone_ids, setting.balancer.cross_zone = ("cn-hangzhou-k",), False
    (mine_, *_) = (one for one in registered(setting).health() if one.server_id == "i-self")
    assert (mine_.status, mine_.reason) == ("unavailable", NO_NODE)
    assert not mine_.good


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ({"ReasonCode": "CONNECTION_REFUSED"}, "CONNECTION_REFUSED"),
        (
            {
                "ReasonCode": "RESPONSE_MISMATCH",
                "ExpectedResponse": "HTTP_2xx",
                "ActualResponse": "HTTP_500",
            },
            "RESPONSE_MISMATCH: HTTP_500 instead of HTTP_2xx",
        ),
        ({"ReasonCode": None, "ActualResponse": ""}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_what_slb_finds_wrong_is_told(setting: Setting, reason: object, said: str):
    assert told(setting, {"Status": "Unhealthy", "Reason": reason}) == ("abnormal", said)


@pytest.mark.parametrize("word", ["Initial", "Unavailable", "SomethingNew"])
def test_what_is_no_verdict_has_no_reason(setting: Setting, word: str):
    assert told(setting, {"Status": word, "Reason": {"ReasonCode": "X"}}) == ("unavailable", "")


def test_of_several_verdicts_the_worst_counts(setting: Setting):
    unused, initial = {"Status": "Unused"}, {"Status": "Initial"}
    bad = {"Status": "Unhealthy", "Reason": {"ReasonCode": "X"}}
    assert told(setting, initial, bad, unused) == ("abnormal", "X")
    assert told(setting, initial, unused, initial) == ("unavailable", NO_NODE)


@pytest.mark.parametrize("port", [0, 9000])
def test_in_a_group_that_forwards_all_ports_the_checked_one_may_be_told(
    sdk: responses.RequestsMock, port: int
):
    setting = Setting(sdk, ANY_PORT)
    assert told(setting, {"Status": "Unhealthy"}, port=port)[0] == "abnormal"


def test_rules_of_alb_that_use_the_group_count(alb: Setting):
    listener = alb.balancer.add_listener(81, server_group="sgp-2")
    alb.balancer.add_rule(listener.id, server_group="sgp-1")
    group = registered(alb)
    alb.account.force_health("i-self", "abnormal")
    assert health(alb, group)[81, "i-self"] == "abnormal"


# Addresses that outlive their VM


def test_an_address_with_another_vms_marker_is_claimed(sdk: responses.RequestsMock):
    """Its successor would take it for its predecessor, and remove it."""
    setting = Setting(sdk, next(kind for kind in KINDS if kind.name == "nlb, ip"))
    setting.group.add_server(setting.kind.server_id, port=PORT, description="bosh/another")
    setting.agent()
    setting.driver.want(HEALTHY)
    setting.driver.run(60)
    assert setting.there().description == MARKER


def test_an_instance_with_another_marker_is_left_as_it_is():
    me = Identity("i-self", 80, 100, "bosh/spec-1")
    server = replace(me.server(100), description="bosh/another")
    assert not me.must_claim(server)
