"""The outcomes as a picture: failures over time, and against min_wait and lag."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from tests.bench.traffic.outcome import Outcome
from tests.bench.traffic.table import name, title
from tests.bench.traffic.verdict import FAILURES

INK, GREY = "#22272e", "#8c96a3"
COLOURS = dict(
    zip(
        FAILURES,
        ("#1668b8", "#d9731a", "#2a8c5a", "#9b59b6", "#c0392b", "#7f6a00", "#555555", "#e377c2"),
        strict=True,
    )
)
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "text.color": INK,
    "svg.hashsalt": "slb-registration",
}


def draw(scenes: Sequence[Sequence[Outcome]], path: Path) -> None:
    """A panel for each scene; below them, where several were played, lags and min_waits."""
    mpl.use("Agg")
    swept = _sweeps(scenes)
    rows = [*(len(scene) for scene in scenes), *([5] if swept else [])]
    with mpl.rc_context(STYLE):
        figure, grid = plt.subplots(
            len(rows),
            1,
            figsize=(9, 1.2 + sum(0.35 * size + 0.7 for size in rows)),
            squeeze=False,
            gridspec_kw={"height_ratios": [size + 1 for size in rows]},
        )
        for axes, scene in zip(grid[:, 0], scenes, strict=False):
            _over_time(axes, scene)
        if swept:
            _against(grid[-1][0], swept)
        handles = [
            plt.Line2D([], [], marker="|", linestyle="", color=colour, label=FAILURES[kind])
            for kind, colour in COLOURS.items()
        ]
        figure.legend(handles=handles, loc="lower center", ncols=2, frameon=False, fontsize=8)
        figure.tight_layout(rect=(0, 1.0 / figure.get_figheight(), 1, 1))
        path.parent.mkdir(exist_ok=True)
        figure.savefig(path, dpi=150)
        plt.close(figure)


def _over_time(axes: Axes, scene: Sequence[Outcome]) -> None:
    """A row a method, a mark a failure."""
    for row, one in enumerate(scene):
        axes.plot([0, one.play_seconds], [row, row], color=GREY, linewidth=0.8, zorder=1)
        for kind, colour in COLOURS.items():
            moments = [
                failure["at_seconds"]
                for failure in one.failures
                if failure["verdict"] == kind and failure["kind"] != "stream"
            ]
            axes.plot(moments, [row] * len(moments), "|", color=colour, markersize=11)
        axes.annotate(
            f"{one.failed}",
            (one.play_seconds, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(range(len(scene)), [name(one.setting) for one in scene])
    axes.set_ylim(len(scene) - 0.5, -0.5)
    axes.set_title(f"failed requests, {title(scene[0].setting)}", loc="left", fontsize=9)
    axes.set_xlabel("seconds")


def _sweeps(scenes: Sequence[Sequence[Outcome]]) -> dict[str, list[tuple[float, int]]]:
    """Failures by lag, for each method (and min_wait) that was played at several."""
    found: dict[str, list[tuple[float, int]]] = {}
    for one in (outcome for scene in scenes for outcome in scene):
        setting = one.setting
        key = f"{setting.play}, {setting.product}: {name(setting)}"
        found.setdefault(key, []).append((setting.lag_seconds, one.failed))
    return {
        key: sorted(points) for key, points in found.items() if len({lag for lag, _ in points}) > 1
    }


def _against(axes: Axes, swept: dict[str, list[tuple[float, int]]]) -> None:
    for key, points in swept.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=key)
    axes.set_yscale("symlog")
    axes.set_ylim(bottom=-0.5)
    axes.set_xlabel("lag between API and data plane, seconds")
    axes.set_ylabel("failed")
    axes.legend(frameon=False, fontsize=7)
