"""One cell of the matrix: a fault, a phase of a VM's life, a kind of server group.

In the end the VM is in service once, or out entirely. Others are untouched, what was wrong is told
in one line and not in thousands, and the calls are few enough for an account with a whole fleet.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator

from tests.faults.pairwise import Parts
from tests.faults.room import room
from tests.faults.stage import Stage
from tests.faults.troubles import TROUBLES, Trouble, lift
from tests.faults.undocumented import UNDOCUMENTED
from tests.faults.vm import DRAIN, QUICK, Vm
from tests.unit.every_kind import KINDS, Kind

from slb_registration.model.health import Health
from slb_registration.pacing.backoff import URGENT_RECHECK_SECONDS

LASTS_SECONDS = 45.0
RECOVERY_SECONDS = 420.0
"""What cannot succeed is looked at again every five minutes, give or take a fifth."""

MOST_LINES = 40
MOST_REPEATS = 6
MOST_CALLS_A_MINUTE = 60  # of one server group
GROUP_IDS = ("VServerGroupId", "ServerGroupId", "LoadBalancerId")


def serving(stage: Stage, vm: Vm) -> None:
    """The VM as an earlier start left it: in service, and the journal knows."""
    stage.put_in(stage.first)
    vm.start(stage.first)
    assert vm.run(60, lambda: vm.in_service)
    assert not stage.writes()


def lasts(stage: Stage, vm: Vm, trouble: Trouble, done: Callable[[], bool]) -> None:
    """The fault goes on for a while, and goes; one that is borne hinders nothing to be `done`."""
    assert not vm.run(LASTS_SECONDS, lambda: lied(stage, vm)), "drained, and in rotation"
    assert done() or not trouble.borne
    lift(stage)


def lied(stage: Stage, vm: Vm) -> bool:
    """Whether it is said that this VM is out, and it is not; the API may have said so itself."""
    statuses = vm.statuses.values()
    said = vm.phases.drained and not any("NotFound" in str(one.error) for one in statuses)
    return said and stage.weight(stage.first) not in ((None, 0) if vm.phases.keeps else (None,))


def recovered(vm: Vm, stage: Stage, weight: int | None = 100) -> bool:
    """Whether it is as it should be in the account, and the agent knows it within its time."""
    done = vm.run(
        RECOVERY_SECONDS,
        lambda: stage.weight(stage.first) == weight and (weight != 100 or vm.in_service),
    )
    vm.run(20)
    return done and stage.weight(stage.first) == weight


def start(stage: Stage, vm: Vm, trouble: Trouble) -> None:
    trouble.begin(stage)
    vm.start(stage.first)
    lasts(stage, vm, trouble, lambda: vm.in_service)
    assert recovered(vm, stage)


def in_service(stage: Stage, vm: Vm, trouble: Trouble) -> None:
    serving(stage, vm)
    trouble.begin(stage)
    lasts(stage, vm, trouble, lambda: vm.in_service)
    assert stage.weight(stage.first) == 100
    assert recovered(vm, stage)
    assert not stage.writes()  # what is right is left alone, whatever the API says meanwhile


def unhealthy(stage: Stage, vm: Vm, trouble: Trouble) -> None:
    serving(stage, vm)
    trouble.begin(stage)
    vm.health = Health.UNHEALTHY
    low = 100 if trouble.alone else 0  # who is alone stays: nobody would be left
    lasts(stage, vm, trouble, lambda: stage.weight(stage.first) == low)
    assert recovered(vm, stage, weight=low)
    vm.health = Health.HEALTHY
    assert recovered(vm, stage)


def drain(stage: Stage, vm: Vm, trouble: Trouble) -> None:
    serving(stage, vm)
    trouble.begin(stage)
    vm.drain()
    lasts(stage, vm, trouble, lambda: vm.phases.drained)
    assert recovered(vm, stage, weight=None)
    # Where only reads fail it is out before that is seen.
    assert vm.run(URGENT_RECHECK_SECONDS * 1.2 + 1, lambda: vm.phases.drained)


def drain_in_vain(stage: Stage, vm: Vm, trouble: Trouble) -> None:
    """The fault outlasts drain.timeout: what remains is told, and made up for afterwards."""
    serving(stage, vm)
    trouble.begin(stage)
    vm.drain()
    assert not vm.run(DRAIN.timeout_seconds + 5, lambda: lied(stage, vm)), "drained, and in"
    (status,) = vm.statuses.values()
    drained = status.state == "drained"
    assert vm.phases.drained == drained
    if drained:
        gone_for_us = "NotFound" in str(status.error)
        assert stage.weight(stage.first) is None or gone_for_us
    elif trouble.told is not None:
        assert status.error is not None
    lift(stage)
    assert recovered(vm, stage, weight=None)


def stop(stage: Stage, vm: Vm, trouble: Trouble) -> None:
    """The agent ends without a drain; post-stop removes what it can. Then the job starts again."""
    serving(stage, vm)
    vm.stop()
    trouble.begin(stage)
    vm.drain()
    vm.start(stage.first, drain=QUICK)
    vm.run(QUICK.timeout_seconds, lambda: vm.phases.drained)
    (status,) = vm.statuses.values()
    # Either it is out, or it is said that it is not.
    assert stage.weight(stage.first) is None or status.state != "drained"
    assert status.state == "drained" or not trouble.borne
    vm.stop()
    if not trouble.borne:
        lift(stage)
    vm.pre_start()
    vm.start(stage.first)
    assert recovered(vm, stage)


def restart(stage: Stage, vm: Vm, trouble: Trouble) -> None:
    """BOSH stops the VM and starts it again: it keeps its place, unless it cannot be lowered."""
    serving(stage, vm)
    trouble.begin(stage)
    vm.pre_stop(keep=True)
    lasts(stage, vm, trouble, lambda: vm.phases.over)
    vm.drain()
    assert vm.run(RECOVERY_SECONDS, lambda: vm.phases.drained)
    assert not lied(stage, vm)
    assert stage.weight(stage.first) == 0 or not trouble.borne
    vm.stop()
    vm.pre_start()
    vm.start(stage.first)
    assert recovered(vm, stage)


def redeploy(stage: Stage, vm: Vm, trouble: Trouble) -> None:
    """The manifest names another group: out of the one, into the other."""
    serving(stage, vm)
    vm.stop()
    trouble.begin(stage)
    vm.start(stage.second)
    lasts(stage, vm, trouble, lambda: stage.weight(stage.second) == 100)
    assert vm.run(2 * RECOVERY_SECONDS, lambda: vm.in_service)
    assert stage.weight(stage.second) == 100
    assert stage.weight(stage.first) is None


def drain_before_it_is_in(stage: Stage, vm: Vm, trouble: Trouble) -> None:
    """It could not join until it is to leave: there is nothing to wait for."""
    trouble.begin(stage)
    vm.start(stage.first)
    vm.run(LASTS_SECONDS)
    vm.drain()
    assert vm.run(DRAIN.timeout_seconds, lambda: vm.phases.drained)
    assert stage.weight(stage.first) is None
    lift(stage)
    vm.run(RECOVERY_SECONDS)
    assert stage.weight(stage.first) is None


PHASES: dict[str, Callable[[Stage, Vm, Trouble], None]] = {
    "start": start,
    "in service": in_service,
    "unhealthy": unhealthy,
    "drain": drain,
    "drain in vain": drain_in_vain,
    "stop": stop,
    "restart": restart,
    "redeploy": redeploy,
}
MORE_PHASES = {**PHASES, "drain before it is in": drain_before_it_is_in}
"""With those that only some faults are played in."""


def judge(stage: Stage, vm: Vm, trouble: Trouble, *, most_lines: int = MOST_LINES) -> None:
    """What holds whatever happens."""
    stage.assert_strangers_untouched()
    text = stage.lines.getvalue()
    assert "Traceback" not in text
    assert "internal error" not in text
    assert "SECRET" not in text
    lines = vm.events
    assert len(lines) <= most_lines, text
    bad = [line for line in lines if line["level"] in ("warning", "error")]
    same = Counter(
        (line["message"], line.get("group", line.get("product")), str(line.get("error", ""))[:60])
        for line in bad
    )
    assert max(same.values(), default=0) <= MOST_REPEATS, text
    # In which VPC this VM is, is also asked for the sake of a warning: that nobody waits for.
    made = (call for call in stage.gateway.calls.all() if not call.action.endswith("/vpc-id"))
    struck = [call for call in made if call.status != 200]
    held = Counter(line["group"] for line in bad if "holds this VM's" in line["message"])
    assert max(held.values(), default=1) == 1, text
    if trouble.told is not None and (struck or stage.wire.trouble or trouble in UNDOCUMENTED):
        assert any(re.search(trouble.told, json.dumps(line)) for line in bad), text
    assert_looked_before_writing_again(stage)
    assert busiest_minute(stage) <= MOST_CALLS_A_MINUTE * max(1, stage.groups_used), stage.made()


def assert_looked_before_writing_again(stage: Stage) -> None:
    """A write that failed may have been made: nothing is written to its group before a read."""
    doubtful: set[str] = set()
    for call in stage.gateway.calls.all():
        group = next((call.params[name] for name in GROUP_IDS if name in call.params), "")
        if call.action.startswith(("Describe", "List")):
            doubtful.discard(group)
        elif call.action.startswith(("Add", "Set", "Update", "Remove")):
            assert group not in doubtful, (group, stage.made())
            if call.status != 200 and not str(call.code).startswith("Throttling"):
                doubtful.add(group)


def busiest_minute(stage: Stage) -> int:
    """The most calls of the API made within any 60 seconds, by this VM's clock."""
    times = sorted(stage.call_times())
    return max((bisect_left(times, at + 60) - i for i, at in enumerate(times)), default=0)


class Cell(Parts):
    """One cell of this matrix."""

    def play(self) -> None:
        """Raises AssertionError where the end is not right."""
        trouble, kind = _TROUBLES[self.trouble], _KINDS[self.kind]
        with room(kind, role=trouble.role, alone=trouble.alone, seed=self.seed) as (stage, vm):
            MORE_PHASES[self.phase](stage, vm, trouble)
            judge(stage, vm, trouble)


def every() -> Iterator[Cell]:
    """Every fault in every phase: in every kind of group, where it is not about some of them."""
    for trouble in _TROUBLES.values():
        for phase in trouble.phases or PHASES:
            for kind in trouble.kinds or _KINDS:
                yield Cell(trouble.name, phase, kind)


_TROUBLES = {trouble.name: trouble for trouble in (*TROUBLES, *UNDOCUMENTED)}
_KINDS: dict[str, Kind] = {kind.name: kind for kind in KINDS}
