"""Commands that give the running agent an order and see it through, on a clock that is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from slb_registration import markers, oneshot

from .one_vm import Vm, document, draining, group

# hold and resume


@pytest.fixture
def vm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vm:
    return Vm(tmp_path, monkeypatch)


def test_hold_is_seen_through_until_the_weight_is_0(vm: Vm):
    vm.answers = [document(group()), document(group()), document(group(weight=0))]
    assert oneshot.hold(vm.config(), vm.log)
    assert markers.hold(vm.folder).since() is not None
    assert vm.orders == ["/hold"]
    assert len(vm.answers) == 1


def test_a_hold_that_is_not_seen_in_time_says_which_group(vm: Vm):
    vm.answers = [document(group(last_error="Throttling"), group(name="clb/lb-2", weight=None))]
    started = vm.time.now
    assert not oneshot.hold(vm.config(), vm.log)
    assert vm.time.now - started <= 16
    (warning,) = vm.said("warning")
    assert (warning["group"], warning["error"]) == ("clb/lb-1", "Throttling")


@pytest.mark.parametrize("command", [oneshot.hold, oneshot.resume])
def test_without_an_agent_the_next_one_will_do_it(vm: Vm, command):
    markers.draining(vm.folder).set(1.0)
    assert not command(vm.config(), vm.log)
    assert "when it starts" in vm.said("warning")[0]["message"]
    held = markers.hold(vm.folder).since() is not None
    assert held is (command is oneshot.hold)


def test_resume_ends_a_hold_and_a_drain(vm: Vm):
    markers.hold(vm.folder).set(1.0)
    markers.draining(vm.folder).set(1.0)
    waiting = group(in_service=False, weight=0)
    left = group(in_service=False, wanted=False)
    vm.answers = [document(waiting), document(group(), left)]
    assert oneshot.resume(vm.config(), vm.log)
    assert vm.orders == ["/resume"]
    assert markers.hold(vm.folder).since() is None
    assert markers.draining(vm.folder).since() is None


def test_a_new_start_ends_a_drain_and_keeps_a_hold(vm: Vm):
    markers.hold(vm.folder).set(1.0)
    markers.draining(vm.folder).set(1.0)
    vm.answers = [document()]
    oneshot.prepare_start(vm.config())
    assert vm.orders == ["/start"]
    assert markers.draining(vm.folder).since() is None
    assert markers.hold(vm.folder).since() == 1.0


# wait (post-start)


def test_the_wait_ends_when_the_vm_is_in_service_everywhere(vm: Vm):
    rising = group(in_service=False, state="waiting for health", weight=0)
    unread = group(health=[], health_known=False)
    initial = group(health=[{"listener": "tcp:80", "port": 1, "status": "unavailable"}])
    stages = ((), (rising,), (unread,), (initial,), (group(),))
    vm.answers = [document(*groups) for groups in stages]
    assert oneshot.wait(vm.config(), vm.log)
    because = [event.get("because") for event in vm.said("info")]
    assert because == [
        "no server group is known yet",
        "clb/lb-1: waiting for health, weight 0",
        "clb/lb-1: what SLB says of its health is not known yet",
        "clb/lb-1: tcp:80 is unavailable",
        None,
    ]


def test_at_weight_0_no_health_is_waited_for(vm: Vm):
    """SLB may stop checking such a server: ALB does, and NLB calls it unused."""
    vm.answers = [document(group(weight=0, health_known=False, health=[]))]
    assert oneshot.wait(vm.config(), vm.log)


def test_a_listener_without_a_check_is_not_waited_for(vm: Vm):
    vm.answers = [
        document(group(health=[{"listener": "tcp:80", "port": 1, "status": "not checked"}]))
    ]
    assert oneshot.wait(vm.config(), vm.log)


def test_a_wait_that_is_too_long_says_why_for_every_group(vm: Vm):
    vm.answers = [
        document(
            group(in_service=False, state="failing", weight=None, last_error="Forbidden.RAM"),
            group(name="clb/lb-2", in_service=False, state="held", weight=0),
            group(name="clb/lb-3"),
            group(name="clb/old", wanted=False, in_service=False, state="draining"),
        )
    ]
    started = vm.time.now
    assert not oneshot.wait(vm.config(post_start={"timeout": 30}), vm.log)
    assert 29 <= vm.time.now - started <= 30
    assert [event["because"] for event in vm.said("error")] == [
        "clb/lb-1: Forbidden.RAM",
        "clb/lb-2: held, weight 0",
    ]


def test_an_agent_that_is_not_there_yet_is_waited_for(vm: Vm):
    def come() -> None:
        vm.answers = [document(group())]

    vm.time.on_sleep = come
    assert oneshot.wait(vm.config(), vm.log)


def test_an_agent_that_knows_no_group_says_why(vm: Vm):
    vm.answers = [document(error="no load balancer carries the tags")]
    assert not oneshot.wait(vm.config(post_start={"timeout": 2}), vm.log)
    assert vm.said("error")[0]["because"] == "no load balancer carries the tags"


def test_where_nothing_is_registered_nothing_is_waited_for(vm: Vm):
    assert oneshot.wait(vm.config(register=False), vm.log)


# healthy (BOSH DNS)

FAILING = [{"check": "tcp", "health": "unhealthy"}]
CHECKED = [{"check": "tcp", "health": "healthy"}, {"check": "x", "health": "unknown"}]


@pytest.mark.parametrize(
    ("answers", "healthy"),
    [
        (None, True),  # the agent is not asked for more than it can say
        ([document(group(), local_checks=CHECKED)], True),
        ([document(group(), local_checks=[*CHECKED, *FAILING])], False),
        ([draining("lowering", local_checks=CHECKED)], False),
        # SLB's word and its own troubles are no reason to leave DNS.
        ([document(group(in_service=False, last_error="x"), error="y")], True),
    ],
)
def test_dns_follows_the_local_check_and_a_drain(vm: Vm, answers, healthy: bool):
    vm.answers = answers
    assert oneshot.healthy(vm.config(dns={"enabled": True})) is healthy


def test_a_drain_marker_is_enough_to_leave_dns(vm: Vm):
    markers.draining(vm.folder).set(1.0)
    assert not oneshot.healthy(vm.config(dns={"enabled": True}))


def test_dns_is_left_alone_unless_it_is_asked_for(vm: Vm):
    markers.draining(vm.folder).set(1.0)
    vm.answers = [document(local_checks=FAILING)]
    assert oneshot.healthy(vm.config())
