"""What a registrar does with its server group, through the real adapters and the mocked account."""

from __future__ import annotations

import pytest
from tests.unit.driver import HEALTHY, HELD, LOWER, REMOVE, THIS_VM, UNHEALTHY, World

from slb_registration.model.desired import Phase, Policy, Wish
from slb_registration.model.health import Health
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Op, Wait
from slb_registration.model.server_group import Changed
from slb_registration.reconcile.observed_state import Place
from slb_registration.reconcile.registrar import Registrar

OTHERS = [("i-other-1", 100, "not ours"), ("i-other-2", 100, "not ours")]


# Registering


def test_a_new_registration_has_weight_0_until_the_first_healthy_answer(world: World):
    agent = world.agent()
    world.driver.run(120)
    assert world.weight() == 0

    world.driver.want(HEALTHY)
    world.driver.run(1)

    assert world.weight() == 100
    assert agent.writes() == [Op.ADD, Op.SET_WEIGHT]


def test_a_vm_that_is_healthy_before_the_first_read_is_registered_with_its_weight(world: World):
    agent = world.agent(weight=30)
    world.driver.want(HEALTHY)
    world.driver.run(1)

    assert world.weight() == 30
    assert agent.writes() == [Op.ADD]


def test_a_vm_that_is_never_healthy_stays_at_weight_0(world: World):
    agent = world.agent()
    world.driver.want(UNHEALTHY)
    world.driver.run(900)

    assert world.weight() == 0
    assert agent.writes() == [Op.ADD]


@pytest.mark.parametrize("weight", [0, 40, 100])
def test_what_is_registered_is_left_as_it_is_while_health_is_unknown(world: World, weight: int):
    world.put_in("i-self", weight)
    agent = world.agent(served=True)
    world.driver.run(900)

    assert world.weight() == weight
    assert agent.writes() == []


def test_a_registration_carries_the_marker_and_the_operators_description(world: World):
    me = Identity("i-self", world.port, 100, marker="bosh/spec-1", description="web.前端")
    world.driver.join(world.group(), me)
    world.driver.want(HEALTHY)
    world.driver.run(1)
    assert world.servers.server("i-self", world.port or 0).description == "bosh/spec-1/web.前端"

    world.driver.want(UNHEALTHY)
    world.driver.run(1)
    # SLB drops a description that is not sent again with the weight.
    assert world.servers.server("i-self", world.port or 0).description == "bosh/spec-1/web.前端"


def test_registering_twice_is_harmless(world: World):
    world.serving()
    again = world.serving()

    assert again.writes() == []
    assert [one.server_id for one in world.servers.servers()].count("i-self") == 1


def test_a_change_of_health_reaches_slb_with_one_write_and_at_most_one_read(world: World):
    agent = world.serving()
    for wish, weight in ((UNHEALTHY, 0), (HEALTHY, 100)) * 3:
        before = world.driver.now
        world.driver.want(wish)
        world.driver.run(0.2)
        assert world.weight() == weight
        assert agent.ops(Op.FIND, Op.SET_WEIGHT, since=before)[-1] is Op.SET_WEIGHT
        assert len(agent.ops(Op.FIND, Op.SET_WEIGHT, since=before)) <= 2
        world.driver.run(5)


def test_lowering_is_decided_on_a_fresh_read_even_right_after_the_last(world: World):
    agent = world.serving()
    before = world.driver.now
    world.driver.want(UNHEALTHY)
    world.driver.run(1)

    assert agent.ops(Op.FIND, Op.SET_WEIGHT, since=before) == [Op.FIND, Op.SET_WEIGHT]


def test_raising_reads_first_where_the_last_read_is_older_than_an_interval(world: World):
    agent = world.serving()
    world.driver.want(UNHEALTHY)
    world.driver.run(900)  # polls are stretched by now
    before = max(agent.times(Op.FIND))
    world.driver.run(max(0.0, before + 60 - world.driver.now))
    before = world.driver.now
    world.driver.want(HEALTHY)
    world.driver.run(1)

    assert agent.ops(Op.FIND, Op.SET_WEIGHT, since=before) == [Op.FIND, Op.SET_WEIGHT]
    assert world.weight() == 100


# Keeping it so


def test_a_vm_that_someone_removes_is_put_back_with_its_weight(world: World):
    agent = world.serving()
    world.take_out()
    world.driver.run(40)

    assert world.weight() == 100
    assert agent.registrar.repairs["registration"].total == 1
    assert agent.said("registered")[-1].fields["reason"] == "another writer changed it"


def test_a_weight_that_someone_changes_is_restored(world: World):
    agent = world.serving()
    world.set_weight(7)
    world.driver.run(40)

    assert world.weight() == 100
    assert agent.registrar.repairs["weight"].total == 1
    assert agent.said("weight changed")[-1].fields["reason"] == "another writer changed it"


def test_a_vm_that_is_unhealthy_and_raised_by_someone_is_lowered_again(world: World):
    agent = world.serving()
    world.driver.want(UNHEALTHY)
    world.driver.run(15)
    world.set_weight(100)
    world.driver.run(40)

    assert world.weight() == 0
    assert agent.registrar.repairs["weight"].total == 1


def test_no_other_server_is_ever_touched(world: World):
    world.put_in("i-other-3", 5, "bosh/spec-2")  # another VM of the same instance group
    world.put_in("i-other-4", 5, "bosh/spec-11")  # whose marker begins like ours
    world.put_in("i-other-5", 5, "xbosh/spec-1")
    before = world.others()
    agent = world.serving()
    for wish in (UNHEALTHY, HEALTHY, HELD, HEALTHY, LOWER, REMOVE):
        world.driver.want(wish)
        world.driver.run(60)

    assert world.others() == before
    assert world.weight() is None
    asked = [call for _, call in agent.calls if call.server is not None]
    assert {call.server.server_id for call in asked if call.server} == {"i-self"}


def test_the_same_server_under_another_port_is_another_server(sdk):
    world = World(sdk, "vServer group")
    world.account.group("rsp-1").add_server("i-self", port=9999, weight=5)
    world.serving()
    world.driver.want(REMOVE)
    world.driver.run(10)

    assert world.weight() is None
    assert world.account.group("rsp-1").server("i-self", 9999).weight == 5


# The VM that BOSH has replaced


def test_the_vm_that_was_replaced_leaves_once_this_one_serves_and_not_before(world: World):
    world.put_in("i-old", 100, "bosh/spec-1")
    agent = world.agent()
    world.driver.run(900)
    assert world.weight("i-old") == 100  # health is unknown

    world.driver.want(UNHEALTHY)
    world.driver.run(900)
    assert world.weight("i-old") == 100

    world.driver.want(HEALTHY)
    world.driver.run(1)
    assert world.weight("i-old") is None
    assert world.weight() == 100
    assert agent.writes() == [Op.ADD, Op.SET_WEIGHT, Op.REMOVE]
    assert agent.said("removed")[0].fields["reason"] == "replaced by this VM"
    assert world.others() == OTHERS


@pytest.mark.parametrize("description", ["bosh/spec-1/web", "bosh/spec-1/", "bosh/spec-1"])
def test_the_replaced_vm_is_known_by_the_marker_whatever_follows_it(world: World, description: str):
    world.put_in("i-old", 100, description)
    world.serving()
    world.driver.run(1)
    assert world.weight("i-old") is None


def test_under_create_env_nothing_is_a_predecessor(world: World):
    world.put_in("i-old", 100, "bosh/spec-1")
    world.serving(replaces=False)
    world.driver.run(900)
    assert world.weight("i-old") == 100


def test_without_a_marker_nothing_is_a_predecessor(world: World):
    world.put_in("i-old", 100, "")
    world.serving(marker="")
    world.driver.run(900)
    assert world.weight("i-old") == 100


def test_a_predecessor_with_another_port_is_none(sdk):
    world = World(sdk, "vServer group")
    world.account.add_instance("i-old")
    world.account.group("rsp-1").add_server("i-old", port=9999, description="bosh/spec-1")
    world.serving()
    world.driver.run(900)
    assert world.account.group("rsp-1").server("i-old", 9999) is not None


def test_a_predecessor_that_cannot_be_removed_takes_nothing_from_this_vm(world: World):
    world.put_in("i-old", 100, "bosh/spec-1")
    world.refuse("Forbidden.RAM", 403, "Remove*")
    agent = world.serving()
    world.driver.run(900)

    assert world.weight() == 100
    assert len(agent.ops(Op.REMOVE)) <= 900 / 240 + 1


# Hold


def test_a_held_vm_gets_weight_0_and_stays_registered(world: World):
    agent = world.serving()
    world.driver.want(HELD)
    world.driver.run(1)
    assert world.weight() == 0
    assert agent.said("weight changed")[-1].fields["reason"] == "held by an operator"

    for health in (Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN):
        world.driver.want(Wish(Phase.HOLD, health))
        world.driver.run(600)
        assert world.weight() == 0

    world.driver.want(HEALTHY)
    world.driver.run(1)
    assert world.weight() == 100


def test_a_held_vm_that_is_not_registered_is_not_registered(world: World):
    agent = world.agent()
    world.driver.want(HELD)
    world.driver.run(900)
    assert world.weight() is None
    assert agent.writes() == []


# Leaving


def test_draining_lowers_then_removes_and_says_so_only_after_it_was_seen(world: World):
    agent = world.serving()
    world.driver.want(LOWER)
    world.driver.run(1)
    assert world.weight() == 0
    assert agent.registrar.group.at_least(Place.LOWERED)
    assert not agent.registrar.group.at_least(Place.LEFT)

    world.driver.want(REMOVE)
    assert not agent.registrar.group.at_least(Place.LEFT)
    before = world.driver.now
    world.driver.run(1)
    assert world.weight() is None
    assert agent.registrar.group.at_least(Place.LEFT)
    assert agent.ops(Op.FIND, Op.REMOVE, since=before) == [Op.REMOVE, Op.FIND]


def test_a_removal_long_after_the_last_read_is_decided_on_another_one(world: World):
    agent = world.serving()
    world.driver.want(LOWER)
    world.driver.run(60)
    while world.driver.now - agent.times(Op.FIND)[-1] <= 31:  # polls become rarer
        world.driver.run(1)
    before = world.driver.now
    world.driver.want(REMOVE)
    world.driver.run(1)
    assert agent.ops(Op.FIND, Op.REMOVE, since=before) == [Op.FIND, Op.REMOVE, Op.FIND]


def test_draining_twice_makes_no_second_change(world: World):
    agent = world.serving()
    for wish in (LOWER, REMOVE, LOWER, REMOVE):
        world.driver.want(wish)
        world.driver.run(5)
    assert agent.writes() == [Op.ADD, Op.SET_WEIGHT, Op.REMOVE]
    assert agent.registrar.group.at_least(Place.LEFT)


def test_a_vm_that_is_not_registered_is_drained_without_a_change(world: World):
    agent = world.agent()
    world.driver.want(LOWER)
    world.driver.run(1)
    assert agent.registrar.group.at_least(Place.LOWERED)
    world.driver.want(REMOVE)
    world.driver.run(1)
    assert agent.registrar.group.at_least(Place.LEFT)
    assert agent.writes() == []


def test_a_group_that_does_not_exist_counts_as_left(world: World):
    agent = world.serving()
    world.account.remove_load_balancer("lb-1")
    world.driver.want(LOWER)
    world.driver.run(17)
    assert agent.registrar.group.at_least(Place.LOWERED)
    assert agent.registrar.group.at_least(Place.LEFT)


def test_a_drain_is_not_over_because_one_read_has_not_found_the_group(world: World):
    """A region's fault that lasts a second would end it with the VM in rotation."""
    agent = world.serving()
    fault = world.refuse("InvalidLoadBalancerId.NotFound", 404)
    world.driver.want(LOWER)
    world.driver.run(1)
    assert not agent.registrar.group.at_least(Place.LOWERED)
    world.gateway.faults.remove(fault)
    world.driver.run(17)
    assert world.weight() == 0
    assert agent.registrar.group.at_least(Place.LOWERED)


def test_a_group_that_this_vm_was_never_seen_in_and_that_is_not_found_counts_as_left(world: World):
    agent = world.agent()
    world.refuse("InvalidLoadBalancerId.NotFound", 404)
    world.driver.want(REMOVE)
    world.driver.run(1)
    assert agent.registrar.group.at_least(Place.LEFT)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("InvalidAction.NotFound", 404),
        ("InvalidRegionId.NotFound", 404),
        ("Forbidden.RAM", 403),
        ("InvalidAccessKeyId.NotFound", 404),
        ("ServiceUnavailable", 503),
    ],
)
def test_an_answer_that_says_nothing_of_the_group_does_not_count_as_left(
    world: World, code: str, status: int
):
    agent = world.serving()
    world.refuse(code, status, "Describe*")
    world.driver.want(REMOVE)
    world.driver.run(60)
    assert not agent.registrar.group.at_least(Place.LEFT)
    assert not agent.registrar.group.at_least(Place.LOWERED)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ResourceNotFound.BackendServer", 404),
        ("ResourceNotFound.serverGroup", 404),
        ("InvalidServerId.NotFound", 400),
    ],
)
def test_a_removal_that_finds_the_server_gone_has_succeeded(world: World, code: str, status: int):
    agent = world.serving()
    # Someone else is faster, and the API says so instead of ignoring it.
    world.refuse(code, status, "Remove*", after_change=True)
    world.driver.want(REMOVE)
    world.driver.run(2)

    assert agent.registrar.group.at_least(Place.LEFT)
    assert agent.ops(Op.REMOVE) == [Op.REMOVE]
    assert agent.registrar.failures.worst is None
    assert len(agent.said("removed")) == 1
    assert agent.said("a call failed") == []


def test_a_drain_is_tried_at_once_although_the_last_call_has_failed_for_good(world: World):
    agent = world.serving()
    fault = world.refuse("Forbidden.RAM", 403)
    world.driver.run(400)
    assert agent.registrar.failures.worst is not None
    world.gateway.faults.remove(fault)  # the operator has mended the policy

    world.driver.want(LOWER)
    world.driver.run(1)

    assert world.weight() == 0


def test_a_drained_vm_that_someone_adds_is_removed_again(world: World):
    agent = world.serving()
    world.driver.want(REMOVE)
    world.driver.run(5)
    world.put_in("i-self", 100)
    world.driver.run(400)
    assert world.weight() is None
    assert agent.registrar.group.at_least(Place.LEFT)


def test_a_vm_that_serves_again_after_a_drain_is_registered_anew(world: World):
    world.serving()
    world.driver.want(REMOVE)
    world.driver.run(5)
    world.driver.want(HEALTHY)
    world.driver.run(5)
    assert world.weight() == 100


# What to do about an unhealthy service


def test_unhealthy_with_policy_remove_leaves_the_group_and_comes_back(world: World):
    agent = world.serving(policy=Policy("remove", 50))
    world.driver.want(UNHEALTHY)
    world.driver.run(5)
    assert world.weight() is None

    world.driver.want(HEALTHY)
    world.driver.run(5)
    assert world.weight() == 100
    assert agent.registrar.repairs["registration"].total == 0


def test_unhealthy_with_policy_ignore_keeps_its_weight(world: World):
    agent = world.serving(policy=Policy("ignore", 50))
    world.driver.want(UNHEALTHY)
    world.driver.run(900)
    assert world.weight() == 100
    assert agent.writes() == [Op.ADD]


def test_policy_ignore_does_not_raise_a_vm_that_was_never_healthy(world: World):
    world.agent(policy=Policy("ignore", 50))
    world.driver.want(UNHEALTHY)
    world.driver.run(900)
    assert world.weight() == 0


# The protocol of steps


def test_an_answer_that_nobody_asked_for_is_a_mistake_of_the_caller():
    registrar = Registrar(THIS_VM, Policy(), interval=30)
    with pytest.raises(ValueError, match="without a call"):
        registrar.step(0.0, None, Changed())  # type: ignore[arg-type]


def test_a_registrar_with_nothing_to_do_waits_and_asks_for_nothing(world: World):
    agent = world.serving()
    world.driver.run(5)
    step = agent.registrar.step(world.driver.now, agent.random)
    assert isinstance(step, Wait)
    assert step.until > world.driver.now
