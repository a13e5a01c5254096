"""The process dies at any point of a VM's life, and is started again: the end is the same."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from tests import thorough
from tests.faults.budget import SOAK_SECONDS
from tests.faults.death import Death, Reaper
from tests.faults.room import room
from tests.faults.stage import Stage
from tests.faults.vm import Vm
from tests.unit.every_kind import KINDS, Kind

from slb_registration.model.health import Health

FAIR_SECONDS = 300.0
CHANGES = re.compile("Add|Set|Update|Remove|writing")
"""The points around what changes the account or the disk. A process that dies between two changes
leaves the same of both: the points around reads are for `make soak`."""

SHARES = 3
"""Each kind plays every third of these points, and each product has a kind for each third; `make
soak` plays all of them in every kind."""

ONE_A_SHARE = (KINDS[0], KINDS[4], KINDS[8])

Act = Callable[[Stage, Vm], bool]
"""One step of a life: what is begun, and whether it has come to its end."""


def _starts(*names: str, health: Health | None = None) -> Act:
    def act(stage: Stage, vm: Vm) -> bool:
        if health is not None:
            vm.health = health
        if vm.membership is None:
            vm.start(*(getattr(stage, name) for name in names))
        weight = 100 if vm.health is Health.HEALTHY else 0
        wanted = {name: weight if name in names else None for name in ("first", "second")}
        return vm.run(FAIR_SECONDS, lambda: _weights(stage) == wanted)

    return act


def _weights(stage: Stage) -> dict[str, int | None]:
    return {"first": stage.weight(stage.first), "second": stage.weight(stage.second)}


def _redeploys(stage: Stage, vm: Vm) -> bool:
    vm.stop()
    return True


def _drains(stage: Stage, vm: Vm) -> bool:
    vm.drain()
    if vm.membership is None:
        vm.start(stage.second)
    return vm.run(120, lambda: vm.phases.drained)


LIFE: dict[str, Act] = {
    "registers with weight 0": _starts("first", health=Health.UNKNOWN),
    "is raised": _starts("first", health=Health.HEALTHY),
    "is lowered": _starts("first", health=Health.UNHEALTHY),
    "is raised again": _starts("first", health=Health.HEALTHY),
    "is stopped for a redeploy": _redeploys,
    "has left one group and joined another": _starts("second"),
    "is drained": _drains,
}


LEAVES = "has left one group and joined another"
END: dict[str, int | None] = {"first": None, "second": None}


def live(stage: Stage, vm: Vm, reaper: Reaper, *, redeployed: bool) -> None:
    """A life from its start to its drain. What dies is started again, and goes on.

    `redeployed`: it is started again with the next manifest, as where a deploy goes on.
    """
    steps = list(LIFE)
    with reaper.around(stage.wire):
        while steps:
            what = steps.pop(0)
            try:
                done = LIFE[what](stage, vm)
            except Death:
                vm.stop()
                if redeployed and LEAVES in steps:
                    vm.health = Health.HEALTHY
                    what, *steps = steps[steps.index(LEAVES) :]
                done = LIFE[what](stage, vm)
            assert done, what
            stage.assert_strangers_untouched()


def play(kind: Kind, reaper: Reaper, *, redeployed: bool) -> None:
    with room(kind) as (stage, vm):
        live(stage, vm, reaper, redeployed=redeployed)
        assert "Traceback" not in stage.lines.getvalue()
        assert _weights(stage) == END
        assert vm.journal.entries == {}


@pytest.mark.parametrize("redeployed", [False, True], ids=["started again", "redeployed"])
@pytest.mark.parametrize("kind", thorough.but(ONE_A_SHARE, KINDS), ids=lambda kind: kind.name)
def test_wherever_the_process_dies_the_end_is_the_same(kind: Kind, redeployed: bool) -> None:
    counted = Reaper()
    play(kind, counted, redeployed=redeployed)
    points = dict(enumerate(counted.points))
    assert len(points) > 50
    if not SOAK_SECONDS:
        changes = [number for number, point in points.items() if CHANGES.search(point)]
        points = {
            number: points[number] for number in changes[KINDS.index(kind) % SHARES :: SHARES]
        }
    wrong = {}
    for number, point in points.items():
        try:
            play(kind, Reaper(number), redeployed=redeployed)
        except AssertionError as error:
            wrong[f"{number}: {point}"] = str(error)
    assert wrong == {}
