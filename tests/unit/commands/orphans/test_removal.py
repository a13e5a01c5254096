"""The removal of entries that an operator named: of those alone, and each looked at once more."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import tenacity
from tests.unit.commands.orphans.operator_account import ALB, MARK, NAMES, NLB, Operator
from tests.unit.driver import PORT

from mock_slb.core.resources import EcsAccess
from mock_slb.gateway.fault_presets import preset
from slb_registration.commands.orphans import removal


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
