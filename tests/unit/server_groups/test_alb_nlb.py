"""Servers and changes of ALB and NLB: lists left out, changes that take time, jobs, pages."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import responses
from tests.unit.driver import HEALTHY, PORT, REMOVE, UNHEALTHY
from tests.unit.every_kind import KINDS, MARKER, Setting, mine

from mock_slb.core.resources import BackendKey
from mock_slb.gateway.faults import Refuse, Reset, Rule
from slb_registration.model.errors import ApiError
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Op
from slb_registration.reconcile.observed_state import Place

JOB = "GetJobStatus"


def serving(setting: Setting):
    agent = setting.agent()
    setting.driver.want(HEALTHY)
    setting.driver.run(30)
    assert setting.there().weight == 100
    return agent


# Lists without elements, of which nobody documents how they look

NO_LIST = [{}, {"Servers": None}, {"Servers": {}}, {"TotalCount": 0}, {"TotalCount": "0"}]


@pytest.mark.parametrize("answer", NO_LIST, ids=json.dumps)
def test_the_first_vm_joins_a_group_whose_answer_has_no_list(setting: Setting, answer: dict):
    for server in list(setting.group.servers()):
        setting.group.remove_server(server.server_id, port=PORT)
    assert not setting.group.servers()
    setting.reply({"RequestId": "R", **answer}, "ListServerGroupServers")
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
    setting.reply(answer, "ListServerGroupServers")
    with pytest.raises(ApiError, match="the answer lacks Servers"):
        setting.open().find()


@pytest.mark.parametrize("answer", NO_LIST, ids=json.dumps)
def test_one_answer_without_a_list_is_no_proof_that_this_vm_was_removed(
    setting: Setting, answer: dict
):
    agent = serving(setting)
    setting.reply({"RequestId": "R", **answer}, "ListServerGroupServers", times=None)
    setting.gateway.faults.add(Rule(Refuse("Conflict.Lock", 400), action="Remove*", times=1))
    start = setting.driver.now
    setting.driver.want(REMOVE)
    while not agent.registrar.group.at_least(Place.LEFT):
        setting.driver.run(0.5)
    assert 5 <= setting.driver.now - start <= 30


def test_a_list_without_elements_proves_it_at_once(setting: Setting):
    agent = serving(setting)
    setting.reply({"RequestId": "R", "Servers": []}, "ListServerGroupServers", times=None)
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
    setting.reply({"Servers": [server]}, "ListServerGroupServers")
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
    nlb.reply({"Status": status}, JOB, times=None)
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
    nlb.reply({"Status": "Succeeded"}, JOB)
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
    nlb.reply({"Status": "Suspended"}, JOB)
    assert group.find().busy
    nlb.settle()
    assert not group.find().busy


def test_a_job_is_not_asked_about_for_ever(nlb: Setting):
    group = nlb.open()
    nlb.group.fail_next_change()
    group.add(nlb.me())
    nlb.settle()
    nlb.reply({"Status": "Suspended"}, JOB, times=None)
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


# Pages


@pytest.mark.parametrize("number", [97, 98, 99, 198])
def test_all_pages_of_servers_are_read(setting: Setting, number: int):
    for one in range(number):
        setting.account.add_instance(f"i-{one:04}")
        setting.group.add_server(f"i-{one:04}", port=PORT)
    assert len(setting.open().find().servers) == number + 2
    assert len(setting.made("List")) == (number + 2 + 99) // 100


def test_a_listing_without_an_end_is_broken(setting: Setting):
    setting.reply({"Servers": [], "NextToken": "again"}, "ListServerGroupServers", times=None)
    with pytest.raises(ApiError, match="the answer lacks an end"):
        setting.open().find()


def test_a_page_that_fails_makes_the_listing_fail(setting: Setting):
    for one in range(120):
        setting.account.add_instance(f"i-{one:04}")
        setting.group.add_server(f"i-{one:04}", port=PORT)
    setting.gateway.faults.add(Rule(Reset(), action="ListServerGroupServers", skip=1))
    with pytest.raises(ApiError):
        setting.open().find()


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
