"""What the API and the network do to a call: the end state is right all the same."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from tests import thorough
from tests.integration.cloud import ACCESS_KEY, BALANCER, SECRET_KEY, WRITES, Cloud
from tests.integration.service import Service
from tests.integration.vm import Vm
from tests.waiting import eventually

from mock_slb.gateway.fault_presets import preset
from mock_slb.gateway.faults import Delay, Refuse, Reply, Rule

API = "[A-Z]*"  # every action, and none of the metadata service's

PASSING: dict[str, Rule | tuple[Rule, ...]] = {
    "lost answers": preset("lost_answer", "*BackendServers", times=2),
    "lost answers to everything": preset("lost_answer", API, times=2),
    "throttling": preset("throttled", "*BackendServers", times=1),
    "throttled reads": preset("throttled", "Describe*", times=1),
    "busy": preset("busy", times=2),
    "HTML with 502": preset("bad_gateway", API, times=2),
    "connections reset": preset("reset", API, times=2),
    "empty answers": preset("empty", API, times=2),
    "cut answers": preset("truncated", API, times=2),
    "answers cut off in the middle": preset("cut_off", API, times=2),
    "answers that are no text": preset("not_utf8", API, times=2),
    "HTML with 200": Rule(Reply(200, b"<html>log in</html>"), API, times=2),
    "JSON that is no object": Rule(Reply(200, b"null", "application/json"), API, times=2),
    "503": preset("unavailable", API, times=2),
    "slow answers": Rule(Delay(0.3), API, times=6),
    "an internal error after the change": Rule(
        Refuse("InternalError", 500), "*BackendServers", times=2, after_change=True
    ),
    "a nonce that was used": Rule(Refuse("SignatureNonceUsed", 400), API, times=2),
    "an instance that does not run yet": Rule(
        Refuse("ObtainIpFail", 400), "AddBackendServers", times=1
    ),
    "errors of three kinds": (
        Rule(Refuse("InternalError", 500), API, times=1),
        Rule(Reply(200, b"{}", "application/json"), API, skip=1, times=1),
        Rule(Refuse("OperationConflict", 400), "*BackendServers", times=1),
    ),
}


def inject(cloud: Cloud, fault: str) -> None:
    rules = PASSING[fault]
    for rule in rules if isinstance(rules, tuple) else (rules,):
        cloud.inject(rule)


@pytest.mark.parametrize(
    "fault", thorough.but(["lost answers", "throttling", "HTML with 502", "busy"], PASSING)
)
def test_a_fault_that_passes_leaves_the_vm_in_service_once_and_after_a_drain_out(
    vm: Vm, cloud: Cloud, fault: str
) -> None:
    before = cloud.others()
    inject(cloud, fault)
    agent = vm.start()
    vm.until("in service")
    assert cloud.weight == 100

    cloud.mend()
    inject(cloud, fault)
    done = vm.command("drain")

    assert (done.code, done.out, cloud.me) == (0, "", None)
    assert vm.status()["state"] == "drained"
    assert (agent.running, cloud.others()) == (True, before)


def test_a_change_whose_answer_was_lost_is_looked_up_and_not_repeated(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    cloud.account.already_there = "error"
    cloud.spoil("lost_answer", "*BackendServers")
    service.healthy = False

    vm.start()
    eventually(lambda: cloud.weight == 0)
    service.healthy = True
    vm.until("in service")
    assert cloud.writes() == ["AddBackendServers", "SetBackendServers"]
    after = [c.action for c in cloud.since(0)]
    assert after[after.index("AddBackendServers") + 1] == "DescribeLoadBalancerAttribute"
    vm.command("drain")

    assert cloud.writes()[2:] == ["SetBackendServers", "RemoveBackendServers"]
    assert cloud.me is None


def test_what_changed_while_the_api_was_gone_is_made_up_for_when_it_is_back(
    vm: Vm, cloud: Cloud, service: Service
) -> None:
    vm.start()
    vm.until("in service")

    cloud.go_down()
    service.healthy = False
    refusal = "the endpoint refuses connections"  # a connection that was kept is cut off first
    eventually(lambda: refusal in (vm.status()["groups"][0]["last_error"] or ""))
    told = vm.status()["groups"][0]["last_error"]
    cloud.come_back()
    eventually(lambda: cloud.weight == 0)

    assert "NoConnection: CLB at 127.0.0.1:" in told
    eventually(lambda: vm.events("recovered"))
    eventually(lambda: vm.status()["groups"][0]["last_error"] is None)  # of each kind of call


PRODUCTS = ("clb", "alb", "nlb")  # each is asked for what carries the tags
HOPELESS = {
    "a wrong secret": ("InvalidAccessKeySecret", "check access_key and secret_key"),
    "an unknown key": ("InvalidAccessKeyId.NotFound", "check access_key and secret_key"),
    "no permission": ("Forbidden", '" to the RAM policy'),
    "not found": ("InvalidLoadBalancerId.NotFound", "check the id, the region"),
}


def make_hopeless(cloud: Cloud, what: str) -> None:
    if what == "a wrong secret":
        cloud.account.add_key(ACCESS_KEY, f"not {SECRET_KEY}")
    elif what == "an unknown key":
        cloud.account.remove_key(ACCESS_KEY)
    elif what == "no permission":
        cloud.spoil("forbidden", API)
    else:
        cloud.inject(Rule(Refuse("InvalidLoadBalancerId.NotFound", 404), API))


ACCOUNT_WIDE = {"a wrong secret", "an unknown key"}


@pytest.mark.parametrize(
    ("what", "found"),
    [
        *((what, "by tags") for what in HOPELESS),
        ("a wrong secret", "by id"),
        ("not found", "by id"),
    ],
)
def test_what_cannot_succeed_is_said_in_one_clear_line_and_the_process_keeps_running(
    vm: Vm, cloud: Cloud, what: str, found: str
) -> None:
    code, advice = HOPELESS[what]
    make_hopeless(cloud, what)
    if found == "by id":
        vm.configure(load_balancer_id=BALANCER)

    questions = 1 if found == "by id" else len(PRODUCTS)
    # Wrong keys are wrong for every product: said once.
    products = [*PRODUCTS] if what not in ACCOUNT_WIDE else PRODUCTS[:1]

    def troubles() -> list[dict[str, Any]]:
        return [event for event in vm.events() if event["level"] in ("warning", "error")]

    agent = vm.start()
    eventually(lambda: len(troubles()) >= (1 if found == "by id" else len(products)))
    eventually(lambda: len(cloud.since(0)) >= questions)
    asked = len(cloud.since(0))
    checked = vm.command("check")
    status = eventually(vm.status)

    assert [event.get("product") for event in troubles()] == (
        [None] if found == "by id" else [*products]
    )
    shown = status["groups"][0]["last_error"] if found == "by id" else status["error"]
    for told in (*(event["error"] for event in troubles()), checked.err, shown):
        assert code in told
        assert advice in told
    assert checked.code == 1
    assert agent.running
    assert asked == questions  # and again in five minutes
    assert agent.terminate() == 0


@pytest.mark.thorough
def test_a_code_that_is_not_known_is_taken_for_passing(vm: Vm, cloud: Cloud) -> None:
    cloud.inject(Rule(Refuse("Novel.Refusal", 400), API))
    agent = vm.start()
    eventually(lambda: len(cloud.since(0)) >= 2 * len(PRODUCTS))
    checked = vm.command("check")
    told = [event for event in vm.events() if event["level"] in ("warning", "error")]

    assert [event.get("product") for event in told] == [*PRODUCTS]
    assert {event["level"] for event in told} == {"warning"}
    for text in (*(event["error"] for event in told), checked.err, eventually(vm.status)["error"]):
        assert "Novel.Refusal" in text
    assert checked.code == 1
    cloud.mend()
    vm.until("in service")
    assert agent.terminate() == 0


def test_writes_that_are_forbidden_are_told_and_hinder_no_drain(vm: Vm, cloud: Cloud) -> None:
    cloud.spoil("forbidden", "*BackendServers")
    vm.start()
    eventually(lambda: (vm.status() or {"groups": []})["groups"])
    error = eventually(lambda: vm.status()["groups"][0]["last_error"])

    assert "AddBackendServers" in error
    assert "to the RAM policy" in error
    assert cloud.me is None
    assert vm.command("drain").code == 0
    assert vm.status()["state"] == "drained"


def test_a_vm_whose_reads_are_forbidden_leaves_all_the_same_and_says_that_it_cannot_be_sure(
    vm: Vm, cloud: Cloud
) -> None:
    vm.configure(drain={"timeout": 4})
    vm.start()
    vm.until("in service")
    cloud.spoil("forbidden", "Describe*")

    done = vm.command("drain")
    assert (done.code, cloud.me) == (0, None)
    assert cloud.writes()[-2:] == ["SetBackendServers", "RemoveBackendServers"]
    (error,) = [event for event in done.events if event["level"] == "error"]
    assert "this VM may still be in rotation" in error["message"]
    assert "to the RAM policy" in error["error"]


@pytest.mark.parametrize("seconds", [3600.0, -3600.0], ids=["behind", "ahead"])
def test_a_clock_that_is_off_is_told_and_what_serves_goes_on_serving(
    vm: Vm, cloud: Cloud, seconds: float
) -> None:
    agent = vm.start()
    vm.until("in service")
    mark = cloud.mark

    cloud.account.clock_offset_seconds = seconds
    eventually(lambda: vm.status()["groups"][0]["last_error"])

    error = vm.status()["groups"][0]["last_error"]
    assert "InvalidTimeStamp.Expired" in error
    assert "fix NTP" in error
    assert (agent.running, cloud.weight, cloud.writes(mark)) == (True, 100, [])
    assert vm.status()["groups"][0]["in_service"]


def test_an_expired_token_is_told(vm: Vm, cloud: Cloud) -> None:
    cloud.spoil("expired_token", API)

    agent = vm.start()
    status = vm.until("failing")

    assert "InvalidSecurityToken.Expired" in status["error"]
    assert "; security_token " in status["error"]  # and what to do about it
    assert agent.running


@pytest.mark.thorough
def test_a_fault_that_lasts_is_not_told_again_and_again(vm: Vm, cloud: Cloud) -> None:
    vm.configure(load_balancer_id=BALANCER)
    cloud.inject(dataclasses.replace(preset("bad_gateway", API)))

    vm.start()
    eventually(lambda: len(cloud.since(0)) >= 3)

    assert len(vm.events("a call failed")) == 1
    assert [c for c in cloud.since(0) if c.action in WRITES] == []
    cloud.mend()
    vm.until("in service")
    (recovered,) = vm.events("recovered")
    assert recovered["after_failures"] >= 3
