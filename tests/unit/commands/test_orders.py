"""Commands that give the running agent an order and see it through, on a clock that is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.one_vm import Vm, document, draining, group

from slb_registration.commands import orders
from slb_registration.instance import markers
from slb_registration.instance.markers import Held, Stop
from slb_registration.support.logs.timestamps import timestamp

# hold and resume


@pytest.fixture
def vm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vm:
    return Vm(tmp_path, monkeypatch)


def test_hold_is_seen_through_until_the_weight_is_0(vm: Vm):
    vm.answers = [document(group()), document(group()), document(group(weight=0, out=True))]
    assert orders.hold(vm.config(), vm.log)
    assert markers.hold(vm.folder).since() is not None
    assert vm.orders == ["/hold"]
    assert len(vm.answers) == 1


def test_a_hold_with_an_end_and_a_reason_is_noted_and_tells_when_it_ends(vm: Vm):
    vm.answers = [document(group(weight=0, out=True))]
    assert orders.hold(vm.config(), vm.log, 7200, "kernel update")
    now = vm.time.time()
    assert markers.hold(vm.folder).held() == Held(now, now + 7200, "kernel update")
    (told,) = [one for one in vm.said("info") if "by itself" in one["message"]]
    assert told["at"] == timestamp(now + 7200)


def test_a_hold_whose_end_cannot_be_noted_says_how_long_it_lasts(vm: Vm, disk_full):
    disk_full.everywhere = True
    vm.answers = [document(group(weight=0, out=True))]
    assert orders.hold(vm.config(), vm.log, 7200)
    assert vm.orders == ["/hold"]
    assert [one["message"].partition(":")[0] for one in vm.said("warning")] == [
        f"cannot write {vm.folder}/hold",
        "nor can its end be noted",
    ]


def test_a_hold_that_is_not_seen_in_time_says_which_group(vm: Vm):
    vm.answers = [
        document(group(last_error="Throttling"), group(name="clb/lb-2", weight=None, out=True))
    ]
    started = vm.time.now
    assert not orders.hold(vm.config(), vm.log)
    assert vm.time.now - started <= orders.SETTLE_SECONDS
    (warning,) = vm.said("warning")
    assert (warning["group"], warning["error"]) == ("clb/lb-1", "Throttling")


@pytest.mark.parametrize("command", [orders.hold, orders.resume])
@pytest.mark.parametrize("hanging", ["hangs", "tells_nothing"])
def test_an_agent_that_hangs_makes_it_no_longer(vm: Vm, command, hanging: str):
    vm.answers = [document(group())]
    setattr(vm, hanging, True)
    started = vm.time.now
    assert not command(vm.config(), vm.log)
    assert vm.time.now - started <= orders.SETTLE_SECONDS


def test_hold_says_what_was_and_what_came_of_it_in_each_group(vm: Vm):
    waits = {"step": "set_weight", "weight": 0, "at_seconds": 1040.0, "waits_for": "quota"}
    other = group(
        name="clb/lb-2", state="lowering", weight=100, reason="weight 100 although it is held",
        last_error="Throttling", next=waits,
    )  # fmt: skip
    after = document(group(weight=0, out=True), other, time_seconds=1000.0)
    vm.answers = [document(group(), state="partly in service"), after]
    assert not orders.hold(vm.config(), vm.log)
    assert [(one["message"], one.get("group")) for one in vm.said("info")] == [
        ("before this order", None),
        ("out of rotation", "clb/lb-1"),
        ("the order stands, and the agent goes on with it", None),
    ]
    assert vm.said("info")[0]["state"] == "partly in service"
    (warning,) = vm.said("warning")
    told = {
        name: warning[name] for name in ("group", "state", "weight", "error", "because", "next")
    }
    assert told == {
        "group": "clb/lb-2",
        "state": "lowering",
        "weight": 100,
        "error": "Throttling",
        "because": "weight 100 although it is held",
        "next": "set the weight to 0 in 40 s: throttled, it waits for its turn at the account's "
        "quota",
    }


@pytest.mark.parametrize(
    ("command", "after", "last"),
    [
        (orders.hold, [group(weight=0, out=True)], "out of rotation in every server group"),
        (orders.resume, [group()], "in service in every server group"),
        (orders.hold, [], "this VM is in no server group"),
        (orders.resume, [group(), group(wanted=False, in_service=False)],
         "in service in every server group"),
    ],
)  # fmt: skip
def test_an_order_that_was_seen_through_says_so(vm: Vm, command, after, last: str):
    vm.answers = [document(state="held", although="still in rotation in 1 of 2 server groups"),
                  document(*after)]  # fmt: skip
    assert command(vm.config(), vm.log)
    told = vm.said("info")
    assert (told[0]["state"], told[0]["but"]) == (
        "held", "still in rotation in 1 of 2 server groups",
    )  # fmt: skip
    assert told[-1]["message"] == last
    assert vm.said("warning") == []


@pytest.mark.parametrize("command", [orders.hold, orders.resume])
def test_it_is_not_done_while_not_all_groups_are_known(vm: Vm, command):
    done = group(weight=0, out=True)
    vm.answers = [document(done, complete=False, error="DescribeLoadBalancers: Forbidden.RAM")]
    assert not command(vm.config(), vm.log)
    (warning,) = vm.said("warning")
    assert warning["because"] == "DescribeLoadBalancers: Forbidden.RAM"


@pytest.mark.parametrize("command", [orders.hold, orders.resume])
def test_an_agent_that_ends_with_the_order_is_told_of(vm: Vm, command):
    vm.answers = []
    assert not command(vm.config(), vm.log)
    assert "does not tell" in vm.said("warning")[0]["message"]


@pytest.mark.parametrize("command", [orders.hold, orders.resume])
def test_without_an_agent_the_next_one_will_do_it(vm: Vm, command):
    markers.draining(vm.folder).begin(Stop(1.0))
    assert not command(vm.config(), vm.log)
    assert "when it starts" in vm.said("warning")[0]["message"]
    held = markers.hold(vm.folder).since() is not None
    assert held is (command is orders.hold)


def test_resume_ends_a_hold_and_a_drain(vm: Vm):
    markers.hold(vm.folder).begin(1.0, None, None)
    markers.draining(vm.folder).begin(Stop(1.0))
    waiting = group(in_service=False, weight=0)
    left = group(in_service=False, wanted=False)
    vm.answers = [document(waiting), document(group(), left)]
    assert orders.resume(vm.config(), vm.log)
    assert vm.orders == ["/resume"]
    assert markers.hold(vm.folder).since() is None
    assert markers.draining(vm.folder).since() is None


def test_a_new_start_ends_a_drain_and_keeps_a_hold(vm: Vm):
    markers.hold(vm.folder).begin(1.0, None, None)
    markers.draining(vm.folder).begin(Stop(1.0))
    vm.answers = [document()]
    orders.prepare_start(vm.config())
    assert vm.orders == ["/start"]
    assert markers.draining(vm.folder).since() is None
    assert markers.hold(vm.folder).since() == 1.0


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
    assert orders.healthy(vm.config(dns={"enabled": True})) is healthy


def test_a_drain_marker_is_enough_to_leave_dns(vm: Vm):
    markers.draining(vm.folder).begin(Stop(1.0))
    assert not orders.healthy(vm.config(dns={"enabled": True}))


def test_dns_is_left_alone_unless_it_is_asked_for(vm: Vm):
    markers.draining(vm.folder).begin(Stop(1.0))
    vm.answers = [document(local_checks=FAILING)]
    assert orders.healthy(vm.config())
