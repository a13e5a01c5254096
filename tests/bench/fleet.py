"""`make bench-fleet`: fleets of agents against the API's quotas, simulated with the agent's code.

Figures, never assertions: the tables say what was aimed at. The same seed gives the same figures.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import fleet_plot
from fleet_scenarios import (
    Outcome,
    Rest,
    drain,
    lose_the_api,
    register,
    register_naively,
    register_while_lost,
    rest,
)
from fleet_table import outcome_table, rest_table
from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]
SIZES = (10, 100, 1_000, 10_000)
PRODUCTS = ("clb", "nlb")
WRONG = 20
DRAIN_SECONDS = 120.0
"""The default of drain.timeout."""

TITLE = "starting in the same second; aims: all within 1.15 of the bound, refused 2 on average"
WRONG_TITLE = f"fleet_size wrong by a factor of {WRONG}; aim: all within twice the bound"
LEAVING_TITLE = (
    "draining, and an API that is lost for 10 minutes; aim: all within 1.15 of the bound"
)
REST_TITLE = "at rest for an hour; aim: at most half of each read quota"
NOTES = """
Times in seconds; waited: the longest of one agent. Calls and refusals of one agent; worst: the
most refusals of one. Bound: agents ÷ quota of the slowest action (CLB 90 writes a minute, NLB
200), without the bucket that is full at first: it saves a minute of that. The bounds have what
must pass in any case, too: 5 s until a health is known; 10 s of a drain for connections; the 10
minutes that the API is lost; at rest 60 s until it is noticed that it is back. In 120 s, the
default of drain.timeout, the times are those until weight 0, of the agents that reached it: """
WIDTH = 100
"""Of the output where it is no terminal."""


@dataclass(frozen=True)
class Bench:
    """All figures, in the order in which they are shown."""

    starting: Sequence[Outcome]
    wrong: Sequence[Outcome]
    leaving: Sequence[Outcome]
    resting: Sequence[Rest]


def main() -> None:
    """Simulate, print, draw, write."""
    options = _options()
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    began = time.perf_counter()
    with console.status("simulating"):
        bench = simulate(options.sizes, options.seed)
    for shown in (
        outcome_table(TITLE, bench.starting),
        outcome_table(WRONG_TITLE, bench.wrong),
        outcome_table(LEAVING_TITLE, bench.leaving),
        rest_table(REST_TITLE, bench.resting),
        NOTES + _lowered(bench.leaving),
    ):
        console.print(shown, highlight=False)
    png, svg = fleet_plot.draw(_curves(bench), ROOT / "build", options.seed)
    (ROOT / "bench-fleet.json").write_text(json.dumps(_summary(bench, options.seed), indent=1))
    console.print(f"{png.relative_to(ROOT)} and {svg.name}: registered agents over time")
    console.print(f"seed {options.seed}, {time.perf_counter() - began:.0f} s")


def simulate(sizes: Sequence[int], seed: int) -> Bench:
    """Run every scenario; each is independent of the others."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:

        def run(scenario: Callable[..., Outcome], **options: object) -> list[Future[Outcome]]:
            return [
                pool.submit(scenario, size, product, seed, **options)
                for product in PRODUCTS
                for size in sizes
            ]

        wrong = [
            pool.submit(register, size, product, seed, fleet_size=told)
            for product in PRODUCTS
            for size in sizes
            for told in (size * WRONG, max(1, size // WRONG))
        ]
        starting = [run(register), run(register, known=False), run(register_naively)]
        leaving = [
            run(drain),
            run(drain, timeout=DRAIN_SECONDS),
            run(lose_the_api),
            run(register_while_lost),
        ]
        resting = [pool.submit(rest, size, product, seed) for product in PRODUCTS for size in sizes]
        return Bench(
            _by_fleet(starting),
            [one.result() for one in wrong],
            _by_fleet(leaving),
            [one.result() for one in resting],
        )


def _by_fleet(scenarios: Iterable[list[Future[Outcome]]]) -> list[Outcome]:
    return [one.result() for row in zip(*scenarios, strict=True) for one in row]


def _curves(bench: Bench) -> list[Outcome]:
    told = [one for one in bench.starting if "after" not in one.what]
    return [one for one in (*told, *bench.wrong) if one.product == "clb"]


def _lowered(leaving: Iterable[Outcome]) -> str:
    return ", ".join(
        f"{len(one.moments):,} of {one.product} {one.size:,}"
        for one in leaving
        if len(one.moments) < one.size
    )


def _summary(bench: Bench, seed: int) -> dict[str, object]:
    def figures(one: Outcome) -> dict[str, object]:
        return {
            "what": one.what,
            "product": one.product,
            "agents": one.size,
            "agents_there": len(one.moments),
            "fleet_size": one.fleet_size,
            "bound_seconds": round(one.bound, 1),
            **{
                f"seconds_until_{share:.0%}": round(one.until(share), 1) for share in (0.5, 0.99, 1)
            },
            "calls": one.calls,
            "refused_mean": round(sum(one.refused) / one.size, 3),
            "refused_worst": max(one.refused),
            "longest_wait_seconds": round(one.longest_wait, 1),
        }

    return {
        "seed": seed,
        "starting": [figures(one) for one in bench.starting],
        "fleet_size_wrong": [figures(one) for one in bench.wrong],
        "draining_and_lost": [figures(one) for one in bench.leaving],
        "at_rest": [asdict(one) for one in bench.resting],
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-fleet ARGS=…", description=__doc__)
    parser.add_argument("--sizes", type=_sizes, default=SIZES, metavar="N,…", help="agents")
    parser.add_argument("--seed", type=int, default=1, help="of all randomness (default 1)")
    return parser.parse_args()


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers: 10,100") from None
    if not all(1 <= size <= 100_000 for size in sizes):
        raise argparse.ArgumentTypeError(f"{text}: from 1 to 100000 agents")
    return sizes


if __name__ == "__main__":
    main()
