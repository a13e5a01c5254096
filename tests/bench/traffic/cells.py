"""Runs one play with one method, in clouds and on VMs of its own."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tests.bench.traffic.asking import asking
from tests.bench.traffic.cloud import cloud
from tests.bench.traffic.methods import METHODS
from tests.bench.traffic.outcome import Outcome, Setting, figures, read_lines
from tests.bench.traffic.plays import PLAYS, Fleet
from tests.bench.traffic.vm import Bench, StepError, render_config

BEFORE_SECONDS, AFTER_SECONDS = 5.0, 5.0
"""That all is asked before and after the play."""
_IN_SERVICE_SECONDS = 120.0
_BACK_SECONDS = 60.0


def run(setting: Setting, *, rate: float, size: int) -> Outcome:
    """Play it. A play that breaks off is an outcome, too."""
    method = METHODS[setting.method]
    with (
        tempfile.TemporaryDirectory(prefix="traffic-") as name,
        cloud(setting.product, setting.lag_seconds) as made,
    ):
        folder = Path(name)
        config = render_config(made, folder, setting.min_wait)
        bench = Bench(made, folder, config)
        fleet = Fleet(bench, method, size, setting.max_in_flight)
        try:
            fleet.deploy()
            made.wait_until_serving(fleet.instances, _IN_SERVICE_SECONDS)
            return _measured(setting, fleet, folder / "requests", rate)
        finally:
            fleet.close()


def _measured(setting: Setting, fleet: Fleet, out: Path, rate: float) -> Outcome:
    made = fleet.cloud
    fleet.starts.clear()
    with asking(made.listeners(), out, rate=rate, seed=setting.seed):
        time.sleep(BEFORE_SECONDS)
        began = time.time()
        mend = made.spoil(setting.fault)
        trouble = _play(setting, fleet)
        ended = time.time()
        mend.cancel()
        trouble = trouble or _come_back(fleet)
        time.sleep(AFTER_SECONDS + (setting.lag_seconds or 0.0))
    return figures(
        setting,
        read_lines(out),
        rate=rate,
        size=fleet.size,
        began=began,
        play_seconds=ended - began,
        starts=fleet.starts,
        events=[event_of(asdict(one), began) for one in fleet.bench.events if one.at >= began],
        trouble=trouble,
    )


def _play(setting: Setting, fleet: Fleet) -> str:
    try:
        PLAYS[setting.play].act(fleet)
    except (StepError, subprocess.TimeoutExpired) as error:
        return str(error)
    return ""


def _come_back(fleet: Fleet) -> str:
    try:
        fleet.cloud.wait_until_serving(fleet.instances, _BACK_SECONDS)
    except TimeoutError as error:
        return f"after the play, {error}"
    return ""


def event_of(event: Mapping[str, object], began: float) -> dict[str, object]:
    """What is told of an event: its moment is in seconds since the play began."""
    at = event["at"]
    assert isinstance(at, float)
    return {"at_seconds": round(at - began, 3), "vm": event["vm"], "what": event["what"]}
