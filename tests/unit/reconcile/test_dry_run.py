"""A VM that only observes: it decides as ever, tells that once, and asks for no write at all."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
import responses
from aliyunsdkslb.request.v20140515.AddBackendServersRequest import AddBackendServersRequest
from aliyunsdkslb.request.v20140515.DescribeLoadBalancerAttributeRequest import (
    DescribeLoadBalancerAttributeRequest,
)
from tests.paths import ROOT
from tests.unit.driver import (
    ACCESS_KEY,
    HEALTHY,
    HELD,
    LOWER,
    QUIET,
    REMOVE,
    SECRET_KEY,
    UNHEALTHY,
    UNKNOWN,
    Driver,
    MemoryGroup,
    busiest_minute,
    failure,
    member,
)
from tests.unit.every_kind import KINDS, Setting
from tests.unit.every_kind import Kind as GroupKind
from tests.unit.one_vm import Vm, document, group

from mock_slb.account.account import Account
from mock_slb.testing import attach
from slb_registration.cloud.client import Cloud
from slb_registration.cloud.credentials import Static
from slb_registration.commands import drain, orders, post_start
from slb_registration.commands.status_table import render
from slb_registration.instance import markers
from slb_registration.model.configuration import GroupSpec, StaticKeys
from slb_registration.model.desired import Policy, Wish
from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.health import Health
from slb_registration.model.identity import Identity
from slb_registration.model.operations import WRITES, Call, Op
from slb_registration.model.server_group import BackendServer
from slb_registration.model.status import GroupStatus, Origin, WaitsFor
from slb_registration.reconcile.dry_run import ObservesError
from slb_registration.reconcile.registrar import Registrar
from slb_registration.reporting.document import group_document
from slb_registration.reporting.group_status import describe
from slb_registration.reporting.overall import although, as_it_should_be, overall
from slb_registration.reporting.reasons import reason

DAY = 86400.0
SPEC = GroupSpec("clb", "lb-1", None, None, 100, None)


class World:
    """A group, and the agent of a VM that observes it."""

    def __init__(self, *servers: BackendServer, **identity: object) -> None:
        self.group = MemoryGroup({one.server_id: one for one in servers})
        self.before = dict(self.group.servers)
        self.driver = Driver()
        given = {"weight": 100, "marker": "bosh/spec-1", "replaces": True, **identity}
        me = Identity("i-self", None, **given)  # type: ignore[arg-type]
        self.agent = self.driver.join(self.group, me, observes=True)
        self.registrar = self.agent.registrar

    def want(self, wish: Wish, seconds: float = 1.0) -> GroupStatus:
        self.driver.want(wish)
        self.driver.run(seconds)
        return self.status

    @property
    def status(self) -> GroupStatus:
        return describe(self.registrar, SPEC, "clb/lb-1", Origin.MANIFEST)

    @property
    def told(self) -> list[object]:
        return [event.fields["would"] for _, event in self.agent.events if "would" in event.fields]

    def assert_untouched(self) -> None:
        assert self.agent.writes() == []
        assert self.group.servers == self.before


OTHER = member("i-other")
BY_CPI = member("i-self", 100)
MARKED = member("i-self", 100, "bosh/other-spec")
PREDECESSOR = member("i-old", 100, "bosh/spec-1")


@pytest.mark.parametrize(
    ("servers", "wish", "would"),
    [
        ((OTHER,), UNKNOWN, "register this VM with weight 0"),
        ((OTHER,), HEALTHY, "register this VM with weight 100"),
        ((OTHER,), UNHEALTHY, "register this VM with weight 0"),
        ((OTHER, BY_CPI), UNKNOWN, None),
        ((OTHER, BY_CPI), HEALTHY, None),
        ((OTHER, member("i-self", 50)), HEALTHY, "set the weight to 100"),
        ((OTHER, member("i-self", 0)), HEALTHY, "set the weight to 100"),
        ((OTHER, BY_CPI), UNHEALTHY, "set the weight to 0"),
        ((BY_CPI,), UNHEALTHY, None),  # the panic threshold
        ((OTHER, BY_CPI), HELD, "set the weight to 0"),
        ((OTHER, BY_CPI), LOWER, "set the weight to 0"),
        ((OTHER, BY_CPI), REMOVE, "remove this VM"),
        ((OTHER,), REMOVE, None),
        ((OTHER, BY_CPI, PREDECESSOR), HEALTHY, "remove i-old, which this VM replaces"),
    ],
)
def test_what_would_be_done_is_told_once_and_never_done(
    servers: Collection[BackendServer], wish: Wish, would: str | None
):
    world = World(*servers)
    status = world.want(wish, DAY)
    assert world.told == ([] if would is None else [would])
    assert (status.would.text if status.would else None) == would
    assert sum((status.would_writes or {}).values()) == len(world.told)
    world.assert_untouched()


def test_another_vms_marker_at_this_vms_address_would_be_replaced():
    world = World(OTHER, MARKED, server_type="ip")
    assert world.want(HEALTHY).would.text.startswith("replace another VM's marker")
    world.assert_untouched()


def test_each_change_of_the_decision_is_told_and_counted():
    world = World(OTHER, BY_CPI)
    for wish in (HEALTHY, UNHEALTHY, HEALTHY, HEALTHY, UNHEALTHY):
        world.want(wish, 100)
    assert world.told == ["set the weight to 0"] * 2
    assert len(world.agent.said("mode is observe: nothing would be changed any more")) == 1
    assert world.status.would_writes == {"add": 0, "set_weight": 2, "remove": 0}
    world.assert_untouched()


@pytest.mark.parametrize("weight", [100, 50])
def test_what_stays_undone_costs_no_more_calls_than_rest(weight: int):
    """A decision that is never carried out is planned again at each poll."""
    world = World(OTHER, member("i-self", weight))
    world.want(HEALTHY, 1000)
    before = len(world.agent.calls)
    world.driver.run(DAY)
    reads = [at for at, call in world.agent.calls if call.op is Op.FIND]
    assert len(world.agent.calls) - before <= DAY / 300 * 2 * 1.3  # a read, and one of health
    assert reads[-1] > world.driver.now - 600  # it goes on looking
    assert Op.HEALTH in world.agent.ops(since=world.driver.now - 900)
    assert busiest_minute(world.agent) < 10
    assert world.status.outlook.waits_for is WaitsFor.POLL


@pytest.mark.parametrize("wish", [HEALTHY, UNHEALTHY, LOWER, REMOVE, HELD])
@pytest.mark.parametrize("kind", [Kind.THROTTLED, Kind.UNAVAILABLE, Kind.DENIED, Kind.NOT_FOUND])
def test_nothing_is_written_while_reads_fail(wish: Wish, kind: Kind):
    world = World(OTHER, BY_CPI)
    world.want(HEALTHY)
    world.group.fail = lambda op: (failure(kind), False)
    world.want(wish, 3600)
    assert world.status.error is not None
    world.assert_untouched()


def test_whatever_is_wanted_in_whatever_order_nothing_is_written():
    wishes = [UNKNOWN, HEALTHY, UNHEALTHY, HELD, LOWER, REMOVE]
    for seed in range(30):
        random = Random(seed)
        world = World(*random.sample([OTHER, BY_CPI, PREDECESSOR], random.randint(0, 3)))
        for _ in range(20):
            fails = random.random() < 0.3
            world.group.fail = lambda op, fails=fails: (
                (failure(Kind.UNAVAILABLE), False) if fails else None
            )
            world.want(random.choice(wishes), random.choice([0.1, 5, 300]))
        world.assert_untouched()


def test_what_another_writer_does_is_no_drift_that_is_fought():
    world = World(OTHER, BY_CPI)
    world.want(HEALTHY, 100)
    for weight in (50, 100, 20, 100, 0):
        world.group.servers["i-self"] = member("i-self", weight)
        world.driver.run(700)
    assert world.told == ["set the weight to 100"] * 3
    assert world.agent.writes() == []
    assert not world.status.conflict
    assert world.status.state == "differs"


def test_a_weight_of_0_that_is_configured_is_in_service():
    world = World(OTHER, member("i-self", 0), weight=0)
    status = world.want(HEALTHY, 100)
    assert (status.state, status.in_service, status.would) == ("in service", True, None)
    assert reason(status, ()) is None or "health" in reason(status, ())


@pytest.mark.parametrize(
    ("servers", "wish", "says"),
    [
        ((OTHER, member("i-self", 50)), HEALTHY, "weight 50: mode is observe; it would set the"),
        ((OTHER,), HEALTHY, "not registered: mode is observe; it would register this VM"),
        ((OTHER, member("i-self", 0)), UNHEALTHY, "weight 0: the local check fails: tcp (refused)"),
        (
            (OTHER, member("i-self", 0)),
            HELD,
            "weight 0: mode is observe; a hold or a drain is left",
        ),
        ((OTHER,), REMOVE, "not registered: mode is observe; a hold or a drain is left"),
    ],
)
def test_why_it_is_not_in_service_or_would_not_stay_as_it_is(servers, wish: Wish, says: str):
    status = World(*servers).want(wish, 100)
    check, checker = Stub("tcp"), Stub("refused", wish.local)
    assert str(reason(status, [(check, checker)])).startswith(says)  # type: ignore[list-item]


@dataclass(frozen=True)
class Stub:
    """A check, or what comes of it."""

    detail: str
    health: Health = Health.HEALTHY

    def __str__(self) -> str:
        return self.detail


@pytest.mark.parametrize("weight", [100, 50])
@pytest.mark.parametrize("kind", KINDS, ids=lambda one: one.name)
def test_what_another_writer_has_registered_is_taken_over_in_every_kind_of_group(
    sdk: responses.RequestsMock, kind: GroupKind, weight: int
):
    """From one that observes to one that registers: never absent, never at weight 0."""
    setting = Setting(sdk, kind)
    setting.account.force_health(kind.server_id, "normal")
    setting.as_another("add", weight)
    writes = ("Add", "Set", "Update", "Remove")

    def live(registrar: Registrar) -> list[Call]:
        agent = setting.driver.add(registrar, setting.open())
        setting.driver.want(HEALTHY, agent)
        setting.driver.run(600)
        setting.driver.agents.clear()
        return [call for _, call in agent.calls if call.op in WRITES]

    me = setting.identity()
    assert live(Registrar(me, Policy(), interval=30, observes=True)) == []
    assert not [one for one in setting.gateway.calls.all() if one.action.startswith(writes)]
    made = live(Registrar(me, Policy(), interval=30))
    changed = [] if weight == 100 else [(Op.SET_WEIGHT, 100)]
    assert [(call.op, call.server.weight) for call in made if call.server] == changed
    there = setting.there()
    assert (there.weight if there else None) == 100


# The one place where calls are made


def test_a_cloud_that_observes_makes_no_call_that_may_change_anything(
    sdk: responses.RequestsMock,
):
    account = Account()
    account.add_key(ACCESS_KEY, SECRET_KEY)
    account.add_load_balancer("lb-1")
    gateway = attach(sdk, account)
    cloud = Cloud(Static(StaticKeys(ACCESS_KEY, SECRET_KEY, None)), account.region, observes=True)
    read = DescribeLoadBalancerAttributeRequest()
    read.set_LoadBalancerId("lb-1")
    cloud.call(read)
    write = AddBackendServersRequest()
    write.set_LoadBalancerId("lb-1")
    with pytest.raises(ApiError, match="mode is observe: nothing is changed"):
        cloud.call(write)
    assert [call.action for call in gateway.calls.all()] == ["DescribeLoadBalancerAttribute"]


def test_every_action_that_the_policy_allows_is_a_read_or_one_that_is_refused():
    """As the RAM policy lists them, so that one with a new name is thought of here."""
    from slb_registration.cloud.client import _READS

    policy = json.loads((ROOT / "release/manifests/ram-policy.json").read_text())
    actions = {one.split(":")[1] for part in policy["Statement"] for one in part["Action"]}
    writes = {one for one in actions if not one.startswith(_READS)}
    assert all(one.startswith(("Add", "Set", "Update", "Remove")) for one in writes)
    assert len(writes) == 9


# What is said of the whole VM


def whole(*statuses: GroupStatus, **changes: object) -> dict[str, object]:
    made = {
        **QUIET,
        "mode": "observe",
        "drain": None,
        "error": None,
        "complete": True,
        "groups": [group_document(one, 0.0) for one in statuses],
        **changes,
    }
    return {**made, "state": overall(made), "although": although(made)}


def seen(*servers: BackendServer, wish: Wish = HEALTHY) -> GroupStatus:
    return World(*servers).want(wish)


@pytest.mark.parametrize(
    ("statuses", "changes", "state", "but"),
    [
        ([seen(OTHER, BY_CPI)], {}, "observing", None),
        ([seen(OTHER)], {}, "observing", "it would make a change in 1 of 1 server group"),
        (
            [seen(OTHER, BY_CPI), seen(OTHER)],
            {"complete": False},
            "observing",
            "it would make a change in 1 of 2 server groups, not all server groups of this VM are "
            "known",
        ),
        ([], {}, "starting", None),
        ([], {"error": "Forbidden"}, "failing", None),
        ([seen(OTHER)], {"register": False}, "idle", None),
    ],
)
def test_the_word_for_a_vm_that_observes(statuses, changes, state: str, but: str | None):
    shown = whole(*statuses, **changes)
    assert (shown["state"], shown["although"]) == (state, but)
    assert as_it_should_be(shown) is (state == "idle" or (state == "observing" and but is None))


# Commands


@pytest.fixture
def vm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vm:
    return Vm(tmp_path, monkeypatch)


LOOKED_AT = {"last_read_seconds": 1.0}
DIFFERS = {
    **LOOKED_AT,
    "reason": "weight 50: mode is observe; it would set the weight to 100",
    "would": {"text": "set the weight to 100"},
}


@pytest.mark.parametrize("turn", drain.Caller)
def test_a_drain_ends_at_once_with_success_and_leaves_no_marker(vm: Vm, turn: drain.Caller):
    vm.answers = [document(group())]
    started = vm.time.now
    assert drain.drain(vm.config(mode="observe"), vm.log, turn)
    assert (vm.time.now, vm.orders) == (started, [])
    assert markers.draining(vm.folder).since() is None
    assert "nothing is changed" in vm.said("info")[0]["message"]


def test_post_stop_removes_nothing(vm: Vm):
    (vm.folder / "journal.json").write_text("{}")
    assert drain.remove_what_is_left(vm.config(mode="observe"), vm.log)


def test_a_hold_is_refused_and_not_kept_for_later(vm: Vm):
    vm.answers = [document(group())]
    with pytest.raises(ObservesError, match=r"mode is observe: .*take this VM out with what has"):
        orders.hold(vm.config(mode="observe"), vm.log, 7200)
    assert markers.hold(vm.folder).held() is None
    assert vm.orders == []


def test_resume_forgets_a_hold_and_waits_for_nothing(vm: Vm):
    markers.hold(vm.folder).begin(1.0, None, None)
    vm.answers = [document(group(weight=0, in_service=False))]
    started = vm.time.now
    assert orders.resume(vm.config(mode="observe"), vm.log)
    assert (vm.time.now, markers.hold(vm.folder).held()) == (started, None)


def wait(vm: Vm, **properties: object) -> float:
    started = vm.time.now
    assert post_start.wait(vm.config(mode="observe", **properties), vm.log)
    assert vm.said("error") == []
    return vm.time.now - started


def test_post_start_succeeds_once_all_was_looked_at(vm: Vm):
    check = {"check": "tcp", "health": "unknown", "detail": ""}
    decided = [{**check, "health": "healthy"}]
    vm.answers = [
        document(complete=False, under_way="looking"),
        document(group(last_read_seconds=None, registered=False, in_service=False)),
        document(group(**LOOKED_AT), local_checks=[check]),
        document(group(**LOOKED_AT, health_known=False), local_checks=decided),
        document(group(**LOOKED_AT), local_checks=decided),
    ]
    assert wait(vm) == pytest.approx(1.0)
    assert [one["message"] for one in vm.said("info")] == [
        "mode is observe: nothing would be changed in any server group"
    ]


def test_post_start_says_what_differs_and_succeeds(vm: Vm):
    vm.answers = [document(group(**LOOKED_AT), group(name="clb/lb-2", weight=50, **DIFFERS))]
    assert wait(vm) == 0
    (warning,) = vm.said("warning")
    assert warning["because"] == f"clb/lb-2: {DIFFERS['reason']}"


def test_a_group_that_would_be_left_differs_too(vm: Vm):
    """Registered by an earlier start with mode: register."""
    left = group(name="clb/lb-2", **LOOKED_AT, wanted=False, would={"text": "remove this VM"})
    vm.answers = [document(group(**LOOKED_AT), left)]
    assert wait(vm) == 0
    (warning,) = vm.said("warning")
    assert warning["because"] == "clb/lb-2: it would remove this VM"


@pytest.mark.parametrize(
    ("changes", "because", "most"),
    [
        ({"error": "ListServerGroups: Forbidden", "complete": True}, "ListServerGroups", 0),
        ({"error": "ListServerGroups: Forbidden", "complete": False}, "ListServerGroups", 30),
        ({"local_checks": [{"check": "tcp", "health": "unknown"}]}, "it takes longer", 30),
    ],
)
def test_nothing_differs_is_not_said_of_what_was_not_looked_at(vm: Vm, changes, because, most):
    vm.answers = [document(group(**LOOKED_AT), **changes)]
    assert wait(vm) <= most
    (warning,) = vm.said("warning")
    assert warning["because"].startswith(because)
    assert vm.said("info") == []


def test_status_shows_what_would_be_done_beside_what_fails():
    answer = group(**{**DIFFERS, "last_error": "Throttling", "reason": "Throttling"})
    text = render(document(answer, mode="observe", state="observing"))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert {"would set the weight to 100", "because Throttling"} <= set(lines)
    assert "mode observe: the agent observes, and changes nothing" in lines


DENIED = group(
    in_service=False, last_error="Forbidden.RAM", reason="Forbidden.RAM", needs_repair=True
)


@pytest.mark.parametrize(
    "answer", [document(DENIED), document(error="wrong keys", complete=False, needs_repair=True)]
)
def test_what_only_a_person_can_mend_is_told_at_once_and_fails_no_deploy(vm: Vm, answer):
    vm.answers = [answer]
    assert wait(vm) == 0
    (warning,) = vm.said("warning")
    assert any(text in warning["because"] for text in ("Forbidden.RAM", "wrong keys"))


@pytest.mark.parametrize(
    "answers",
    [
        None,
        [document(group(last_error="Throttling", reason="Throttling", in_service=False))],
        [document(complete=False, error="ServiceUnavailable")],
    ],
)
@pytest.mark.parametrize("timeout", [5, 180])
def test_what_cannot_be_looked_at_is_waited_for_half_a_minute_at_most(
    vm: Vm, answers, timeout: int
):
    vm.answers = answers
    most = min(timeout, 30)
    assert most - 1 <= wait(vm, post_start={"timeout": timeout}) <= most
    assert len(vm.said("warning")) == 1


def test_dns_speaks_of_the_local_check_as_ever(vm: Vm):
    config = vm.config(mode="observe", dns={"enabled": True})
    for health, healthy in (("healthy", True), ("unhealthy", False)):
        vm.answers = [document(local_checks=[{"check": "tcp", "health": health}])]
        assert orders.healthy(config) is healthy
