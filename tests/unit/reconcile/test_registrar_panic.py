"""It must never be the outage: several agents on one group, in every order of their calls."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.driver import (
    HEALTHY,
    HELD,
    LOWER,
    REMOVE,
    UNHEALTHY,
    Agent,
    Driver,
    MemoryGroup,
    World,
    member,
)

from slb_registration.model.desired import Phase, Policy, Wish
from slb_registration.model.health import Health
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Op
from slb_registration.model.server_group import BackendServer

POLL = 37.0  # the longest time between polls while something is wrong, and the call


class Fleet:
    """VMs in rotation, each with its agent, at rest."""

    def __init__(self, size: int, policy: Policy | None = None, strangers: int = 0) -> None:
        self.servers: dict[str, BackendServer] = {
            f"s-{number}": member(f"s-{number}") for number in range(strangers)
        }
        self.driver = Driver()
        self.agents: list[Agent] = []
        for number in range(size):
            me = Identity(f"i-{number}", None, 100)
            group = MemoryGroup(self.servers)
            self.agents.append(self.driver.join(group, me, policy, served=True))
        self.driver.want(HEALTHY)
        self.driver.run(1)

    def one_by_one(self, order: Sequence[int]) -> None:
        """Let these agents, in this order, each make its next call (and take in the last)."""
        for number in order:
            self.agents[number].turn(self.driver.now)

    @property
    def up(self) -> list[str]:
        """The VMs in rotation, strangers left out."""
        return sorted(
            server.server_id
            for server in self.servers.values()
            if server.weight > 0 and server.server_id.startswith("i-")
        )

    @property
    def changes(self) -> int:
        """Writes since the registration."""
        return sum(len(agent.writes()) - 1 for agent in self.agents)


Order = tuple[int, ...]


def interleavings(size: int, calls: int) -> Iterator[Order]:
    """Every order in which `size` agents can make `calls` calls each."""

    def merge(left: Order, done: Order) -> Iterator[Order]:
        if not any(left):
            yield done
        for number, some in enumerate(left):
            if some:
                rest = (*left[:number], some - 1, *left[number + 1 :])
                yield from merge(rest, (*done, number))

    return merge((calls,) * size, ())


def different_orders(size: int) -> list[Order]:
    """Orders of a read and a write each, bar those in which every read sees the same writes."""

    def seen(order: Order) -> tuple[frozenset[int], ...]:
        read: dict[int, frozenset[int]] = {}
        written: set[int] = set()
        for number in order:
            if number in read:
                written.add(number)
            else:
                read[number] = frozenset(written)
        return tuple(read[number] for number in range(size))

    return list({seen(order): order for order in interleavings(size, 2)}.values())


@pytest.mark.parametrize("size", [2, 3, 4])
def test_in_every_order_of_calls_enough_stay_in_rotation_or_come_back(size: int):
    """All become unhealthy at once; each reads and writes, in every possible order."""
    needed = -(-size // 2)
    worst = size
    for order in different_orders(size):
        fleet = Fleet(size)
        fleet.driver.want(UNHEALTHY)
        fleet.one_by_one(order)
        worst = min(worst, len(fleet.up))
        fleet.driver.run(2 * POLL)

        assert len(fleet.up) >= needed, order
        assert fleet.changes <= 2 * size, order
        settled = fleet.up
        fleet.driver.run(600)
        assert fleet.up == settled, order
    assert worst == 0  # the race is real: all may have read before any wrote


@pytest.mark.parametrize("size", [2, 3, 4, 7])
def test_if_all_read_before_any_writes_the_first_by_server_id_come_back(size: int):
    fleet = Fleet(size)
    fleet.driver.want(UNHEALTHY)
    fleet.one_by_one([*range(size), *reversed(range(size))])
    assert fleet.up == []

    fleet.driver.run(5)  # seconds, not polls: nobody serves
    assert fleet.up == [f"i-{number}" for number in range(-(-size // 2))]


def test_one_after_the_other_they_leave_until_half_is_left():
    fleet = Fleet(6)
    for number, agent in enumerate(reversed(fleet.agents)):
        fleet.driver.want(UNHEALTHY, agent)
        fleet.driver.run(10)
        assert len(fleet.up) == max(3, 5 - number)
    assert fleet.up == ["i-0", "i-1", "i-2"]
    assert fleet.changes == 3


def test_a_vm_that_recovers_gives_another_its_turn_to_leave():
    fleet = Fleet(2)
    one, other = fleet.agents
    fleet.driver.want(UNHEALTHY)
    fleet.driver.run(POLL)
    assert fleet.up == ["i-1"] or fleet.up == ["i-0"]
    down, up = (one, other) if fleet.up == ["i-1"] else (other, one)

    fleet.driver.want(HEALTHY, down)
    fleet.driver.run(361)
    assert fleet.up == [down.registrar.me.server_id]
    assert up.weight == 0


def test_servers_that_are_not_ours_count():
    fleet = Fleet(2, strangers=2)
    fleet.driver.want(UNHEALTHY)
    fleet.driver.run(POLL)
    assert fleet.up == []  # the two strangers are half of the group

    fleet.servers["s-0"] = member("s-0", 0)
    fleet.driver.run(361 + POLL)
    assert len(fleet.up) == 1


def test_those_that_drain_or_are_held_leave_whatever_the_threshold():
    fleet = Fleet(4)
    fleet.driver.want(LOWER, fleet.agents[0])
    fleet.driver.want(HELD, fleet.agents[1])
    fleet.driver.want(REMOVE, fleet.agents[2])
    fleet.driver.want(Wish(Phase.HOLD, Health.UNHEALTHY), fleet.agents[3])
    fleet.driver.run(POLL)
    assert fleet.up == []
    assert set(fleet.servers) == {"i-0", "i-1", "i-3"}


def test_those_that_drain_do_not_keep_an_unhealthy_vm_from_coming_back():
    """The first by ServerId drain and will not come back: with every further read one more may."""
    fleet = Fleet(4)
    fleet.driver.want(UNHEALTHY)
    fleet.one_by_one([0, 1, 2, 3, 0, 1, 2, 3])
    assert fleet.up == []
    fleet.driver.want(LOWER, fleet.agents[0], fleet.agents[1])

    fleet.driver.run(5 * POLL)
    assert fleet.up == ["i-2", "i-3"]


def test_a_vm_that_was_never_healthy_does_not_come_back_for_others():
    fleet = Fleet(2)
    agent = fleet.driver.join(MemoryGroup(fleet.servers), Identity("i-9", None, 100))
    fleet.driver.want(UNHEALTHY)
    fleet.driver.run(3600)
    assert agent.weight == 0
    assert fleet.up == ["i-0", "i-1"]  # 2 of 3


def test_a_vm_found_in_rotation_is_protected_although_the_journal_is_lost():
    """A bad health check rolled out to VMs that were registered by hand must not end service."""
    fleet = Fleet(4)
    driver = Driver()
    for agent in fleet.agents:
        driver.join(MemoryGroup(fleet.servers), agent.registrar.me)
    driver.run(1)
    driver.want(UNHEALTHY)
    for number in [0, 1, 2, 3, 0, 1, 2, 3]:
        driver.agents[number].turn(driver.now)
    assert fleet.up == []
    driver.run(3 * POLL)
    assert len(fleet.up) >= 2


def test_a_threshold_of_0_turns_it_off():
    fleet = Fleet(3, Policy("weight_zero", 0))
    fleet.driver.want(UNHEALTHY)
    fleet.driver.run(3600)
    assert fleet.up == []
    assert fleet.changes == 3


def test_a_threshold_of_100_lets_nobody_leave_for_its_health():
    fleet = Fleet(3, Policy("weight_zero", 100))
    fleet.driver.want(UNHEALTHY)
    fleet.driver.run(3600)
    assert len(fleet.up) == 3
    assert fleet.changes == 0


def test_with_policy_remove_those_that_left_still_count():
    """Found by this test: each that left made the group smaller, until one was left of eight."""
    fleet = Fleet(8, Policy("remove", 50))
    fleet.driver.run(40)  # every agent has seen all eight
    for agent in fleet.agents:
        fleet.driver.want(UNHEALTHY, agent)
        fleet.driver.run(7)
    fleet.driver.run(6 * 3600)
    assert len(fleet.up) == 4

    fleet.driver.want(HEALTHY)
    fleet.driver.run(361)
    assert len(fleet.up) == 8


def test_with_policy_remove_a_group_that_was_made_smaller_counts_as_such_after_a_while():
    fleet = Fleet(8, Policy("remove", 50))
    for agent in fleet.agents[2:]:
        fleet.driver.want(REMOVE, agent)
    fleet.driver.run(2 * 3600)
    fleet.driver.want(UNHEALTHY, fleet.agents[0])
    fleet.driver.run(10)
    assert fleet.up == ["i-1"]


def test_with_policy_remove_all_that_left_at_once_come_back_in_turn():
    fleet = Fleet(4, Policy("remove", 50))
    fleet.driver.want(UNHEALTHY)
    fleet.one_by_one([0, 1, 2, 3, 0, 1, 2, 3])
    assert fleet.up == []
    fleet.driver.run(6 * POLL)
    assert len(fleet.up) == 2
    before = fleet.changes
    fleet.driver.run(3600)
    assert fleet.changes == before


def test_policy_ignore_changes_nothing():
    fleet = Fleet(3, Policy("ignore", 50))
    fleet.driver.want(UNHEALTHY)
    fleet.driver.run(3600)
    assert fleet.changes == 0


def test_while_the_floor_is_broken_every_agent_looks_at_its_usual_interval():
    """Nobody may sleep for 300 s while too few are in rotation."""
    fleet = Fleet(1)
    # Ten servers that are out and stay out stand before this VM: its turn comes late.
    for number in range(10):
        fleet.servers[f"a-{number}"] = member(f"a-{number}")
    fleet.driver.run(361)
    fleet.driver.want(UNHEALTHY)
    fleet.driver.run(1)
    assert fleet.up == []
    for number in range(10):
        fleet.servers[f"a-{number}"] = member(f"a-{number}", 0)
    changed = fleet.driver.now
    fleet.driver.run(361 + 6 * POLL)

    (agent,) = fleet.agents
    seen = agent.times(Op.FIND, since=changed)[0]
    restored = agent.times(Op.SET_WEIGHT)[-1]
    assert fleet.up == ["i-0"]
    assert 4 * 24 <= restored - seen <= 5 * POLL  # the sixth read


wishes = st.sampled_from([HEALTHY, UNHEALTHY, HEALTHY, UNHEALTHY, LOWER, HELD, REMOVE])


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    size=st.integers(2, 6),
    threshold=st.sampled_from([0, 20, 50, 80, 100]),
    script=st.lists(st.tuples(st.integers(0, 5), wishes, st.floats(0, 45)), max_size=14),
)
def test_a_fleet_ends_with_all_that_can_serve_and_never_below_the_floor(size, threshold, script):
    fleet = Fleet(size, Policy("weight_zero", threshold))
    for number, wish, seconds in script:
        fleet.driver.want(wish, fleet.agents[number % size])
        fleet.driver.run(seconds)
    fleet.driver.run(400 + 2 * POLL * size)

    present = [agent for agent in fleet.agents if agent.weight is not None]
    healthy = {a.registrar.me.server_id for a in present if a.wish == HEALTHY}
    willing = {a.registrar.me.server_id for a in present if a.wish.phase is Phase.SERVE}
    assert healthy <= set(fleet.up) <= willing
    needed = -(-threshold * len(fleet.servers) // 100)
    assert len(fleet.up) >= min(needed, len(willing))
    # At rest: no two agents work against each other.
    before = fleet.changes
    fleet.driver.run(1200)
    assert fleet.changes == before


def test_agents_of_real_groups_keep_the_floor(world: World):
    agents = [world.serving(server_id=name, marker=f"bosh/{name}") for name in _three(world)]
    for agent in agents:
        world.driver.want(UNHEALTHY, agent)
        world.driver.run(2)
    # 5 servers, 3 needed: the two strangers and one of ours.
    up = [one.server_id for one in world.servers.servers() if one.weight > 0]
    assert len(up) == 3
    assert {"i-other-1", "i-other-2"} < set(up)


def _three(world: World) -> list[str]:
    names = ["i-self", "i-mate-1", "i-mate-2"]
    for name in names[1:]:
        world.account.add_instance(name)
    return names


def test_every_order_is_tried():
    assert len(list(interleavings(2, 2))) == 6
    assert len(set(interleavings(4, 2))) == 2520
    # https://oeis.org/A079144: as many as there are labelled interval orders.
    assert [len(different_orders(size)) for size in (2, 3, 4)] == [3, 19, 207]
    assert set(interleavings(2, 1)) == set(itertools.permutations(range(2)))
