"""`make bench-fleet`: fleets of agents against the API's quotas, simulated with the agent's code.

Figures, never assertions: the tables say what was aimed at. The same seed gives the same figures.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from typing import Any

from tests.bench.fleet_scenarios import (
    Outcome,
    Rest,
    drain,
    lose_the_api,
    register,
    register_naively,
    register_while_lost,
    rest,
)
from tests.bench.fleet_table import outcome_table, rest_table
from tests.paths import ROOT

from terminal import HelpFormatter, console, paragraphs

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
Times in seconds; ÷: all, by the bound; waited: the longest of one agent. Calls and refusals of one
agent; worst: the
most refusals of one. Bound: agents ÷ quota of the slowest action (CLB 90 writes a minute, NLB
200), without the bucket that is full at first: it saves a minute of that. The bounds have what
must pass in any case, too: 5 s until a health is known; 10 s of a drain for connections; the 10
minutes that the API is lost; at rest 60 s until it is noticed that it is back. A change of NLB
takes a second. In 120 s, the default of drain.timeout, the times are those until weight 0, of the
agents that reached it: """

SECTIONS: Mapping[str, Sequence[tuple[Callable[..., object], Mapping[str, object]]]] = {
    "starting": ((register, {}), (register, {"known": False}), (register_naively, {})),
    "wrong": ((register, {"factor": WRONG}), (register, {"factor": 1 / WRONG})),
    "leaving": (
        (drain, {}),
        (drain, {"timeout": DRAIN_SECONDS}),
        (lose_the_api, {}),
        (register_while_lost, {}),
    ),
    "resting": ((rest, {}),),
}
"""What happens to each fleet, by the table that shows it."""


@dataclass(frozen=True)
class Job:
    """A scenario for a process of its own."""

    section: str
    scenario: Callable[..., object]
    product: str
    size: int
    options: Mapping[str, object]


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
    screen = console()
    began = time.perf_counter()
    with screen.status("simulating") as status:
        bench = simulate(options.sizes, options.seed, status.update)
    for shown in (
        outcome_table(TITLE, bench.starting),
        outcome_table(WRONG_TITLE, bench.wrong),
        outcome_table(LEAVING_TITLE, bench.leaving),
        rest_table(REST_TITLE, bench.resting),
    ):
        screen.print(shown)
    screen.print(*paragraphs(NOTES + _lowered(bench.leaving)), sep="\n")
    # Here, since a second goes by for it, and all but the picture does without.
    from tests.bench import fleet_plot

    png, svg = fleet_plot.draw(_curves(bench), ROOT / "build", options.seed)
    (ROOT / "bench-fleet.json").write_text(
        json.dumps(_summary(bench, options.seed), indent=1) + "\n"
    )
    screen.print(f"{png.relative_to(ROOT)} and {svg.name}: registered agents over time")
    screen.print(f"seed {options.seed}, {time.perf_counter() - began:.0f} s")


def simulate(sizes: Sequence[int], seed: int, tell: Callable[[str], None]) -> Bench:
    """Run every scenario with every fleet; `tell` is told the progress."""
    jobs = [
        Job(section, scenario, product, size, options)
        for section, scenarios in SECTIONS.items()
        for product in PRODUCTS
        for size in sizes
        for scenario, options in scenarios
    ]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        # The longest first: none of them is left alone at the end.
        futures = {
            id(job): pool.submit(job.scenario, job.size, job.product, seed, **job.options)
            for job in sorted(jobs, key=lambda job: -job.size)
        }
        for done, _ in enumerate(as_completed(futures.values()), 1):
            tell(f"simulating: {done} of {len(jobs)}")
    found: dict[str, list[Any]] = {section: [] for section in SECTIONS}
    for job in jobs:
        found[job.section].append(futures[id(job)].result())
    return Bench(**found)


def _curves(bench: Bench) -> list[Outcome]:
    told = [one for one in bench.starting if "after" not in one.what]
    return [one for one in (*told, *bench.wrong) if one.product == "clb"]


def _lowered(leaving: Iterable[Outcome]) -> str:
    some = [one for one in leaving if len(one.moments) < one.size]
    told = [f"{len(one.moments):,} of {one.product} {one.size:,}" for one in some]
    return (", ".join(told) or "all") + "."


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
    parser = argparse.ArgumentParser(
        prog="make bench-fleet ARGS=…", description=__doc__, formatter_class=HelpFormatter
    )
    parser.add_argument(
        "--sizes", type=_sizes, default=SIZES, metavar="N,…",
        help=f"agents (default {','.join(map(str, SIZES))})",
    )  # fmt: skip
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
