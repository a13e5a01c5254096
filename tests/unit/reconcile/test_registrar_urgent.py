"""What takes this VM out of rotation is tried again soon, and its way out does not need reads."""

from __future__ import annotations

from random import Random

import pytest
from tests.unit.driver import HEALTHY, HELD, LOWER, REMOVE, UNHEALTHY, failure

from slb_registration.model.desired import Policy, Wish
from slb_registration.model.errors import Kind
from slb_registration.model.identity import Identity
from slb_registration.model.operations import Call, Op, Wait
from slb_registration.model.server_group import BackendServer, Members
from slb_registration.pacing.backoff import RECHECK_SECONDS, URGENT_RECHECK_SECONDS
from slb_registration.pacing.quotas import ALONE, Fleet
from slb_registration.pacing.windows import URGENT_SECONDS
from slb_registration.reconcile.registrar import Registrar

NOW = 1000.0
ME = Identity("i-self", 80, 100, marker="bosh/1", replaces=True)
OTHERS = tuple(BackendServer(f"i-{number}", 80, 100) for number in range(3))
PREDECESSOR = BackendServer("i-before", 80, 100, "bosh/1")


class Latest(Random):
    """Always the latest moment that there may be."""

    def uniform(self, a: float, b: float) -> float:
        return b


LATEST = Latest()


def registrar(
    wish: Wish, *servers: BackendServer, fleet: Fleet = ALONE, drain_seconds: float = 0.0
) -> Registrar:
    """One of a VM that served, with this wish, to which a read has just shown these servers."""
    one = Registrar(
        ME, Policy(), interval=30.0, served=True, fleet=fleet, drain_seconds=drain_seconds
    )
    assert one.step(NOW - 1, LATEST) == Call(Op.FIND)
    one.step(NOW - 1, LATEST, Members((*OTHERS, *servers)))
    one.want(wish)
    return one


def fails(one: Registrar, op: Op, kind: Kind) -> float:
    """Let calls succeed until one of `op` is made, and that one fail: seconds until the next."""
    call = one.step(NOW, LATEST)
    for _ in range(3):
        assert isinstance(call, Call)
        if call.op is op:
            one.step(NOW, LATEST, failure(kind))
            return one.pacer.not_before(op) - NOW
        assert call.op is Op.FIND
        assert one.members is not None
        call = one.step(NOW, LATEST, one.members)
    raise AssertionError(f"{op} was not made")


URGENT, USUAL = pytest.approx(1.2 * URGENT_RECHECK_SECONDS), pytest.approx(1.2 * RECHECK_SECONDS)


@pytest.mark.parametrize(
    ("wish", "servers", "op", "again"),
    [
        (HEALTHY, [], Op.ADD, USUAL),
        (HEALTHY, [ME.server(0)], Op.SET_WEIGHT, USUAL),
        (HEALTHY, [ME.server(100), PREDECESSOR], Op.REMOVE, USUAL),
        (UNHEALTHY, [ME.server(100)], Op.FIND, URGENT),
        (UNHEALTHY, [ME.server(100)], Op.SET_WEIGHT, URGENT),
        (HELD, [ME.server(100)], Op.FIND, URGENT),
        (HELD, [ME.server(100)], Op.SET_WEIGHT, URGENT),
        (LOWER, [ME.server(100)], Op.FIND, URGENT),
        (LOWER, [ME.server(100)], Op.SET_WEIGHT, URGENT),
        (REMOVE, [ME.server(0)], Op.REMOVE, URGENT),
    ],
)
def test_only_what_takes_this_vm_out_is_urgent(
    wish: Wish, servers: list[BackendServer], op: Op, again: object
) -> None:
    one = registrar(HEALTHY, *servers)
    one.want(wish)
    assert fails(one, op, Kind.DENIED) == again


@pytest.mark.parametrize(("wish", "weight"), [(HELD, 0), (LOWER, 0), (HEALTHY, 100)])
def test_polls_of_a_vm_that_is_as_far_out_as_it_is_to_be_are_not(wish: Wish, weight: int) -> None:
    one = registrar(wish, ME.server(weight))
    call = one.step(NOW, LATEST)
    while isinstance(call, Call):
        assert one.members is not None
        call = one.step(NOW, LATEST, one.members if call.op is Op.FIND else [])  # type: ignore[arg-type]
    assert one.step(one.pacer.next_read, LATEST) == Call(Op.FIND)
    at = one.pacer.next_read
    one.step(at, LATEST, failure(Kind.DENIED))
    assert one.pacer.not_before(Op.FIND) - at == USUAL


class TestTheWayOut:
    """Of a VM that was seen in the group, where the read before the change fails."""

    @pytest.mark.parametrize("kind", [Kind.UNAVAILABLE, Kind.LOST, Kind.DENIED, Kind.THROTTLED])
    def test_of_a_drain_is_what_was_read_before(self, kind: Kind) -> None:
        one = registrar(LOWER, ME.server(100))
        assert one.step(NOW, LATEST) == Call(Op.FIND)
        assert one.step(NOW, LATEST, failure(kind)) == Call(Op.SET_WEIGHT, ME.server(0))

    def test_is_none_where_the_group_is_missing(self) -> None:
        one = registrar(LOWER, ME.server(100))
        assert one.step(NOW, LATEST) == Call(Op.FIND)
        wait = one.step(NOW, LATEST, failure(Kind.NOT_FOUND))
        assert isinstance(wait, Wait)
        assert one.way_out is None
        assert one.step(wait.until, LATEST) == Call(Op.FIND)

    @pytest.mark.parametrize("wish", [HELD, UNHEALTHY])
    def test_is_none_where_this_vm_stays(self, wish: Wish) -> None:
        one = registrar(wish, ME.server(100))
        assert one.step(NOW, LATEST) == Call(Op.FIND)
        assert isinstance(one.step(NOW, LATEST, failure(Kind.UNAVAILABLE)), Wait)

    def test_is_none_while_reads_come_through(self) -> None:
        one = registrar(LOWER, ME.server(100))
        assert one.way_out is None

    def test_is_none_while_it_is_not_known_what_came_of_a_change(self) -> None:
        one = registrar(REMOVE, ME.server(0))
        assert one.step(NOW, LATEST) == Call(Op.REMOVE, ME.server(0))
        assert one.step(NOW, LATEST, failure(Kind.LOST)) == Call(Op.FIND)
        assert isinstance(one.step(NOW, LATEST, failure(Kind.UNAVAILABLE)), Wait)
        assert one.way_out is None


SIZE = 300
WHOLE_SECONDS = 140.0
"""Of a fleet of that size: 300 writes at 90 a minute take 200 s, of which a bucket holds 60."""


@pytest.mark.parametrize(
    ("wish", "drain_seconds", "window"),
    [
        (LOWER, 2 * WHOLE_SECONDS, WHOLE_SECONDS),
        (LOWER, 2 * WHOLE_SECONDS - 1, URGENT_SECONDS),
        (LOWER, 0.0, URGENT_SECONDS),
        (HELD, 10 * WHOLE_SECONDS, URGENT_SECONDS),  # an operator waits, and no drain.timeout runs
    ],
)
def test_after_a_refused_read_a_drain_takes_its_turn_in_half_of_its_time_if_all_have_one_in_it(
    wish: Wish, drain_seconds: float, window: float
) -> None:
    one = registrar(wish, ME.server(100), fleet=Fleet(SIZE), drain_seconds=drain_seconds)
    fails(one, Op.FIND, Kind.THROTTLED)
    assert one.pacer.not_before(Op.SET_WEIGHT) == pytest.approx(NOW + window)
