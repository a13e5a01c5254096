"""The outcomes for people and for programs: tables, totals, and bench-traffic.json."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from tests.bench.traffic.outcome import Outcome, void_scenes
from tests.bench.traffic.table import NOTES, scenes, table, title
from tests.bench.traffic.totals import totals

NAME = "bench-traffic.json"


def show(
    console: Console, outcomes: Sequence[Outcome], *, origin: str, naive: Collection[str] = ()
) -> None:
    """Print a table for each scene, and what its figures are worth.

    `origin`: a sentence on what was asked. A scene in which those who are `naive` have lost nothing
    is void.
    """
    void = void_scenes(outcomes, set(naive))
    for scene in scenes(outcomes):
        console.print(table(scene))
        for total in totals(scene):
            if len(total.seeds) + total.void > 1:
                console.print(str(total), soft_wrap=True)
        for one in scene:
            if one.why_void:
                console.print(f"VOID: {one.setting.method}: {one.why_void}")
        if scene[0].setting.scene in void:
            console.print("VOID: the naive methods have lost nothing here")
    console.print(f"\n{NOTES}\n{origin}", soft_wrap=True)


def write(folder: Path, outcomes: Sequence[Outcome], about: Mapping[str, object]) -> None:
    """Write the raw figures, beneath what they are `about`."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        **about,
        "machine": {"processors": os.cpu_count(), "python": platform.python_version()},
        "totals": [
            {"scene": title(scene[0].setting), **asdict(total)}
            for scene in scenes(outcomes)
            for total in totals(scene)
        ],
        "outcomes": [{**asdict(one), "failed": one.failed} for one in outcomes],
    }
    (folder / NAME).write_text(json.dumps(document, indent=1) + "\n")
