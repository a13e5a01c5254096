"""`--cloud`: the same client and figures, while an operator's commands change real VMs.

The keys of its file sign reads, and are handed to nobody: not to the commands, not to the client.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from tests.bench.traffic import options, report
from tests.bench.traffic.asking import asking
from tests.bench.traffic.cells import AFTER_SECONDS, BEFORE_SECONDS, event_of
from tests.bench.traffic.namespaces import leave_on_signals
from tests.bench.traffic.outcome import REAL, Outcome, Setting, figures, read_lines
from tests.bench.traffic.real_file import RealCloud, RealCloudError, load
from tests.bench.traffic.table import title
from tests.bench.traffic.vm import Event
from tests.bench.traffic.watching import opened, watching

from slb_registration.model.server_group import ServerGroup
from terminal import COLUMNS

METHOD = "as deployed"
_LEAVE_SECONDS = 5.0
"""What a command is given to end when the bench is ended."""


def bench(given: argparse.Namespace) -> int:
    """Play, print, write; 1 where a play has failed, after which no other is played.

    Raises RealCloudError before anything is asked, where the file or --plays is wrong.
    """
    real = load(given.cloud)
    plays = _chosen(given.plays, real.plays)
    environment = dict(os.environ)  # as it is now: the SDK's client clears proxies from it
    groups = opened(real)
    leave_on_signals()
    console = Console(width=COLUMNS, highlight=False)
    about = {"real": True, "rate": given.rate, "listeners": _shown(real)}
    outcomes: list[Outcome] = []
    todo = [(play, seed) for play in plays for seed in given.seeds]
    for number, (play, seed) in enumerate(todo, 1):
        setting = Setting(REAL, play, METHOD, None, seed)
        console.print(f"{number}/{len(todo)} {title(setting)}: {real.plays[play]}", soft_wrap=True)
        outcome = _played(setting, real, groups, given.rate, environment)
        outcomes.append(outcome)
        console.print(f"    {outcome.failed} of {outcome.asked} failed")
        report.write(given.output, outcomes, about)
        if outcome.trouble:
            break
    report.show(console, outcomes, origin=f"Real load balancers: {', '.join(_shown(real))}.")
    for play, seed in todo[len(outcomes) :]:
        console.print(f"NOT PLAYED: {play} (seed {seed}), since a play before it has failed")
    console.print(f"{given.output}/{report.NAME}", soft_wrap=True)
    return int(any(one.trouble for one in outcomes))


def _chosen(plays: str | None, known: Mapping[str, str]) -> Sequence[str]:
    if plays is None:
        return list(known)
    try:
        return options.chosen(plays, known)
    except argparse.ArgumentTypeError as error:
        raise RealCloudError(f"--plays: {error}") from None


def _shown(real: RealCloud) -> list[str]:
    return [f"{name} ({host} port {port})" for name, (host, port) in real.listeners.items()]


def _played(
    setting: Setting,
    real: RealCloud,
    groups: Sequence[ServerGroup],
    rate: float,
    environment: Mapping[str, str],
) -> Outcome:
    events: list[Event] = []
    with tempfile.TemporaryDirectory(prefix="traffic-") as folder:
        out = Path(folder) / "requests"
        with (
            watching(groups, events),
            asking(real.listeners, out, rate=rate, seed=setting.seed, path=real.path),
        ):
            time.sleep(BEFORE_SECONDS)
            began = time.time()
            trouble = _run(setting.play, real.plays[setting.play], environment, events)
            ended = time.time()
            time.sleep(AFTER_SECONDS)
        return figures(
            setting,
            read_lines(out),
            rate=rate,
            size=1,
            began=began,
            play_seconds=ended - began,
            starts={},
            events=[event_of(asdict(one), began) for one in sorted(events, key=lambda one: one.at)],
            trouble=trouble,
        )


def _run(play: str, command: str, environment: Mapping[str, str], events: list[Event]) -> str:
    """Run an operator's command to its end; returns why it has failed, empty if it has not."""
    shell = environment.get("SHELL") or "/bin/sh"
    events.append(Event(time.time(), "", f"{play} begins"))
    try:
        process = subprocess.Popen(
            [shell, "-c", command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,  # nobody is there to be asked
            stdout=sys.stderr,  # stdout is for the figures
            start_new_session=True,  # Ctrl-C is for the bench, which ends it
        )
    except OSError as error:
        return f"the shell {shell} cannot be run: {error.strerror}"
    try:
        code = process.wait()
    finally:
        _end(process)
    events.append(Event(time.time(), "", f"{play} ends with {code}"))
    if code == 0:
        return ""
    how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
    return f"the command of {play} {how}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it, if it runs, and what it has left running."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LEAVE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
