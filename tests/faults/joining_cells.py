"""One cell of the smaller matrix: a fault of who we are and where we belong, a phase, a kind.

The ends are those of the larger one. What is asked here is asked of the metadata service, and of
the listings of what carries the tags, besides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from tests.faults.cells import RECOVERY_SECONDS, judge, recovered
from tests.faults.joiner import (
    BY_FILE,
    BY_MANIFEST,
    KINDS_BY_TAGS,
    Joiner,
    joiners_room,
    tag,
    untag,
)
from tests.faults.pairwise import Parts
from tests.faults.stage import Stage
from tests.faults.troubles import JSON, TROUBLES, Trouble, lift, on, rules
from tests.faults.vm import DRAIN, QUICK

from mock_slb.gateway.fault_presets import preset
from mock_slb.gateway.faults import Delay, Refuse, Reply, Reset

LASTS_SECONDS = 45.0
LASTS_LONG_SECONDS = 700.0
"""Two listings at least, in a VM that has found its place."""

KNOWS_BY_SECONDS = 5.0
"""leaving.METADATA_SECONDS: who does not know itself by then is drained by another process."""

MOST_LINES = 60  # the groups' own, and those of two listings
MOST_STARTS = 4
"""Of a phase: so often may it be said that the metadata service is asked again."""

LISTS = ("DescribeLoadBalancers", "ListServerGroups")
NOTHING = b'{"TotalCount": 0, "LoadBalancers": {"LoadBalancer": []}, "ServerGroups": []}'
ASKS_WHO = ("metadata:meta-data/instance-id", "metadata:meta-data/region-id")


def _tags_come_late(stage: Stage) -> None:
    """Reads lag, and the tags have just been set."""
    untag(stage, stage.first)
    stage.account.read_lag_seconds = 20.0
    tag(stage, stage.first)


def _tags_gone(stage: Stage) -> None:
    untag(stage, stage.first)


def _known(*names: str) -> tuple[Trouble, ...]:
    return tuple(trouble for trouble in TROUBLES if trouble.name in names)


BY_TAGS = tuple(kind.name for kind in KINDS_BY_TAGS)
BY_SERVER = tuple(kind.name for kind in (*BY_MANIFEST, *BY_FILE, *KINDS_BY_TAGS[2::2]))
"""In which it is asked as which server this VM stands there."""

METADATA = "metadata service"
WHO_AM_I = (
    Trouble("metadata gone", rules(preset("metadata_gone")), METADATA),
    Trouble("metadata slow", on(["metadata:*"], Delay(30.0)), METADATA),
    Trouble("metadata a bit slow", on(["metadata:*"], Delay(1.5)), None),
    Trouble("metadata without token", rules(preset("no_token_endpoint")), None),
    Trouble("no tokens for now", on(["metadata:token"], Refuse("x", 503)), METADATA),
    Trouble("token not accepted", on(["metadata:meta-data*"], Refuse("x", 401)), METADATA),
    Trouble("another's page for an id", on(ASKS_WHO, Reply(200, b"<html>login")), METADATA),
    Trouble("metadata cut", rules(preset("cut_off", "metadata:*")), METADATA),
)
ASKS_WHICH = tuple(f"metadata:meta-data/{one}" for one in ("mac", "network*", "private-ipv4"))
WHICH_SERVER = (
    Trouble("no server told", on(ASKS_WHICH, Refuse("x", 500)), METADATA),
    Trouble("no such server", on(ASKS_WHICH, Refuse("x", 404)), METADATA),
    Trouble("another's page for a server", on(ASKS_WHICH, Reply(200, b"<html>login")), None),
    Trouble("nothing for a server", on(ASKS_WHICH, Reply(200, b"")), None),
    Trouble("server told late", on(ASKS_WHICH, Delay(30.0)), METADATA),
    Trouble("one answer of a server lost", on(ASKS_WHICH, Reset(), times=1), METADATA),
)
SEARCH = (
    Trouble("search refused", on(LISTS, Refuse("Forbidden.RAM", 403)), "to the RAM policy"),
    Trouble("search throttled", on(LISTS, Refuse("Throttling.User")), "Throttling"),
    Trouble("search not answered", on(LISTS, Reset()), "NoAnswer"),
    Trouble("search too slow", on(LISTS, Delay(60.0)), "no answer within"),
    Trouble("search finds nothing", on(LISTS, Reply(200, NOTHING, JSON)), None),
    Trouble("search answers nothing", on(LISTS, Reply(200, b"{}", JSON)), None),
    Trouble("tags not seen yet", _tags_come_late, None),
    Trouble("tags removed", _tags_gone, None),
)
JOINING_TROUBLES = (
    *WHO_AM_I,
    # As which server
    *(replace(trouble, kinds=BY_SERVER) for trouble in WHICH_SERVER),
    # With what keys
    *_known("keys expired, metadata gone", "role's token expired"),
    # Where do I belong
    *SEARCH,
)
_NAMES = {trouble.name for trouble in JOINING_TROUBLES}
ALL = (*JOINING_TROUBLES, *(one for one in TROUBLES if one.name not in _NAMES))


def serving(stage: Stage, vm: Joiner) -> None:
    """The VM as an earlier start left it: found by its tags, and in service."""
    tag(stage, stage.first)
    stage.put_in(stage.first)
    vm.start()
    assert vm.run(60, lambda: vm.in_service)
    assert not stage.writes()


def mend(stage: Stage) -> None:
    lift(stage)
    tag(stage, stage.first)


def start(stage: Stage, vm: Joiner, trouble: Trouble) -> None:
    tag(stage, stage.first)
    trouble.begin(stage)
    vm.start()
    vm.run(LASTS_SECONDS)
    mend(stage)
    assert recovered(vm, stage)


def in_service(stage: Stage, vm: Joiner, trouble: Trouble) -> None:
    serving(stage, vm)
    trouble.begin(stage)
    vm.run(LASTS_LONG_SECONDS)
    assert stage.weight(stage.first) == 100
    mend(stage)
    assert recovered(vm, stage)
    assert not stage.writes()


def restart(stage: Stage, vm: Joiner, trouble: Trouble) -> None:
    """A new start, with the same manifest: what serves goes on serving."""
    serving(stage, vm)
    vm.stop()
    trouble.begin(stage)
    vm.start()
    vm.run(LASTS_SECONDS)
    assert stage.weight(stage.first) == 100
    mend(stage)
    assert recovered(vm, stage)
    assert not stage.writes()


def drain(stage: Stage, vm: Joiner, trouble: Trouble) -> None:
    serving(stage, vm)
    trouble.begin(stage)
    vm.drain()
    vm.run(LASTS_SECONDS)
    mend(stage)
    leaves(stage, vm)


def drain_of_a_new_start(stage: Stage, vm: Joiner, trouble: Trouble) -> None:
    """The agent was just started again: another process drains if it does not know who it is."""
    serving(stage, vm)
    vm.stop()
    trouble.begin(stage)
    vm.start()
    vm.drain()
    vm.run(KNOWS_BY_SECONDS)
    if not vm.knows_itself:
        vm.stop()
        vm.drain_here(DRAIN)
    vm.run(DRAIN.timeout_seconds)
    told_right(stage, vm, trouble)
    mend(stage)
    vm.stop()
    vm.start()  # as monit would have
    leaves(stage, vm)


def stop(stage: Stage, vm: Joiner, trouble: Trouble) -> None:
    """The agent ends without a drain; post-stop removes what it can. Then the job starts again."""
    serving(stage, vm)
    vm.stop()
    trouble.begin(stage)
    vm.drain()
    vm.drain_here(QUICK)
    vm.run(QUICK.timeout_seconds)
    told_right(stage, vm, trouble)
    vm.stop()
    mend(stage)
    vm.pre_start()
    vm.start()
    assert recovered(vm, stage)


def redeploy(stage: Stage, vm: Joiner, trouble: Trouble) -> None:
    """The manifest names another group, and nothing is looked for any more."""
    serving(stage, vm)
    vm.stop()
    trouble.begin(stage)
    vm.start(stage.second)
    vm.run(LASTS_SECONDS)
    mend(stage)
    assert vm.run(2 * RECOVERY_SECONDS, lambda: vm.in_service)
    assert stage.weight(stage.second) == 100
    assert stage.weight(stage.first) is None


def leaves(stage: Stage, vm: Joiner) -> None:
    """It is out before long, and knows it."""
    assert vm.run(RECOVERY_SECONDS, lambda: vm.phases.drained and stage.weight(stage.first) is None)


def told_right(stage: Stage, vm: Joiner, trouble: Trouble) -> None:
    """Either it is out, or it is said that it is not.

    Who this VM is, and where it belongs, is in its journal: that alone is enough to leave.
    """
    assert vm.refusal is None
    if trouble in WHO_AM_I or trouble.kinds == BY_SERVER:
        assert stage.weight(stage.first) is None
    gone_for_us = "NotFound" in str([status.error for status in vm.statuses_known])
    assert stage.weight(stage.first) is None or not vm.phases.drained or gone_for_us


PHASES: dict[str, Callable[[Stage, Joiner, Trouble], None]] = {
    "start": start,
    "in service": in_service,
    "restart": restart,
    "drain": drain,
    "drain of a new start": drain_of_a_new_start,
    "stop": stop,
    "redeploy": redeploy,
}


class JoiningCell(Parts):
    """One cell of this matrix."""

    def play(self) -> None:
        """Raises AssertionError where the end is not right."""
        trouble, kind = _TROUBLES[self.trouble], _KINDS[self.kind]
        with joiners_room(kind, role=trouble.role, seed=self.seed) as (stage, vm):
            PHASES[self.phase](stage, vm, trouble)
            judge(stage, vm, trouble, most_lines=MOST_LINES)
            asked = [line for line in vm.events if "asking again" in line["message"]]
            assert len(asked) <= MOST_STARTS


def every() -> Iterator[JoiningCell]:
    """Every fault that is about joining, in every phase, in every kind of group."""
    return _of(JOINING_TROUBLES)


def of_all_other_faults() -> Iterator[JoiningCell]:
    """Those of the larger matrix, which are not about joining."""
    return _of(trouble for trouble in ALL if trouble not in JOINING_TROUBLES)


def _of(troubles: Iterable[Trouble]) -> Iterator[JoiningCell]:
    return (
        JoiningCell(trouble.name, phase, kind)
        for trouble in troubles
        for phase in PHASES
        for kind in trouble.kinds or (BY_TAGS if trouble in SEARCH else _KINDS)
    )


_TROUBLES = {trouble.name: trouble for trouble in ALL}
_KINDS = {kind.name: kind for kind in (*KINDS_BY_TAGS, *BY_MANIFEST, *BY_FILE)}
