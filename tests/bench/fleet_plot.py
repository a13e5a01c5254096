"""How many agents of a fleet are registered, over time: as PNG and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from tests.bench.fleet_scenarios import Outcome

from slb_registration.pacing.quotas import BUCKET_SECONDS, MINUTE

INK, GREY, BLUE, ORANGE, GREEN = "#22272e", "#8c96a3", "#1668b8", "#d9731a", "#2a8c5a"
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.hashsalt": "slb-registration",  # the same figures give the same file
}


def draw(outcomes: Sequence[Outcome], folder: Path, seed: int) -> tuple[Path, Path]:
    """Draw one panel for each size into `folder`; returns the PNG and the SVG.

    `outcomes` are registrations with the quota of CLB; fleets that the bucket serves at once have
    nothing to show.
    """
    sizes = sorted({one.size for one in outcomes if one.bound > BUCKET_SECONDS})
    mpl.use("Agg")
    columns = max(1, len(sizes))
    with mpl.rc_context(STYLE):
        figure, grid = plt.subplots(
            2,
            columns,
            figsize=(max(8.0, 4.4 * columns), 5.8),
            sharey="row",
            height_ratios=(3.2, 1),
            squeeze=False,
        )
        for number, size in enumerate(sizes):
            fleets = [one for one in outcomes if one.size == size]
            _over_time(grid[0][number], fleets)
            _refused(grid[1][number], fleets)
        grid[0][0].set_ylabel("registered")
        grid[0][0].yaxis.set_major_formatter(PercentFormatter(1.0))
        handles, labels = grid[0][-1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncols=3, frameon=False)
        figure.suptitle(
            "A fleet that starts in one second, under CLB's quota of 90 writes a minute"
        )
        figure.tight_layout(rect=(0, 0.1, 1, 1))
        folder.mkdir(parents=True, exist_ok=True)
        png, svg = folder / "bench-fleet.png", folder / "bench-fleet.svg"
        figure.savefig(png, dpi=160, metadata={"Description": f"seed {seed}"})
        figure.savefig(svg, metadata={"Date": None, "Description": f"seed {seed}"})
        plt.close(figure)
    return png, svg


def _refused(axes: Axes, outcomes: Sequence[Outcome]) -> None:
    for row, one in enumerate(outcomes):
        mean = sum(one.refused) / one.size
        _, style = _look(one)
        axes.barh(row, max(mean, 0.01), left=0.01, color=style["color"], height=0.7)
        axes.annotate(
            f"{mean:,.1f}",
            (max(mean, 0.01), row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_xscale("log")
    axes.set_xlim(0.01, 10_000)
    axes.set_xticks([0.1, 1, 10, 100, 1000], ["0.1", "1", "10", "100", "1,000"])
    axes.minorticks_off()
    axes.set_yticks([])
    axes.set_ylim(len(outcomes) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("refused calls of an agent, on average")


def _over_time(axes: Axes, outcomes: Sequence[Outcome]) -> None:
    first = outcomes[0]
    rate = first.size / first.bound
    start = min(1.0, rate * BUCKET_SECONDS / first.size)
    unit, name = (MINUTE, "minutes") if first.bound > 10 * MINUTE else (1.0, "seconds")
    end = 2.05 * first.bound
    for one in outcomes:
        label, style = _look(one)
        moments = [0.0, *one.moments, end]
        shares = [0.0, *(n / one.size for n in range(1, len(one.moments) + 1)), 1.0]
        axes.step([at / unit for at in moments], shares, where="post", label=label, **style)
    axes.plot(
        [0, 0, first.bound_with_full_bucket / unit, end / unit],
        [0, start, 1, 1],
        color=INK,
        linewidth=1.0,
        linestyle=(0, (4, 3)),
        label="what the quota allows",
        zorder=5,
    )
    axes.axvline(first.bound / unit, color=GREY, linewidth=0.8, linestyle=":")
    axes.annotate(
        "agents ÷ quota",
        (first.bound / unit, 0.02),
        xytext=(4, 0),
        textcoords="offset points",
        color=GREY,
        fontsize=8,
    )
    axes.set_xlim(0, end / unit)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(f"{name} since the start")
    axes.set_title(f"{first.size:,} agents", fontsize=11)
    axes.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.6)


def _look(one: Outcome) -> tuple[str, dict[str, object]]:
    if one.fleet_size is None:
        return "naive: again every 5 s", {"color": GREY, "linewidth": 1.8, "zorder": 2}
    if one.fleet_size > one.size:
        return "fleet_size 20 times too large", {"color": ORANGE, "linewidth": 1.5, "zorder": 3}
    if one.fleet_size < one.size:
        return "fleet_size 20 times too small", {"color": GREEN, "linewidth": 1.5, "zorder": 3}
    return "fleet_size right", {"color": BLUE, "linewidth": 2.4, "zorder": 4}
