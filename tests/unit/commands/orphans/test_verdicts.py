"""Entries whose VM is gone: found, told with what is known, removed by name alone.

Through the command line, against the mocked cloud.
"""

from __future__ import annotations

import json
import time
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tenacity
from tests.unit.driver import ACCESS_KEY, PORT, SECRET_KEY
from tests.unit.rendered import rendered

from mock_slb.clb.resources import Backend
from mock_slb.core.resources import EcsAccess
from mock_slb.gateway.fault_presets import preset
from mock_slb.gateway.faults import Refuse, Reply, Rule
from mock_slb.gateway.shapes import EMPTY_FORMS
from mock_slb.server import MockServer
from slb_registration.commands import cli, errand
from slb_registration.commands.orphans import removal, report

DEFAULT = {"product": "clb", "load_balancer_id": "lb-1"}
VIRTUAL = {"product": "clb", "vserver_group_id": "rsp-1", "port": PORT}
ALB = {"product": "alb", "server_group_id": "sgp-alb", "port": PORT}
NLB = {"product": "nlb", "server_group_id": "sgp-nlb", "port": PORT}
EVERY = (DEFAULT, VIRTUAL, ALB, NLB)
NAMES = ("clb/lb-1", "clb/rsp-1", "alb/sgp-alb", "nlb/sgp-nlb")
MARK = "bosh/11111111-2222-3333-4444-555555555555"
TAGS = {"bosh-deployment": "cf", "bosh-instance-group": "router"}
WRITES = ("Add", "Set", "Update", "Remove", "Modify")


class Operator:
    """The command, and an account with a group of each kind: this VM, one that lives, one that does
    not (`i-gone`), and one that is none of ours."""

    def __init__(
        self, server: MockServer, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.server = server
        self.folder = folder
        self._capsys = capsys
        self._made = 0
        self.account = account = server.account
        account.change_seconds = 0.0
        account.add_key(ACCESS_KEY, SECRET_KEY)
        self.balancer = account.add_load_balancer("lb-1", tags=TAGS)
        self.balancer.add_listener(80, backend_port=PORT)
        self.virtual = self.balancer.add_vserver_group("rsp-1")
        self.balancer.add_listener(81, vserver_group="rsp-1")
        self.alb = account.alb.add_server_group("sgp-alb")
        account.alb.add_load_balancer("alb-1").add_listener(80, server_group="sgp-alb")
        self.nlb = account.nlb.add_server_group("sgp-nlb")
        account.nlb.add_load_balancer("nlb-1").add_listener(80, server_group="sgp-nlb")
        for name, description in (
            ("i-self", "bosh/spec-1"),
            ("i-lives", "bosh/99999999-0000"),
            ("i-gone", f"{MARK}/web-1"),
            ("i-theirs", "terraform"),
        ):
            self.gain(name, is_self=name == "i-self")
            self.register(name, description)
            account.force_health(name, "normal")
        self.lose("i-gone")
        account.force_health("i-theirs", "abnormal")

    def gain(self, name: str, **options: Any) -> None:
        """An instance with an address that no other had."""
        self._made += 1
        address = f"192.168.{100 + self._made // 250}.{self._made % 250}"
        self.account.add_instance(name, private_ip=address, **options)

    def register(self, name: str, description: str, *, weight: int = 100, port: int = PORT) -> None:
        self.balancer.default_group.add_server(name, weight=weight, description=description)
        for group in (self.virtual, self.alb, self.nlb):
            group.add_server(name, port=port, weight=weight, description=description)

    def lose(self, name: str, health: str = "abnormal") -> None:
        """The instance is released, and its entries stay, in CLB and ALB as well."""
        self.account._instances.remove(name)
        self.account.force_health(name, health)

    def servers(self, name: str) -> list[str]:
        """The groups in which it is."""
        groups = (self.balancer.default_group, self.virtual, self.alb, self.nlb)
        return [
            told
            for told, group in zip(NAMES, groups, strict=True)
            if any(one.server_id == name for one in group.servers())
        ]

    def fault(self, code: str, status: int, action: str = "*", times: int | None = None) -> None:
        self.server.faults.add(Rule(Refuse(code, status), action=action, times=times))

    def writes(self) -> list[str]:
        return [call.action for call in self.server.calls.all() if call.action.startswith(WRITES)]

    def text(self, *arguments: str, groups: Any = EVERY, **properties: Any) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        products = ("slb", "alb", "nlb", "ecs", "metadata")
        given = {
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
            "endpoints": dict.fromkeys(products, self.server.url),
            "log": {"level": "warning"},
            **({"server_groups": list(groups)} if groups else {}),
            **properties,
        }
        file = rendered(self.folder, given)
        code = cli.main(["orphans", "--config", str(file), *arguments])
        out, err = self._capsys.readouterr()
        for secret in (ACCESS_KEY, SECRET_KEY):
            assert secret not in out + err
        assert "Traceback" not in out + err
        return code, out, err

    def run(self, *arguments: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """Exit code, and the document."""
        code, out, _ = self.text("--json", *arguments, **options)
        document = json.loads(out)
        assert document["ok"] is (code == 0)
        return code, document

    def verdicts(self, **options: Any) -> dict[str, set[str]]:
        """By server, what is said of its entries."""
        _, document = self.run(**options)
        found: dict[str, set[str]] = {}
        for one in document["entries"]:
            found.setdefault(one["server_id"], set()).add(one["verdict"])
        return found


@pytest.fixture
def operator(
    account_server: MockServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Operator:
    return Operator(account_server, tmp_path, capsys)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that fails is not repeated."""
    monkeypatch.setattr(errand, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(removal, "SEEN_SECONDS", 0.0)


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


# Which groups


def test_groups_of_files_tags_and_the_journal_are_read_as_well(operator: Operator):
    (operator.folder / "files").mkdir()
    file = operator.folder / "files/slb_registration.json"
    file.write_text(json.dumps({"server_groups": [VIRTUAL]}))
    spec = {**dict.fromkeys(("load_balancer_id", "vserver_group_id", "description"))}
    spec |= {**NLB, "weight": 100, "server_type": "ecs"}
    entry = {"spec": spec, "served": True, "discovered": False}
    journal = {"version": 1, "instance_id": "i-self", "region": "cn-hangzhou"}
    registrations = {f"nlb/sgp-nlb:{PORT}": entry}
    (operator.folder / "journal.json").write_text(
        json.dumps({**journal, "registrations": registrations})
    )
    code, document = operator.run(
        groups=(ALB,),
        discovery={"enabled": True, "products": ["clb"]},
        dynamic_config_globs=[str(file)],
    )
    groups = [one["server_group"] for one in document["entries"]]
    assert (code, sorted(groups), document["complete"]) == (1, sorted(NAMES), True)


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 9}'])
def test_a_journal_that_cannot_be_read_is_told_and_left_as_it_is(operator: Operator, text: str):
    journal = operator.folder / "journal.json"
    journal.write_text(text)
    code, document = operator.run(groups=(DEFAULT,))
    assert (code, document["complete"]) == (1, False)
    assert "journal" in document["problems"][0]["problem"]
    assert journal.read_text() == text


def test_a_group_that_is_named_with_two_ports_is_read_once(operator: Operator):
    operator.gain("i-gone")
    operator.virtual.add_server("i-gone", port=9090, description=MARK)
    operator.account._instances.remove("i-gone")
    both = (VIRTUAL, {**VIRTUAL, "port": 9090})
    _, document = operator.run(groups=both)
    assert [(one["server_group"], one["port"]) for one in document["entries"]] == [
        ("clb/rsp-1", PORT),
        ("clb/rsp-1", 9090),
    ]


def test_the_health_of_another_port_counts(operator: Operator):
    """The manifest names one port, and the entry has another, where it is normal."""
    operator.gain("i-elsewhere")
    operator.virtual.add_server("i-elsewhere", port=9090, description="bosh/x")
    operator.account.force_health("i-elsewhere", "normal")
    operator.account.ecs_access = EcsAccess(hidden=frozenset({"i-elsewhere"}))
    assert operator.verdicts(groups=(VIRTUAL,))["i-elsewhere"] == {"disputed"}


def test_where_the_errand_is_nothing_is_registered_and_orphans_are_found(operator: Operator):
    code, document = operator.run(groups=(), register=False, discovery={"products": ["clb"]})
    assert (code, [one["server_group"] for one in document["entries"]]) == (1, ["clb/lb-1"])


def test_no_group_at_all_is_a_failure_that_says_why(operator: Operator):
    operator.balancer.set_tags({"bosh-deployment": "another"})
    code, document = operator.run(groups=(), discovery={"products": ["clb"]})
    assert (code, document["complete"]) == (1, False)
    assert "bosh-deployment=cf" in document["problems"][0]["problem"]


# What fails


READS = [
    ("DescribeLoadBalancerAttribute", "clb/lb-1"),
    ("DescribeVServerGroupAttribute", "clb/rsp-1"),
]
FAILURES = [("Forbidden.RAM", 403), ("Throttling.User", 400), ("InternalError", 500)]


@pytest.mark.parametrize(("action", "group"), READS)
@pytest.mark.parametrize(("code", "status"), FAILURES)
def test_a_group_that_cannot_be_read_is_told_and_the_rest_goes_on(
    operator: Operator, impatient: None, action: str, group: str, code: str, status: int
):
    operator.fault(code, status, action)
    exit_code, document = operator.run("--remove", "i-gone")
    (problem,) = document["problems"]
    assert (exit_code, document["complete"]) == (1, False)
    assert problem["server_group"] == group
    assert f"{action}: {code}" in problem["problem"]
    assert operator.servers("i-gone") == [group]


@pytest.mark.parametrize("group", ["sgp-alb", "sgp-nlb"])
@pytest.mark.parametrize("name", ["forbidden", "throttled", "reset", "truncated", "bad_gateway"])
def test_a_group_whose_answers_are_lost_is_told_and_the_rest_goes_on(
    operator: Operator, impatient: None, group: str, name: str
):
    fault = preset(name, "ListServerGroupServers", match={"ServerGroupId": group})
    operator.server.faults.add(fault)
    code, document = operator.run("--remove", "i-gone")
    (problem,) = document["problems"]
    assert (code, document["complete"]) == (1, False)
    assert problem["server_group"].partition("/")[2] == group
    assert [one.partition("/")[2] for one in operator.servers("i-gone")] == [group]


def test_nothing_is_removed_from_a_group_whose_health_is_not_known(
    operator: Operator, impatient: None
):
    operator.fault("Throttling.User", 400, "DescribeHealthStatus")
    code, document = operator.run("--remove", "i-gone")
    assert (code, document["complete"]) == (1, False)
    assert [one["server_group"] for one in document["problems"]] == list(NAMES[:2])
    assert operator.servers("i-gone") == list(NAMES[:2])


# Removal


def test_what_is_named_is_removed_from_every_group_and_nothing_else(operator: Operator):
    code, document = operator.run("--remove", "i-gone")
    assert code == 0
    assert [(one["server_group"], one["removed"]) for one in document["entries"]] == [
        (name, True) for name in NAMES
    ]
    assert operator.servers("i-gone") == []
    for other in ("i-self", "i-lives", "i-theirs"):
        assert operator.servers(other) == list(NAMES)
    assert sorted(set(operator.writes())) == [
        "RemoveBackendServers",
        "RemoveServersFromServerGroup",
        "RemoveVServerGroupBackendServers",
    ]


def test_one_that_is_not_named_stays(operator: Operator):
    operator.gain("i-gone-too")
    operator.register("i-gone-too", "bosh/two")
    operator.lose("i-gone-too")
    code, document = operator.run("--remove", "i-gone")
    assert code == 0
    assert operator.servers("i-gone") == []
    assert operator.servers("i-gone-too") == list(NAMES)
    left = {one["server_id"] for one in document["entries"] if one["removed"] is None}
    assert left == {"i-gone-too"}


def test_several_can_be_named(operator: Operator):
    operator.gain("i-gone-too")
    operator.register("i-gone-too", "bosh/two")
    operator.lose("i-gone-too")
    code, _ = operator.run("--remove", "i-gone", "--remove", "i-gone-too", "--remove", "i-gone")
    assert code == 0
    assert operator.servers("i-gone") + operator.servers("i-gone-too") == []


@pytest.mark.parametrize(
    ("named", "because"),
    [
        ("i-lives", "ECS has it"),
        ("i-none", "no entry of any server group that was read is its"),
        ("i-gon", "no entry of any server group that was read is its"),
        ("I-GONE", "no entry of any server group that was read is its"),
        ("i-gone ", "no entry of any server group that was read is its"),
        ("i-*", "no entry of any server group that was read is its"),
        ("", "no entry of any server group that was read is its"),
        (MARK, "no entry of any server group that was read is its"),
        ("i-theirs", "does not begin with bosh/"),
    ],
)
def test_what_is_no_orphan_is_refused_and_those_that_are_still_go(
    operator: Operator, named: str, because: str
):
    code, document = operator.run("--remove", named, "--remove", "i-gone")
    (refused,) = document["refused"]
    assert (code, refused["server_id"]) == (1, named)
    assert because in refused["because"]
    assert operator.servers("i-gone") == []
    for other in ("i-self", "i-lives", "i-theirs"):
        assert operator.servers(other) == list(NAMES)


def test_a_guess_that_is_named_is_removed(operator: Operator):
    operator.account.ecs_access = EcsAccess(denied=True)
    code, _ = operator.run("--remove", "i-gone")
    assert (code, operator.servers("i-gone")) == (0, [])


class Meanwhile:
    """Something that happens between the listing and the removal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, what: Callable[[], None]) -> None:
        before = removal.remove_named

        def later(*arguments: Any, **options: Any) -> Any:
            what()
            return before(*arguments, **options)

        monkeypatch.setattr(removal, "remove_named", later)


def test_one_that_has_become_normal_meanwhile_is_left_alone(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
):
    Meanwhile(monkeypatch, lambda: operator.account.force_health("i-gone", "normal"))
    code, document = operator.run("--remove", "i-gone")
    assert (code, operator.writes()) == (1, [])
    for one in document["entries"]:
        assert one["removed"] is False
        assert "SLB reports it as normal now" in one["problem"]


def test_a_guess_that_is_no_longer_abnormal_is_left_alone(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
):
    operator.account.ecs_access = EcsAccess(denied=True)
    Meanwhile(monkeypatch, lambda: operator.account.force_health("i-gone", "unavailable"))
    code, document = operator.run("--remove", "i-gone")
    assert (code, operator.writes()) == (1, [])
    assert "abnormal no more" in document["entries"][0]["problem"]


def test_who_interrupts_a_removal_is_told_what_was_done(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
):
    removed = removal._take_out
    groups = iter(NAMES)

    def first_only(*arguments: Any) -> None:
        if next(groups) == NAMES[1]:
            raise KeyboardInterrupt
        removed(*arguments)

    monkeypatch.setattr(removal, "_take_out", first_only)
    code, document = operator.run("--remove", "i-gone")
    assert code == 130
    assert [one["removed"] for one in document["entries"]] == [True, None, None, None]
    assert operator.servers("i-gone") == list(NAMES[1:])


def test_one_that_ecs_lists_after_all_is_left_alone(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
):
    Meanwhile(monkeypatch, lambda: operator.gain("i-gone"))
    code, document = operator.run("--remove", "i-gone")
    assert (code, operator.writes()) == (1, [])
    assert "ECS has it now" in document["entries"][0]["problem"]


def test_one_that_was_registered_anew_meanwhile_is_left_alone(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
):
    def anew() -> None:
        for one in operator.nlb.servers():
            if one.server_id == "i-gone":
                operator.nlb.remove_server("i-gone", port=PORT)
                operator.gain("i-gone")
                operator.nlb.add_server("i-gone", port=PORT, description="bosh/another")
                operator.account._instances.remove("i-gone")

    Meanwhile(monkeypatch, anew)
    code, document = operator.run("--remove", "i-gone", groups=(NLB,))
    assert code == 1
    assert "changed since it was listed" in document["entries"][0]["problem"]
    assert operator.servers("i-gone")[-1] == "nlb/sgp-nlb"


def test_one_that_is_gone_by_then_counts_as_removed(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
):
    Meanwhile(monkeypatch, lambda: operator.nlb.remove_server("i-gone", port=PORT))
    code, document = operator.run("--remove", "i-gone", groups=(NLB,))
    assert (code, document["entries"][0]["removed"]) == (0, True)
    assert operator.writes() == []


@pytest.mark.parametrize("action", ["Remove*", "Describe*", "List*"])
def test_a_removal_that_is_throttled_or_busy_is_tried_again(operator: Operator, action: str):
    operator.fault("Throttling.User", 400, action, times=2)
    assert operator.run("--remove", "i-gone")[0] == 0
    assert operator.servers("i-gone") == []


@pytest.mark.parametrize("name", ["lost_answer", "reset", "bad_gateway", "busy"])
def test_a_removal_whose_answer_is_lost_is_looked_up(operator: Operator, name: str):
    operator.server.faults.add(preset(name, "Remove*", times=1))
    assert operator.run("--remove", "i-gone")[0] == 0
    assert operator.servers("i-gone") == []


def test_a_removal_that_is_refused_is_told_per_group_and_the_rest_goes_on(operator: Operator):
    operator.fault("Forbidden.RAM", 403, "RemoveVServerGroupBackendServers")
    code, document = operator.run("--remove", "i-gone")
    assert code == 1
    assert {one["server_group"]: one["removed"] for one in document["entries"]} == {
        name: name != "clb/rsp-1" for name in NAMES
    }
    (problem,) = [one["problem"] for one in document["entries"] if one["problem"]]
    assert 'add "slb:RemoveVServerGroupBackendServers" to the RAM policy' in problem
    assert operator.servers("i-gone") == ["clb/rsp-1"]


def test_one_that_stays_listed_while_its_connections_end_counts_as_removed(operator: Operator):
    operator.alb.lingering = ("Draining", 300.0)
    code, document = operator.run("--remove", "i-gone", groups=(ALB,))
    assert (code, document["entries"][0]["removed"]) == (0, True)
    assert len(operator.writes()) == 1


def test_a_removal_that_takes_its_time_is_waited_for(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
):
    operator.account.change_seconds = 3.0
    started, passed = time.time(), [0.0]
    monkeypatch.setattr(operator.account, "_clock", lambda: started + passed[0])

    def sleep(seconds: float) -> None:
        passed[0] += seconds

    monkeypatch.setattr(tenacity.nap.time, "sleep", sleep)
    assert operator.run("--remove", "i-gone", groups=(ALB, NLB))[0] == 0
    assert passed[0] > 6.0
    assert operator.servers("i-gone") == list(NAMES[:2])
    assert len(operator.writes()) == 2


def test_a_removal_whose_job_fails_is_asked_for_again(operator: Operator):
    operator.alb.fail_next_change("InternalError", "made to fail")
    operator.nlb.fail_next_change("InternalError", "made to fail")
    assert operator.run("--remove", "i-gone", groups=(ALB, NLB))[0] == 0
    assert operator.servers("i-gone") == list(NAMES[:2])
    assert len(operator.writes()) == 4


def test_one_that_slb_is_taking_out_already_is_not_listed(operator: Operator):
    operator.alb.lingering = ("Draining", 300.0)
    operator.alb.remove_server("i-gone", port=PORT)
    assert operator.run(groups=(ALB,))[1]["entries"] == []


def test_a_removal_that_is_never_seen_is_not_said_to_be_done(operator: Operator, impatient: None):
    operator.account.change_seconds = 3600.0
    operator.alb.fail_next_change("InternalError", "made to fail")
    code, document = operator.run("--remove", "i-gone", groups=(ALB,))
    assert (code, document["entries"][0]["removed"]) == (1, False)
    assert operator.servers("i-gone")[2:] == ["alb/sgp-alb", "nlb/sgp-nlb"]


def test_an_active_standby_group_is_read_and_cannot_be_changed(operator: Operator):
    operator.gain("i-gone")
    operator.balancer.add_master_slave_group("rsp-ms", master=("i-self", 80), slave=("i-gone", 80))
    group = operator.account.master_slave_group("rsp-ms")
    group._change({one.key: replace(one, description=MARK) for one in group.servers()})
    operator.lose("i-gone")
    spec = {"product": "clb", "active_standby_group_id": "rsp-ms", "port": 80}
    code, document = operator.run("--remove", "i-gone", groups=(spec,))
    (entry,) = document["entries"]
    assert (code, entry["removed"]) == (1, False)
    assert "cannot be changed server by server" in entry["problem"]


def test_hold_and_drain_of_this_vm_do_not_matter(operator: Operator):
    (operator.folder / "hold").write_text("1.0\n")
    (operator.folder / "draining").write_text("1.0\n")
    assert operator.run("--remove", "i-gone")[0] == 0
    assert (operator.folder / "hold").exists()
    assert (operator.folder / "draining").exists()


# What a person reads


def columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def test_the_text_fits_80_columns_and_tells_how_to_remove(operator: Operator):
    operator.gain("i-bp1abcdefghijklmnopqrst")
    operator.register("i-bp1abcdefghijklmnopqrst", f"{MARK}/{'后端服务器' * 6}")
    operator.lose("i-bp1abcdefghijklmnopqrst")
    operator.account.force_health("i-lives", "normal")
    operator.fault("Forbidden.RAM", 403, "ListServerGroups")
    operator.account.ecs_access = EcsAccess(denied=True)
    code, out, err = operator.text()
    assert (code, err) == (1, "")
    assert max(map(columns, out.splitlines())) <= 80
    assert "--remove i-gone" in out
    assert "guess" in out


@pytest.mark.parametrize("indent", [0, 4])
@pytest.mark.parametrize("letter", ["x", "后"])
def test_a_word_of_any_length_is_cut_without_a_space_and_fits(indent: int, letter: str):
    for length in range(30, 165):
        lines = report.wrapped(f"so {letter * length} on", indent)
        assert max(map(columns, lines)) <= 80
        told = "".join(line[indent:] if n == 0 else line.strip() for n, line in enumerate(lines))
        assert letter * length in told


def test_control_characters_do_not_reach_the_terminal(operator: Operator):
    evil = "bosh/x\x1b[2J\r\n\x07\u202e"
    operator.gain("i-evil")
    operator.nlb.add_server("i-evil", port=PORT, description="bosh/x")
    held = operator.nlb._members.now
    for key in [key for key in held if key.server_id == "i-evil"]:
        held[key] = replace(held[key], description=evil)
    operator.lose("i-evil")
    for arguments in ((), ("--remove", "i-evil\x1b[2J")):
        _, out, err = operator.text(*arguments, groups=(NLB,))
        assert "i-evil" in out
        assert all(c.isprintable() or c == "\n" for c in out + err)


FIELDS = [
    "schema", "ok", "complete", "error", "region", "instance_id", "ecs", "groups", "unmarked",
    "own", "alive", "entries", "refused", "problems",
]  # fmt: skip


def test_a_failure_is_a_document_too(operator: Operator):
    code, document = operator.run(instance_id="i-another")
    assert (code, list(document)) == (1, FIELDS)
    assert "i-another is given" in document["error"]
    code, document = operator.run(colour="red")
    assert (code, document["ok"], document["complete"]) == (1, False, False)
    assert "colour" in document["error"]


def test_the_document_has_these_fields(operator: Operator):
    _, document = operator.run("--remove", "i-gone", "--remove", "i-none")
    assert list(document) == FIELDS
    assert list(document["entries"][0]) == [
        "server_group", "server_id", "server_type", "server_ip", "port", "weight", "description",
        "spec_id", "health", "verdict", "because", "removed", "problem",
    ]  # fmt: skip
    assert document["entries"][0]["health"] == [{"listener": "tcp:80", "status": "abnormal"}]
    assert (document["schema"], document["alive"], document["groups"]) == (1, 4, 4)
    assert document["ecs"] is None
