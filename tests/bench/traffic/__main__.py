"""`make bench-traffic`: what users notice while VMs restart, are replaced and fail.

Each VM has a network namespace with its own address, a service, and the agent as the release ships
it, with its default properties. A client asks at a steady rate and tries nothing twice. Load
balancers are mocked; HAProxy forwards for them. Needs root. Figures, never assertions.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict

from rich.console import Console
from tests.bench.traffic import cells, namespaces
from tests.bench.traffic.cloud import FAULTS, PRODUCTS
from tests.bench.traffic.methods import METHODS
from tests.bench.traffic.outcome import Outcome, Setting, void_scenes
from tests.bench.traffic.plays import PLAYS
from tests.bench.traffic.table import NOTES, scenes, table, title
from tests.bench.traffic.vm import StepError
from tests.paths import ROOT

from demo.workshop import ToolError
from mock_slb.data_plane.haproxy import DataPlaneError
from terminal import HelpFormatter

_REFUSALS = namespaces.NamespaceError, DataPlaneError, StepError, ToolError
BUILD = ROOT / "build"
WIDTH = 80
_PRIVATE = "BENCH_TRAFFIC_IS_PRIVATE"
OURS, UNAIDED, CONTROL = "ours", "ours-unaided", "undrained"
LAG_SECONDS = 3.0
"""By default. No product's documentation tells it."""
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
    options = _options()
    try:
        if _PRIVATE not in os.environ:
            return _in_private()
        namespaces.set_up()
        return _bench(options)
    except (*_REFUSALS, TimeoutError, subprocess.TimeoutExpired) as error:
        print(f"bench-traffic: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _in_private() -> int:
    """Run it again where it disturbs nothing, and where nothing stays of it."""
    namespaces.check()
    argv = [sys.executable, "-m", "tests.bench.traffic", *sys.argv[1:]]
    return namespaces.run_privately(argv, {**os.environ, _PRIVATE: "1"})


def settings(options: argparse.Namespace) -> Iterator[Setting]:
    """All that is to be played, scene after scene."""
    for product, play, max_in_flight, lag, fault, seed in itertools.product(
        options.products,
        options.plays or (["restart"] if options.quick else DEFAULT),
        options.max_in_flight,
        options.lags,
        options.faults,
        options.seeds,
    ):
        for method in options.methods or _methods(options, play):
            if method != OURS and (fault or not can_play(method, play)):
                continue
            for min_wait in options.min_waits if method == OURS else [None]:
                yield Setting(product, play, method, lag, seed, max_in_flight, min_wait, fault)


def can_play(method: str, play: str) -> bool:
    """Whether that can happen to a VM of this method."""
    return METHODS[method].has_agent or not PLAYS[play].needs_agent


def _methods(options: argparse.Namespace, play: str) -> Sequence[str]:
    if options.quick:
        return QUICK_METHODS
    return DEFAULT.get(play, tuple(METHODS))


def _bench(options: argparse.Namespace) -> int:
    console = Console(width=WIDTH, highlight=False)
    began = time.monotonic()
    outcomes: list[Outcome] = []
    todo = list(settings(options))
    for number, setting in enumerate(todo, 1):
        console.print(f"{number}/{len(todo)} {title(setting)}: {setting.method}")
        outcome = cells.run(setting, rate=options.rate, size=options.vms)
        outcomes.append(outcome)
        console.print(f"    {outcome.failed} of {outcome.asked} failed")
        _write(outcomes, options)
    together = scenes(outcomes)
    void = void_scenes(outcomes, NAIVE)
    for scene in together:
        console.print(table(scene))
        for one in scene:
            if one.why_void:
                console.print(f"VOID: {one.setting.method}: {one.why_void}")
        if scene[0].setting.scene in void:
            console.print("VOID: the naive methods have lost nothing here")
    console.print(f"\n{NOTES}")
    # Here, since a second or two go by for it, and all but the picture does without.
    from tests.bench.traffic import plot

    plot.draw(together, BUILD / "bench-traffic.png")
    console.print(f"build/bench-traffic.json and .png; {time.monotonic() - began:.0f} s")
    return 0


def _write(outcomes: Sequence[Outcome], options: argparse.Namespace) -> None:
    BUILD.mkdir(exist_ok=True)
    document = {
        "machine": {"processors": os.cpu_count(), "python": platform.python_version()},
        "rate": options.rate,
        "vms": options.vms,
        "naive": sorted(NAIVE),
        "outcomes": [{**asdict(one), "failed": one.failed} for one in outcomes],
    }
    (BUILD / "bench-traffic.json").write_text(json.dumps(document, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench-traffic ARGS=…",
        description=__doc__,
        epilog="The default is a rolling restart by all methods, and some other plays by some: at "
        "most half an hour. The rest, and grids, by options; lists are separated by commas.",
        formatter_class=HelpFormatter,
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="3 VMs, a rolling restart, four methods")
    add("--products", type=_some(PRODUCTS), default=["clb"], help=", ".join(PRODUCTS))
    add("--plays", type=_some(PLAYS), help=", ".join(PLAYS))
    add("--methods", type=_some(METHODS), help=", ".join(METHODS))
    add("--faults", type=_some(FAULTS), default=[""], help=f"ours only: {', '.join(FAULTS)}")
    add("--lags", type=_numbers(0, 20), default=[LAG_SECONDS], help="from API to data plane, s")
    add("--min-waits", type=_numbers(0, 90), default=[None], help="drain.min_wait, ours only, s")
    add("--max-in-flight", type=_whole(1, 5), default=[2], help="VMs at once, e.g. 1,2")
    add("--seeds", type=_whole(0, 10**6), default=[1], help="of the requests")
    add("--vms", type=int, choices=range(2, 21), default=6, metavar="N", help="2 to 20")
    add("--rate", type=float, default=100.0, help="requests a second")
    options = parser.parse_args()
    if options.quick:
        options.vms = 3
        options.max_in_flight = [1]
    return options


def _numbers(low: float, high: float) -> Callable[[str], list[float]]:
    def read(text: str) -> list[float]:
        try:
            found = [float(part) for part in text.split(",")]
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers: 0,3.5") from None
        if not all(low <= one <= high for one in found):
            raise argparse.ArgumentTypeError(f"{text}: from {low:g} to {high:g}")
        return found

    return read


def _whole(low: int, high: int) -> Callable[[str], list[int]]:
    def read(text: str) -> list[int]:
        found = _numbers(low, high)(text)
        if not all(one.is_integer() for one in found):
            raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers: 1,2")
        return [int(one) for one in found]

    return read


def _some(known: Collection[str]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        if text == "all":
            return list(known)
        wanted = [part.strip() for part in text.split(",")]
        for one in wanted:
            if one not in known:
                raise argparse.ArgumentTypeError(f"{one!r} is none of {', '.join(known)}")
        return wanted

    return read


if __name__ == "__main__":
    sys.exit(main())
