"""Whose VM is gone: by the marker, by what ECS lists and SLB reports; in doubt it is a guess.

Through the command line, against the mocked cloud.
"""

from __future__ import annotations

import json

import pytest
import tenacity
from tests.unit.commands.orphans.operator_account import MARK, NAMES, NLB, Operator
from tests.unit.driver import PORT
from tests.unit.rendered import rendered

from mock_slb.clb.resources import Backend
from mock_slb.core.resources import EcsAccess
from mock_slb.gateway.fault_presets import preset
from mock_slb.gateway.faults import Reply, Rule
from mock_slb.gateway.shapes import EMPTY_FORMS

# Who is one


def test_marked_entries_that_ecs_no_longer_has_are_listed_and_nothing_is_removed(
    operator: Operator,
):
    code, document = operator.run()
    assert code == 1
    assert [(one["server_group"], one["server_id"]) for one in document["entries"]] == [
        (name, "i-gone") for name in NAMES
    ]
    assert {one["verdict"] for one in document["entries"]} == {"gone"}
    assert {one["spec_id"] for one in document["entries"]} == {MARK.removeprefix("bosh/")}
    assert document["complete"] is True
    assert operator.writes() == []


def test_where_there_is_none_that_is_said_and_the_exit_code_is_0(operator: Operator):
    for group in (operator.virtual, operator.alb, operator.nlb):
        group.remove_server("i-gone", port=PORT)
    operator.balancer.default_group.remove_server("i-gone")
    code, out, err = operator.text()
    assert (code, err) == (0, "")
    assert "no entry of a VM that is gone" in out
    assert operator.run()[1]["entries"] == []


def test_a_stopped_instance_is_none(operator: Operator):
    operator.account.set_running("i-lives", False)
    operator.account.force_health("i-lives", "abnormal")
    assert set(operator.verdicts()) == {"i-gone"}


@pytest.mark.parametrize("description", ["", "terraform", "bosh", "bosh/", "xbosh/1", "Bosh/1"])
def test_an_entry_without_our_marker_is_counted_and_nothing_else(
    operator: Operator, description: str
):
    operator.gain("i-unmarked")
    operator.register("i-unmarked", description)
    operator.lose("i-unmarked")
    code, document = operator.run("--remove", "i-unmarked")
    assert {one["server_id"] for one in document["entries"]} == {"i-gone"}
    assert document["unmarked"] == 8  # beside i-theirs
    assert code == 1
    (refused,) = document["refused"]
    assert "does not begin with bosh/" in refused["because"]
    assert operator.writes() == []


def test_what_slb_reports_as_normal_is_never_one(operator: Operator):
    """It may be another account's or region's, or a stranger may have its address."""
    operator.account.force_health("i-gone", "normal")
    code, document = operator.run("--remove", "i-gone")
    assert code == 1
    assert {one["verdict"] for one in document["entries"]} == {"disputed"}
    assert "ECS does not have it" in document["entries"][0]["because"]
    assert "normal" in document["entries"][0]["because"]
    assert operator.writes() == []


def test_who_is_normal_in_one_group_is_alive_in_all(operator: Operator):
    operator.account.force_health("i-gone", None)
    listener = operator.balancer.listeners["tcp:80"]
    (entry,) = [
        one for one in operator.balancer.default_group.servers() if one.server_id == "i-gone"
    ]
    operator.balancer.report_health(listener, entry, "normal")
    assert operator.verdicts()["i-gone"] == {"disputed"}


def test_one_that_ecs_hides_though_it_serves_makes_the_others_a_guess(operator: Operator):
    """The policy does not reach all instances, or they are of several accounts."""
    operator.account.ecs_access = EcsAccess(hidden=frozenset({"i-lives"}))
    assert operator.verdicts() == {"i-gone": {"guess"}, "i-lives": {"disputed"}}


def test_without_health_ecs_decides_alone(operator: Operator):
    operator.account.force_health("i-gone", "unavailable")
    assert operator.verdicts() == {"i-gone": {"gone"}}


def test_a_vm_of_another_deployment_is_listed_too(operator: Operator):
    operator.gain("i-other-deployment")
    operator.register("i-other-deployment", "bosh/elsewhere")
    operator.lose("i-other-deployment")
    assert set(operator.verdicts()) == {"i-gone", "i-other-deployment"}


def test_the_vm_that_this_one_replaces_is_told_as_such(operator: Operator):
    spec_id = json.loads(rendered(operator.folder, {}).read_text())["spec"]["id"]
    operator.gain("i-before")
    operator.register("i-before", f"bosh/{spec_id}")
    operator.lose("i-before")
    _, document = operator.run()
    told = {one["server_id"]: one["because"] for one in document["entries"]}
    assert "the VM that this one replaces: its agent removes it" in told["i-before"]
    assert "replaces" not in told["i-gone"]


# This VM


@pytest.mark.parametrize("health", ["abnormal", "unavailable"])
def test_this_vms_own_entries_are_never_listed(operator: Operator, health: str):
    operator.account.force_health("i-self", health)
    code, document = operator.run("--remove", "i-self")
    assert {one["server_id"] for one in document["entries"]} == {"i-gone"}
    assert document["own"] == 4
    (refused,) = document["refused"]
    assert (code, refused["because"]) == (1, "it is this VM")
    assert operator.writes() == []


def test_another_network_interface_of_this_vm_is_its_own(operator: Operator):
    spec_id = json.loads(rendered(operator.folder, {}).read_text())["spec"]["id"]
    operator.account.address_taken = "accept"
    eni = Backend("eni-self", PORT, 0, "eni", description=f"bosh/{spec_id}")
    operator.virtual.add([eni])
    operator.account.force_health("eni-self", "abnormal")
    assert set(operator.verdicts()) == {"i-gone"}


# What ECS cannot be asked


def test_without_the_permission_what_slb_calls_abnormal_is_a_guess(operator: Operator):
    """ECS answers with an empty list then: not one instance may be taken for released."""
    operator.account.ecs_access = EcsAccess(denied=True)
    operator.account.force_health("i-lives", "unavailable")
    code, document = operator.run()
    told = {one["server_id"]: one["verdict"] for one in document["entries"]}
    assert (code, told) == (1, {"i-gone": "guess", "i-lives": "unknown"})
    assert "does not list this VM, i-self, either" in document["ecs"]
    assert "ecs:DescribeInstances" in document["ecs"]


def test_without_the_permission_nobody_is_one_while_all_are_normal(operator: Operator):
    operator.account.ecs_access = EcsAccess(denied=True)
    operator.account.force_health("i-gone", "normal")
    code, document = operator.run()
    assert (code, document["entries"]) == (0, [])


def test_a_refusal_names_the_line_of_the_policy(operator: Operator):
    operator.fault("Forbidden.RAM", 403, "DescribeInstances")
    code, document = operator.run()
    assert (code, document["complete"]) == (1, True)
    assert 'add "ecs:DescribeInstances" to the RAM policy' in document["ecs"]
    assert operator.verdicts() == {"i-gone": {"guess"}}


@pytest.mark.parametrize(
    "fault",
    [
        preset("throttled", "DescribeInstances"),
        preset("reset", "DescribeInstances"),
        preset("truncated", "DescribeInstances"),
    ],
    ids=lambda rule: rule.name,
)
def test_ecs_that_does_not_answer_proves_nothing_and_is_told(
    operator: Operator, fault: Rule, impatient: None
):
    operator.server.faults.add(fault)
    code, document = operator.run()
    assert code == 1
    assert document["ecs"]
    assert {one["verdict"] for one in document["entries"]} == {"guess"}
    assert document["complete"] is False
    assert document["problems"] == [{"server_group": "(ECS)", "problem": document["ecs"]}]


@pytest.mark.parametrize("form", EMPTY_FORMS)
def test_an_empty_list_of_any_form_proves_nothing(operator: Operator, form: str):
    operator.account.ecs_access = EcsAccess(denied=True)
    operator.server.faults.add(preset(f"empty_{form}", "DescribeInstances"))
    code, document = operator.run()
    assert (code, document["complete"]) == (1, True)
    assert {one["verdict"] for one in document["entries"]} == {"guess"}


def test_an_answer_with_more_than_was_asked_for_proves_nothing(operator: Operator, impatient: None):
    """As of a cloud that does not know the parameter: a page of any instances."""
    body = {"RequestId": "r", "Instances": {"Instance": [
        {"InstanceId": "i-self"}, {"InstanceId": "i-unasked"}
    ]}}  # fmt: skip
    reply = Reply(200, json.dumps(body).encode(), "application/json")
    operator.server.faults.add(Rule(reply, "DescribeInstances"))
    assert operator.verdicts() == {"i-gone": {"guess"}}


def test_instances_on_a_further_page_are_not_gone(operator: Operator):
    first = {"RequestId": "r", "NextToken": "t", "Instances": {"Instance": [
        {"InstanceId": "i-self"}
    ]}}  # fmt: skip
    reply = Reply(200, json.dumps(first).encode(), "application/json")
    operator.server.faults.add(Rule(reply, "DescribeInstances", times=1))
    operator.gain("i-gone")
    operator.account.force_health("i-gone", "abnormal")
    second = {"RequestId": "r", "Instances": {"Instance": [{"InstanceId": "i-gone"}]}}
    reply = Reply(200, json.dumps(second).encode(), "application/json")
    operator.server.faults.add(Rule(reply, "DescribeInstances", match={"NextToken": "t"}))
    code, document = operator.run(groups=(NLB,))
    assert (code, document["entries"], document["ecs"]) == (0, [], None)


def test_a_second_look_finds_one_that_was_not_listed_yet(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
):
    """Eventual consistency: absent once is not gone."""
    operator.gain("i-new")
    operator.register("i-new", "bosh/new")
    operator.account.force_health("i-new", "abnormal")
    operator.account.ecs_access = EcsAccess(hidden=frozenset({"i-new"}))

    def meanwhile(seconds: float) -> None:
        operator.account.ecs_access = EcsAccess()

    monkeypatch.setattr(tenacity.nap.time, "sleep", meanwhile)
    assert operator.verdicts() == {"i-gone": {"gone"}}


def test_a_hundred_ids_at_once_and_never_more(operator: Operator):
    for number in range(230):
        operator.gain(f"i-n{number}")
        operator.alb.add_server(f"i-n{number}", port=PORT, description=f"bosh/{number}")
        operator.account.force_health(f"i-n{number}", "normal")
    for number in (0, 99, 100, 229):
        operator.lose(f"i-n{number}")
    assert set(operator.verdicts()) == {"i-gone", "i-n0", "i-n99", "i-n100", "i-n229"}
    asked = [
        json.loads(call.params["InstanceIds"])
        for call in operator.server.calls.all("DescribeInstances")
    ]
    assert [len(ids) for ids in asked] == [100, 100, 35, 6]
    assert all("i-self" in ids for ids in asked)


def test_in_another_region_than_this_vms_ecs_proves_nothing(operator: Operator):
    """CLB is asked there, and the instances of its groups are elsewhere."""
    operator.account.ecs_access = EcsAccess(hidden=frozenset({"i-self"}))
    _, document = operator.run()
    assert {one["verdict"] for one in document["entries"]} == {"guess"}
    assert "another region" in document["ecs"]


def test_ecs_is_not_asked_at_its_public_endpoint_where_slb_is_private(operator: Operator):
    endpoints = dict.fromkeys(("slb", "alb", "nlb", "metadata"), operator.server.url)
    _, document = operator.run(endpoints=endpoints)
    assert "endpoints.ecs is not" in document["ecs"]
    assert operator.server.calls.all("DescribeInstances") == []
    assert {one["verdict"] for one in document["entries"]} == {"guess"}


@pytest.mark.parametrize("health", ["normal", "abnormal", "unavailable"])
def test_a_network_interface_is_no_instance(operator: Operator, health: str):
    operator.gain("i-eni", eni_id="eni-1")
    operator.virtual.add([Backend("eni-1", PORT, 100, "eni", description="bosh/eni")])
    operator.lose("i-eni")
    operator.account.force_health("eni-1", health)
    told = {"normal": None, "abnormal": {"guess"}, "unavailable": {"unknown"}}[health]
    assert operator.verdicts().get("eni-1") == told
    for call in operator.server.calls.all("DescribeInstances"):
        assert "eni-1" not in call.params["InstanceIds"]


def test_an_address_may_be_a_strangers(operator: Operator):
    group = operator.account.nlb.add_server_group("sgp-ip", type="Ip")
    operator.account.nlb.add_load_balancer("nlb-2").add_listener(80, server_group="sgp-ip")
    group.add_server("192.168.9.9", port=PORT, description="bosh/ip")
    operator.account.force_health("192.168.9.9", "abnormal")
    spec = {"product": "nlb", "server_group_id": "sgp-ip", "port": PORT, "server_type": "ip"}
    _, document = operator.run(groups=(spec,))
    (entry,) = document["entries"]
    assert (entry["server_id"], entry["verdict"]) == ("192.168.9.9", "guess")
    assert "an address" in entry["because"]
