"""Sums the outcomes of one method in one scene over their seeds: one play asks too little."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.traffic.outcome import Outcome
from tests.bench.traffic.table import name


@dataclass(frozen=True)
class Total:
    """The plays of one method, and all that was asked in them."""

    method: str
    seeds: Sequence[int]
    """Of the plays that count."""
    asked: int
    failed: int
    verdicts: Mapping[str, int]
    void: int
    """Plays that tell nothing and are not counted."""

    def __str__(self) -> str:
        plays = f"{len(self.seeds)} play{'' if len(self.seeds) == 1 else 's'}"
        void = f"; {self.void} more void, not counted" if self.void else ""
        return f"{self.method}: {self.failed:,} of {self.asked:,} failed in {plays}{void}"


def totals(scene: Iterable[Outcome]) -> list[Total]:
    """One for each method (and min_wait), in the order of their first plays."""
    by_method: dict[str, list[Outcome]] = {}
    for one in scene:
        by_method.setdefault(name(one.setting), []).append(one)
    return [_total(method, plays) for method, plays in by_method.items()]


def _total(method: str, plays: Sequence[Outcome]) -> Total:
    counted = [one for one in plays if not one.why_void]
    verdicts: Counter[str] = Counter()
    for one in counted:
        verdicts.update(one.verdicts)
    return Total(
        method=method,
        seeds=[one.setting.seed for one in counted],
        asked=sum(one.asked for one in counted),
        failed=sum(one.failed for one in counted),
        verdicts=dict(verdicts),
        void=len(plays) - len(counted),
    )
