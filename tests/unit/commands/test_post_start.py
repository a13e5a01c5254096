"""post-start: what it waits for, when it gives up and what it says, on a clock that is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.one_vm import Document, Vm, document, group

from slb_registration.commands import post_start as waiting


@pytest.fixture
def vm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vm:
    return Vm(tmp_path, monkeypatch)


def out(reason: str, **changes: Any) -> Document:
    """A group in which the VM is not in service."""
    return group(in_service=False, state="failing", weight=None, reason=reason, **changes)


def denied(action: str = "AddBackendServers", **changes: Any) -> Document:
    code = f"{action}: Forbidden.RAM"
    error = {"last_error": f"{code}: add it", "last_error_code": code, "needs_repair": True}
    return {**out(f"{code}: add it"), **error, **changes}


def seconds(vm: Vm, **post_start: Any) -> tuple[bool, float]:
    """Whether the wait succeeds, and how long it takes."""
    started = vm.time.now
    succeeds = waiting.wait(vm.config(post_start=post_start), vm.log)
    return succeeds, vm.time.now - started


def test_it_ends_when_the_vm_is_in_service_everywhere(vm: Vm):
    vm.answers = [
        document(under_way="looking"),
        document(out("weight 0: the local check has not decided yet")),
        document(group(), out("tcp:80 is abnormal", name="clb/lb-2")),
        document(group(), group(name="clb/lb-2")),
    ]
    assert waiting.wait(vm.config(), vm.log)
    assert [event["message"] for event in vm.said("info")] == ["in service in every server group"]
    assert vm.said("error") == vm.said("warning") == []


def test_the_agent_is_told_each_time_that_a_deploy_waits(vm: Vm):
    vm.answers = [document(under_way="looking"), document(group())]
    assert waiting.wait(vm.config(), vm.log)
    assert vm.waited_for == 2


def test_a_wait_that_is_too_long_says_why_once_for_every_group(vm: Vm):
    vm.answers = [
        document(
            out("the weight is 0: the local check fails: tcp 127.0.0.1:80 (connection refused)"),
            out("tcp:80 is abnormal", name="clb/lb-2"),
            group(name="clb/lb-3"),
            out("draining", name="clb/old", wanted=False),
        )
    ]
    succeeds, took = seconds(vm, timeout=60)
    assert not succeeds
    assert 59 <= took <= 60
    assert [event["because"] for event in vm.said("error")] == [
        "clb/lb-1: the weight is 0: the local check fails: tcp 127.0.0.1:80 (connection refused)",
        "clb/lb-2: tcp:80 is abnormal",
    ]
    assert vm.said("info") == vm.said("warning") == []


def test_an_answer_that_only_a_person_can_mend_ends_it_after_30_seconds(vm: Vm):
    vm.answers = [document(denied(), group(name="clb/lb-2"))]
    succeeds, took = seconds(vm, timeout=180)
    assert not succeeds
    assert 30 <= took <= 30.5
    (error,) = vm.said("error")
    assert error["message"] == "not in service until it is mended"
    assert error["because"] == "clb/lb-1: AddBackendServers: Forbidden.RAM: add it"


def test_so_does_an_agent_that_can_join_nothing_whatever_its_answers_differ_in(vm: Vm):
    vm.answers = [
        document(error=f"Forbidden.RAM; request id {n}", needs_repair=True) for n in range(200)
    ]
    succeeds, took = seconds(vm, timeout=180)
    assert not succeeds
    assert 30 <= took <= 30.5
    assert "request id" in vm.said("error")[0]["because"]


@pytest.mark.parametrize(
    "between",
    [
        denied("SetBackendServers"),  # the next permission: the policy spreads
        out("SystemBusy", last_error="SystemBusy", last_error_code="AddBackendServers: SystemBusy"),
        group(),
    ],
)
def test_another_answer_in_between_begins_the_30_seconds_anew(vm: Vm, between: Document):
    other = denied(name="clb/lb-2") if between["reason"] is None else None
    lasting = [document(denied())] * 100
    vm.answers = [*lasting, document(between, *([] if other is None else [other])), *lasting]
    succeeds, took = seconds(vm, timeout=180)
    assert not succeeds
    assert 55 <= took <= 56


def test_a_repair_in_time_is_seen_at_once(vm: Vm):
    vm.answers = [*[document(denied())] * 100, document(group())]
    assert seconds(vm, timeout=180) == (True, 25)
    assert vm.said("error") == []


def test_a_timeout_that_is_shorter_counts(vm: Vm):
    vm.answers = [document(denied())]
    succeeds, took = seconds(vm, timeout=5)
    assert not succeeds
    assert took <= 5


@pytest.mark.parametrize("timeout", [1, 5, 7, 61.3])
def test_an_agent_that_hangs_makes_it_no_longer(vm: Vm, timeout: float):
    vm.tells_nothing = True
    succeeds, took = seconds(vm, timeout=timeout)
    assert not succeeds
    assert took <= timeout
    assert "no agent answers" in vm.said("error")[0]["because"]


def test_what_may_pass_is_waited_for(vm: Vm):
    busy = out("Throttling", last_error="Throttling", last_error_code="AddBackendServers: Throt")
    vm.answers = [document(busy)]
    assert seconds(vm, timeout=60)[1] >= 59


HELD = {"held_since": "2025-11-23T16:00:00Z"}


@pytest.mark.parametrize("weight", [0, None])
def test_a_held_vm_fails_no_deploy(vm: Vm, weight: int | None):
    held = group(in_service=False, state="held", reason="held", weight=weight, out=True)
    vm.answers = [document(held, **HELD)]
    assert waiting.wait(vm.config(), vm.log)
    (warning,) = vm.said("warning")
    assert "slb-registration resume puts it back" in warning["message"]
    assert vm.said("info") == vm.said("error") == []


def test_a_hold_with_an_end_and_a_reason_tells_both(vm: Vm):
    held = group(in_service=False, state="held", reason="held", weight=0, out=True)
    told = {"held_until": "2025-11-23T18:00:00Z", "held_reason": "kernel update"}
    vm.answers = [document(held, **HELD, **told)]
    assert waiting.wait(vm.config(), vm.log)
    (warning,) = vm.said("warning")
    assert (warning["until"], warning["reason"]) == tuple(told.values())


def test_a_held_vm_is_waited_for_until_it_is_out_of_rotation(vm: Vm):
    lowering = group(in_service=False, state="held", reason="held", weight=100)
    vm.answers = [
        document(lowering, **HELD),
        document({**lowering, "weight": 0, "out": True}, **HELD),
    ]
    assert waiting.wait(vm.config(), vm.log)
    assert len(vm.answers) == 1


def test_a_held_vm_whose_group_cannot_be_read_fails_all_the_same(vm: Vm):
    vm.answers = [document(denied(weight=0, out=True), **HELD)]
    assert not waiting.wait(vm.config(), vm.log)


def test_an_agent_that_is_not_there_yet_is_waited_for(vm: Vm):
    def come() -> None:
        vm.answers = [document(group())]

    vm.time.on_sleep = come
    assert waiting.wait(vm.config(), vm.log)


def test_an_agent_that_is_not_there_at_all_is_told_with_the_place_of_its_logs(vm: Vm):
    vm.answers = None
    assert seconds(vm, timeout=40) == (False, pytest.approx(40, abs=0.5))
    (error,) = vm.said("error")
    assert "no agent answers" in error["because"]
    assert "/var/vcap/sys/log/slb-registration-test/agent.*.log" in error["because"]


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"error": "no load balancer carries the tags"}, "no load balancer carries the tags"),
        ({"under_way": "asking the metadata service"}, "asking the metadata service"),
    ],
)
def test_an_agent_that_knows_no_group_says_why(vm: Vm, changes: Document, because: str):
    vm.answers = [document(**changes)]
    assert not waiting.wait(vm.config(post_start={"timeout": 2}), vm.log)
    assert [event["because"] for event in vm.said("error")] == [because]


def test_a_bad_file_of_another_job_is_told_once_and_fails_no_deploy(vm: Vm):
    files = [{"file": "/f.json", "problem": "is not valid JSON"}, {"file": "/g", "problem": None}]
    vm.answers = [document(group(), dynamic_configs=files)]
    assert waiting.wait(vm.config(), vm.log)
    assert [event["file"] for event in vm.said("warning")] == ["/f.json"]


def test_what_was_found_and_not_joined_is_told_where_the_rest_is_in_service(vm: Vm):
    vm.answers = [document(group(), error="sgp-1 is not joined: no backend port is known")]
    assert waiting.wait(vm.config(), vm.log)
    assert [event["because"] for event in vm.said("warning")] == [
        "sgp-1 is not joined: no backend port is known"
    ]


def test_where_nothing_is_registered_nothing_is_waited_for(vm: Vm):
    assert waiting.wait(vm.config(register=False), vm.log)
