"""The figures of one cell, out of what its client has written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.traffic.client import Line
from tests.bench.traffic.verdict import ANSWERED

REAL = "real load balancers"
"""In the place of a product that is simulated."""
LATE_SEND_SECONDS = 0.05
MOST_LATE_SENDS = 0.05
"""A client that sends more of its requests late than this has not kept its rate."""
LEAST_ANSWERED = 0.5
SHARE_WINDOW_SECONDS = 2.0
LEAST_SHARE = 0.5


@dataclass(frozen=True)
class Setting:
    """What is measured in a cell."""

    product: str
    play: str
    method: str
    lag_seconds: float | None
    """None where it is not known."""
    seed: int
    max_in_flight: int | None = None
    """None where the play decides."""
    min_wait: float | None = None
    """drain.min_wait; None: the job's default."""
    fault: str = ""

    @property
    def scene(self) -> tuple[object, ...]:
        """What is the same for all methods that are compared."""
        return self.product, self.play, self.max_in_flight, self.lag_seconds, self.fault


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    setting: Setting
    asked: int
    verdicts: Mapping[str, int]
    streams: Mapping[str, int]
    """How streams ended; answered: with a goodbye, or with the client."""
    late_sends: int
    p50_seconds: float
    p99_seconds: float
    """Beyond what each answer was asked to take."""
    play_seconds: float
    share_seconds: Sequence[float]
    """Until each VM that was started had half of its share of the answers."""
    failures: Sequence[Mapping[str, object]] = ()
    events: Sequence[Mapping[str, object]] = ()
    trouble: str = ""
    """Why the play did not come to its end."""
    why_void: str = ""
    """Why its figures tell nothing."""

    @property
    def failed(self) -> int:
        """Requests without a complete and right answer in time."""
        return self.asked - self.verdicts.get(ANSWERED, 0)


def read_lines(path: Path) -> list[Line]:
    """What a client has written."""
    return [Line(**json.loads(line)) for line in path.read_text().splitlines()]


def figures(
    setting: Setting,
    lines: Iterable[Line],
    *,
    rate: float,
    size: int,
    began: float,
    play_seconds: float,
    starts: Mapping[str, float],
    events: Sequence[Mapping[str, object]] = (),
    trouble: str = "",
) -> Outcome:
    """`began`: the moment of the play's begin. `starts`: of the VMs' starts, by instance."""
    known = list(lines)
    asked = [line for line in known if line.kind != "stream"]
    verdicts = Counter(line.verdict for line in asked)
    answered = [line for line in asked if line.verdict == ANSWERED]
    extra = sorted(line.extra_seconds for line in answered)
    late = sum(line.behind_seconds > LATE_SEND_SECONDS for line in asked)
    shares = (until_share(answered, instance, at, rate / size) for instance, at in starts.items())
    return Outcome(
        setting=setting,
        asked=len(asked),
        verdicts=dict(verdicts),
        streams=dict(Counter(line.verdict for line in known if line.kind == "stream")),
        late_sends=late,
        p50_seconds=_at(extra, 0.5),
        p99_seconds=_at(extra, 0.99),
        play_seconds=round(play_seconds, 1),
        share_seconds=[round(one, 1) for one in shares if one is not None],
        failures=[_failure(line, began) for line in known if line.verdict != ANSWERED],
        events=events,
        trouble=trouble,
        why_void=_why_void(len(asked), len(answered), late, trouble),
    )


def until_share(
    answered: Iterable[Line], instance: str, start: float, fair_rate: float
) -> float | None:
    """Seconds from a VM's start until it has half of its share; None where it never had."""
    moments = sorted(line.at for line in answered if line.server == instance and line.at >= start)
    needed = max(1, round(fair_rate * SHARE_WINDOW_SECONDS * LEAST_SHARE))
    for first, last in zip(moments, moments[needed - 1 :], strict=False):
        if last - first <= SHARE_WINDOW_SECONDS:
            return last - start
    return None


def void_scenes(outcomes: Iterable[Outcome], naive: set[str]) -> set[tuple[object, ...]]:
    """The scenes that show nothing: there are naive methods in them, which have lost nothing."""
    lost: dict[tuple[object, ...], int] = {}
    for one in outcomes:
        if one.setting.method in naive:
            scene = one.setting.scene
            lost[scene] = lost.get(scene, 0) + one.failed
    return {scene for scene, failed in lost.items() if not failed}


def _why_void(asked: int, answered: int, late: int, trouble: str) -> str:
    if trouble:
        return trouble
    if answered < LEAST_ANSWERED * asked or not asked:
        return f"only {answered} of {asked} were answered"
    if late > MOST_LATE_SENDS * asked:
        return f"{late} of {asked} were sent late"
    return ""


def _failure(line: Line, began: float) -> dict[str, object]:
    return {
        "at_seconds": round(line.at - began, 3),
        "kind": line.kind,
        "verdict": line.verdict,
        "listener": line.target,
        "kept": line.kept,
        "method": line.method,
        "server": line.server,
    }


def _at(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0
