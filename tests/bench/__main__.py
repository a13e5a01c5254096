"""`make bench`: figures, never assertions. What is compared runs in turn or at once, in one run.

Prints tables and writes bench.json. Absolute times are this machine's; ratios are what to compare.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import agents, building, counting, packages
from tests.paths import ROOT

from terminal import HelpFormatter, console


def main() -> None:
    """Measure, print, write."""
    options = _parser().parse_args()
    shown = console()
    shown.print("about three minutes; a machine that does other work shows it in the figures")
    result: dict[str, object] = {}
    with TemporaryDirectory(prefix="slb-registration-bench-") as name:
        folder = Path(name)
        built = building.measure(folder)
        shown.print(building.table(built))
        result["build_seconds"] = built
        installed = packages.measure(folder)
        shown.print(packages.table(installed))
        result["packages"] = installed
        counted = counting.measure(folder)
        shown.print(counting.table(counted))
        result["counting"] = counted
    measured = agents.measure(options.rest)
    shown.print(agents.table(measured, options.rest))
    result["agent"] = measured
    (ROOT / "bench.json").write_text(json.dumps(result, indent=1) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, formatter_class=HelpFormatter
    )
    parser.add_argument(
        "--rest", type=float, default=60.0, metavar="SECONDS",
        help="how long agents at rest are watched (%(default)s)",
    )  # fmt: skip
    return parser


if __name__ == "__main__":
    main()
