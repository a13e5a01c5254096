"""`make bench-traffic`: what users notice while VMs restart, are replaced and fail.

Each VM has a network namespace with its own address, a service, and the agent as the release ships
it, with its default properties. A client asks at a steady rate and tries nothing twice. Load
balancers are mocked; HAProxy forwards for them. Needs root. Figures, never assertions.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from rich.console import Console
from tests.bench.traffic import cells, namespaces, options, real, report
from tests.bench.traffic.methods import METHODS
from tests.bench.traffic.outcome import Outcome, Setting
from tests.bench.traffic.plays import PLAYS
from tests.bench.traffic.table import scenes, title
from tests.bench.traffic.vm import StepError

from demo.workshop import ToolError
from mock_slb.data_plane.haproxy import DataPlaneError

_REFUSALS = (
    *(namespaces.NamespaceError, DataPlaneError, StepError, ToolError),
    *(real.RealCloudError, TimeoutError, subprocess.TimeoutExpired),
)
SIMULATED = "Simulated: HAProxy behind a mocked API."
WIDTH = 80
_PRIVATE = "BENCH_TRAFFIC_IS_PRIVATE"
OURS, UNAIDED, CONTROL = "ours", "ours-unaided", "undrained"
DEFAULT = {
    "restart": tuple(name for name in METHODS if name != UNAIDED),
    "replace": (OURS, "remove"),
    "hang": (OURS, "lb-check"),
    "kill-service": (OURS, "lb-check"),
    "kill-agent": (OURS,),
    "all-unhealthy": (OURS, "lb-check"),
}
"""As much as half an hour has room for: plays, and by which methods."""
NAIVE = {one.name for one in METHODS.values() if one.is_naive}
QUICK_METHODS = (OURS, "remove", "lb-check", CONTROL)


def main() -> int:
    """Play, print, draw, write; 0, 1 with what went wrong, 130 after Ctrl-C."""
    given = options.parse()
    try:
        if given.cloud is not None:
            return real.bench(given)
        if _PRIVATE not in os.environ:
            return _in_private()
        namespaces.set_up()
        return _bench(given)
    except _REFUSALS as error:
        print(f"bench-traffic: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _in_private() -> int:
    """Run it again where it disturbs nothing, and where nothing stays of it."""
    namespaces.check()
    argv = [sys.executable, "-m", "tests.bench.traffic", *sys.argv[1:]]
    return namespaces.run_privately(argv, {**os.environ, _PRIVATE: "1"})


def settings(given: argparse.Namespace) -> Iterator[Setting]:
    """All that is to be played, scene after scene."""
    for product, play, max_in_flight, lag, fault, seed in itertools.product(
        given.products,
        given.plays or (["restart"] if given.quick else DEFAULT),
        given.max_in_flight,
        given.lags,
        given.faults,
        given.seeds,
    ):
        for method in given.methods or _methods(given, play):
            if method != OURS and (fault or not can_play(method, play)):
                continue
            for min_wait in given.min_waits if method == OURS else [None]:
                yield Setting(product, play, method, lag, seed, max_in_flight, min_wait, fault)


def can_play(method: str, play: str) -> bool:
    """Whether that can happen to a VM of this method."""
    return METHODS[method].has_agent or not PLAYS[play].needs_agent


def _methods(given: argparse.Namespace, play: str) -> Sequence[str]:
    if given.quick:
        return QUICK_METHODS
    return DEFAULT.get(play, tuple(METHODS))


def _bench(given: argparse.Namespace) -> int:
    console = Console(width=WIDTH, highlight=False)
    began = time.monotonic()
    outcomes: list[Outcome] = []
    about = {
        "real": False,
        "simulated": "HAProxy behind a mocked API",
        "rate": given.rate,
        "vms": given.vms,
        "naive": sorted(NAIVE),
    }
    todo = list(settings(given))
    for number, setting in enumerate(todo, 1):
        console.print(f"{number}/{len(todo)} {title(setting)}: {setting.method}")
        outcome = cells.run(setting, rate=given.rate, size=given.vms)
        outcomes.append(outcome)
        console.print(f"    {outcome.failed} of {outcome.asked} failed")
        report.write(given.output, outcomes, about)
    report.show(console, outcomes, origin=SIMULATED, naive=NAIVE)
    # Here, since a second or two go by for it, and all but the picture does without.
    from tests.bench.traffic import plot

    plot.draw(scenes(outcomes), given.output / "bench-traffic.png")
    seconds = time.monotonic() - began
    console.print(f"{given.output}/{report.NAME} and .png; {seconds:.0f} s", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
