"""Groups in which entries of VMs that are gone are looked for, and those that cannot be read."""

from __future__ import annotations

import json

import pytest
from tests.unit.commands.orphans.operator_account import (
    ALB,
    DEFAULT,
    MARK,
    NAMES,
    NLB,
    VIRTUAL,
    Operator,
)
from tests.unit.driver import PORT

from mock_slb.core.resources import EcsAccess
from mock_slb.gateway.fault_presets import preset

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
