"""The outcomes as tables of 80 columns."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from rich.table import Table
from tests.bench.traffic.outcome import REAL, Outcome, Setting

COLUMNS = {
    "ref": "refused",
    "bef": "before",
    "rst": "reset",
    "cut": "cut",
    "5lb": "lb_5xx",
    "5sv": "service_5xx",
    "lat": "late",
    "wrg": "wrong",
}
"""Headings of the failures."""
NOTES = """\
ref: no connection; bef: ended before the first byte (at layer 4, also a server
that refuses); rst: reset within the answer; cut: closed within it; 5lb, 5sv:
5xx by the load balancer, by the service; lat: no answer in time; wrg: a wrong
one; str: streams that ended without a goodbye, not counted as failed; s: the
play; p50, p99: ms beyond what was asked for; new: s until a VM that was started
had half of its share."""


def table(outcomes: Sequence[Outcome]) -> Table:
    """One row a method; all of one scene."""
    shown = Table(
        title=f"\n{title(outcomes[0].setting)}",
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    shown.add_column("", no_wrap=True)
    for heading in ("asked", "fail", *COLUMNS, "str", "s", "p50", "p99", "new"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for one in outcomes:
        shown.add_row(*cells(one))
    return shown


def title(setting: Setting) -> str:
    """What the methods of a table have in common."""
    lag, at_once = setting.lag_seconds, setting.max_in_flight
    known = (
        f"{setting.play}: {setting.product}",
        "" if lag is None else f"lag {lag:g} s",
        "" if at_once is None else f"max_in_flight {at_once}",
        setting.fault,
        "" if setting.product == REAL else "simulated",
    )
    return ", ".join(part for part in known if part)


def cells(one: Outcome) -> list[str]:
    """A row."""
    streams = sum(number for verdict, number in one.streams.items() if verdict != "answered")
    share = f"{statistics.median(one.share_seconds):.0f}" if one.share_seconds else ""
    counts = [one.verdicts.get(kind, 0) for kind in COLUMNS.values()]
    return [
        name(one.setting),
        str(one.asked),
        str(one.failed),
        *(_short(number) for number in (*counts, streams)),
        f"{one.play_seconds:.0f}",
        f"{one.p50_seconds * 1000:.0f}",
        f"{one.p99_seconds * 1000:.0f}",
        share,
    ]


def _short(number: int) -> str:
    if number >= 1000:
        return f"{number / 1000:.0f}k"
    return str(number) if number else ""


def name(setting: Setting) -> str:
    """The method, and what else is its own."""
    wait = "" if setting.min_wait is None else f" {setting.min_wait:g} s"
    return f"{setting.method}{wait}"


def scenes(outcomes: Iterable[Outcome]) -> list[list[Outcome]]:
    """Those that are to be compared, together."""
    found: dict[tuple[object, ...], list[Outcome]] = {}
    for one in outcomes:
        found.setdefault(one.setting.scene, []).append(one)
    return list(found.values())
