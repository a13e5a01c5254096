"""What is to be played, as it is said on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection
from pathlib import Path

from tests.bench.traffic.cloud import FAULTS, PRODUCTS
from tests.bench.traffic.methods import METHODS
from tests.bench.traffic.plays import PLAYS
from tests.paths import ROOT

from terminal import HelpFormatter

LAG_SECONDS = 3.0
"""By default. No product's documentation tells it."""
_EPILOG = """\
The default is a rolling restart by all methods, and some other plays by some: at most half an hour.
The rest, and grids, by options; lists are separated by commas.

With --cloud real load balancers are asked, and nothing is simulated: that needs no root, takes
--plays, --seeds, --rate and --output, and its FILE says whom to ask and what to do meanwhile. On
each VM behind them runs the service of the bench:

  python3 -m tests.bench.traffic.service NAME PORT

or any other that answers path: with 200. docs/build.md has an example.
"""
_SIMULATED = (
    *("quick", "products", "methods", "faults", "lags", "min_waits", "max_in_flight", "vms"),
)
"""Options that mean nothing to real load balancers."""


def parse() -> argparse.Namespace:
    """Return the options. Ends the process where one is wrong."""
    parser = argparse.ArgumentParser(
        prog="make bench-traffic ARGS=…",
        description="What users notice while VMs restart, are replaced and fail.\n\n"
        "Each VM has a network namespace with its own address, a service, and the agent as the "
        "release ships it, with its default properties. A client asks at a steady rate and tries "
        "nothing twice. Load balancers are mocked; HAProxy forwards for them. Needs root. "
        "Figures, never assertions.",
        epilog=_EPILOG,
        formatter_class=HelpFormatter,
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="3 VMs, a rolling restart, four methods")
    add("--products", type=_some(PRODUCTS), default=["clb"], help=", ".join(PRODUCTS))
    add("--plays", help=f"{', '.join(PLAYS)}; with --cloud, those of its file")
    add("--methods", type=_some(METHODS), help=", ".join(METHODS))
    add("--faults", type=_some(FAULTS), default=[""], help=f"ours only: {', '.join(FAULTS)}")
    add("--lags", type=_numbers(0, 20), default=[LAG_SECONDS], help="from API to data plane, s")
    add("--min-waits", type=_numbers(0, 90), default=[None], help="drain.min_wait, ours only, s")
    add("--max-in-flight", type=_whole(1, 5), default=[2], help="VMs at once, e.g. 1,2")
    add("--seeds", type=_whole(0, 10**6), default=[1], help="of the requests: a play for each")
    add("--vms", type=int, choices=range(2, 21), default=6, metavar="N", help="2 to 20")
    add("--rate", type=_rate, default=100.0, help="requests a second")
    add("--cloud", type=Path, metavar="FILE", help="real load balancers, as this YAML file says")
    add("--output", type=Path, default=ROOT / "build", help="folder of the figures, else build")
    options = parser.parse_args()
    if options.cloud is not None:
        for name in _SIMULATED:
            if getattr(options, name) != parser.get_default(name):
                parser.error(f"--{name.replace('_', '-')} is not for real load balancers (--cloud)")
        return options
    if options.plays is not None:
        try:
            options.plays = chosen(options.plays, PLAYS)
        except argparse.ArgumentTypeError as error:
            parser.error(f"argument --plays: {error}")
    if options.quick:
        options.vms = 3
        options.max_in_flight = [1]
    return options


def chosen(text: str, known: Collection[str]) -> list[str]:
    """Return the names in a list. Raises ArgumentTypeError for one that is not known."""
    if text == "all":
        return list(known)
    wanted = [part.strip() for part in text.split(",")]
    for one in wanted:
        if one not in known:
            raise argparse.ArgumentTypeError(f"{one!r} is none of {', '.join(known)}")
    return wanted


def _some(known: Collection[str]) -> Callable[[str], list[str]]:
    return lambda text: chosen(text, known)


def _rate(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0.1 <= found <= 10_000:
        raise argparse.ArgumentTypeError(f"{text}: from 0.1 to 10000 a second")
    return found


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
