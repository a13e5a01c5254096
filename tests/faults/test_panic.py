"""All VMs of a group unhealthy together: enough stay in rotation, whoever acts when.

Enumerated, with the real registrars on a group in memory, are
- one round, a read and a write of each of 2 to 5 agents: every interleaving, save those in which
  each read sees the same writes as in another that is played (3, 19, 207 and 3451 are left, the
  number of labelled interval orders: https://oeis.org/A079144);
- several rounds, with the clock let go on for whoever is next: every interleaving of 5 such
  calls of 2 agents (252), and of 3 calls of 3 agents (1680).
From each end the fleet goes on by itself, save from those in which the servers, and what every
agent is about to do, are as in another. What each has read may differ: nobody writes again without
a read of its own, which is asserted here, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import pytest
from tests import thorough
from tests.unit.driver import UNHEALTHY, Agent, Driver, MemoryGroup, member

from slb_registration.model.identity import Identity
from slb_registration.model.operations import WRITES, Op
from slb_registration.model.server_group import BackendServer, Members

Order = tuple[int, ...]
COUNTED = (Op.FIND, *WRITES)
SETTLES_SECONDS = 180.0
AT_REST_SECONDS = 1200.0


class Fleet:
    """VMs in rotation, all of which have just become unhealthy."""

    def __init__(self, size: int) -> None:
        self.servers: dict[str, BackendServer] = {
            f"i-{number}": member(f"i-{number}") for number in range(size)
        }
        self.needed = math.ceil(size / 2)
        self.driver = Driver()
        for number in range(size):
            me = Identity(f"i-{number}", None, 100)
            self.driver.join(MemoryGroup(self.servers), me, served=True).wish = UNHEALTHY

    def play(self, order: Order) -> None:
        """Let these agents, in this order, each make its next read or write, when that is due."""
        for number in order:
            agent = self.driver.agents[number]
            made = len(agent.ops(*COUNTED))
            while len(agent.ops(*COUNTED)) == made:
                self.driver.now = max(self.driver.now, agent.due)
                agent.turn(self.driver.now)

    def take_in_answers(self) -> None:
        """Every agent learns what came of its last call, before time goes on."""
        for agent in self.driver.agents:
            agent.registrar.step(self.driver.now, agent.random, agent.answer)
            agent.answer, agent.due = None, self.driver.now

    @property
    def up(self) -> int:
        return sum(server.weight > 0 for server in self.servers.values())

    @property
    def state(self) -> tuple[object, ...]:
        """The servers, and what the agents are about to do."""
        weights = tuple(server.weight for _, server in sorted(self.servers.items()))
        return weights, *(_about_to_do(agent) for agent in self.driver.agents)

    def assert_ends_well(self, order: Order) -> None:
        self.driver.run(SETTLES_SECONDS)
        assert self.up >= self.needed, order
        weights, writes = self.state[0], self._writes()
        self.driver.run(AT_REST_SECONDS)
        assert self.state[0] == weights, order
        assert self._writes() == writes, order
        assert writes <= 3 * len(self.driver.agents), order
        for agent in self.driver.agents:
            ops = agent.ops(*COUNTED)
            assert all(Op.FIND in pair for pair in pairwise(ops)), (order, ops)

    def _writes(self) -> int:
        return sum(len(agent.writes()) for agent in self.driver.agents)


def _about_to_do(agent: Agent) -> tuple[object, ...]:
    registrar = agent.registrar
    asked = agent.calls[-1][1].op if agent.answer is not None else None
    return (
        asked,
        registrar.group.observed.stale,
        registrar.group.panic.state,
        agent.answer if isinstance(agent.answer, Members) else None,
    )


@lru_cache(8)
def one_round(size: int) -> tuple[Order, ...]:
    """One order for each way in which reads can see writes."""

    def go_on(
        order: Order, seen: dict[int, frozenset[int]], written: frozenset[int]
    ) -> Iterator[Order]:
        key = (tuple(sorted(seen.items())), written)
        if key in known:
            return
        known.add(key)
        if len(written) == size:
            yield order
        for number in range(size):
            if number not in seen:
                yield from go_on((*order, number), {**seen, number: written}, written)
            elif number not in written:
                yield from go_on((*order, number), seen, written | {number})

    known: set[object] = set()
    return tuple(go_on((), {}, frozenset()))


def rounds(left: Order, done: Order = ()) -> Iterator[Order]:
    """Every order in which agents can make so many calls each."""
    if not any(left):
        yield done
    for number, some in enumerate(left):
        if some:
            yield from rounds((*left[:number], some - 1, *left[number + 1 :]), (*done, number))


@pytest.mark.parametrize("size", thorough.but([2, 3, 4], [2, 3, 4, 5]))
def test_in_every_order_of_one_read_and_one_write_each(size: int) -> None:
    ended: set[tuple[object, ...]] = set()
    worst = size
    for order in one_round(size):
        fleet = Fleet(size)
        fleet.play(order)
        worst = min(worst, fleet.up)
        fleet.take_in_answers()
        if fleet.state not in ended:
            ended.add(fleet.state)
            fleet.assert_ends_well(order)
    assert worst == 0  # the race is real: all may have read before any wrote


@pytest.mark.parametrize("calls", [(5, 5), (3, 3, 3)], ids=["2 agents", "3 agents"])
def test_in_every_order_of_several_rounds(calls: Order) -> None:
    ended: set[tuple[object, ...]] = set()
    for order in rounds(calls):
        fleet = Fleet(len(calls))
        fleet.play(order)
        if fleet.state not in ended:
            ended.add(fleet.state)
            fleet.assert_ends_well(order)


def test_what_is_enumerated_is_as_much_as_is_said() -> None:
    assert [len(one_round(size)) for size in (2, 3, 4, 5)] == [3, 19, 207, 3451]
    assert [sum(1 for _ in rounds(calls)) for calls in ((5, 5), (3, 3, 3))] == [252, 1680]
