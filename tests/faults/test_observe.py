"""A VM that only observes writes nothing, whatever fails, and whatever it is told to do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests import thorough
from tests.faults.cells import MOST_CALLS_A_MINUTE, MOST_LINES, busiest_minute
from tests.faults.room import config, room
from tests.faults.stage import Stage
from tests.faults.troubles import TROUBLES, Trouble, lift
from tests.faults.undocumented import UNDOCUMENTED
from tests.faults.vm import DRAIN, QUICK, Vm
from tests.unit.every_kind import KINDS

from slb_registration.model.health import Health

EVERY = {f"{one.name}-{kind.name}": (one, kind) for one in (*TROUBLES, *UNDOCUMENTED)
         for kind in KINDS if not one.kinds or kind.name in one.kinds}  # fmt: skip
FEW = list(EVERY)[::21]


@pytest.mark.parametrize("name", thorough.but(FEW, EVERY))
def test_nothing_is_written_under_any_fault_in_any_phase(name: str) -> None:
    trouble, kind = EVERY[name]
    for there in (True, False):
        with room(kind, role=trouble.role, alone=trouble.alone) as (stage, vm):
            vm._config = replace(config(), data_dir=vm.folder, mode="observe")
            if there:
                stage.put_in(stage.first)
            before = stage.weight(stage.first)
            _live(stage, vm, trouble)
            writes = [one for one in stage.gateway.calls.all() if one.action.startswith(WRITES)]
            assert writes == []
            assert stage.weight(stage.first) == before
            _judge(stage, vm)


WRITES = ("Add", "Set", "Update", "Remove", "Modify")


def _live(stage: Stage, vm: Vm, trouble: Trouble) -> None:
    """Every phase, with the fault from the start on, and once more after it."""
    trouble.begin(stage)
    for _ in range(2):
        vm.start(stage.first)
        for health in (Health.HEALTHY, Health.UNHEALTHY, Health.HEALTHY):
            vm.health = health
            vm.run(45)
        vm.pre_stop()
        vm.run(DRAIN.timeout_seconds / 2)
        vm.drain()
        vm.run(DRAIN.timeout_seconds + 30)
        vm.stop()
        vm.start(stage.first, drain=QUICK)
        vm.run(QUICK.timeout_seconds)
        vm.stop()
        vm.pre_start()
        vm.start(stage.second)  # the manifest names another group
        vm.run(300)
        vm.stop()
        lift(stage)


def _judge(stage: Stage, vm: Vm) -> None:
    stage.assert_strangers_untouched()
    text = stage.lines.getvalue()
    assert "Traceback" not in text
    assert "internal error" not in text
    assert len(vm.events) <= 4 * MOST_LINES, text
    assert busiest_minute(stage) <= MOST_CALLS_A_MINUTE * stage.groups_used, stage.made()
