"""The figures of a fleet's scenarios as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.table import Table
from tests.bench import tables
from tests.bench.fleet_scenarios import Outcome, Rest

COLUMNS = (
    "",
    "50 %",
    "99 %",
    "all",
    "bound",
    "÷",
    "calls",
    "refused",
    "worst",
    "waited",
)


def outcome_table(title: str, outcomes: Iterable[Outcome]) -> Table:
    """One row for each fleet, below its size. Times are in seconds, calls those of one agent."""
    shown = tables.table(title, COLUMNS)
    for fleet, together in groupby(outcomes, key=lambda one: (one.product, one.size)):
        shown.add_section()
        shown.add_row("{} {:,}".format(*fleet))
        for one in together:
            shown.add_row(*_cells(one))
    return shown


def rest_table(title: str, rests: Sequence[Rest]) -> Table:
    """What fleets read at rest."""
    columns = ("agents", "action", "reads a minute", "of its quota")
    shown = tables.table(title, columns, words=("action",))
    for one in rests:
        for action, a_minute, share in one.reads:
            fleet = f"{one.product} {one.size:,}"
            shown.add_row(fleet, action, f"{a_minute:,.1f}", f"{share:.1%}")
    return shown


def _cells(one: Outcome) -> list[str]:
    return [
        f"  {one.what}",
        *(_seconds(one.until(share)) for share in (0.5, 0.99, 1.0)),
        _seconds(one.bound),
        f"{one.until(1.0) / one.bound:.2f}",
        f"{one.calls / one.size:,.1f}",
        f"{sum(one.refused) / one.size:,.2f}",
        f"{max(one.refused):,}",
        _seconds(one.longest_wait),
    ]


def _seconds(value: float) -> str:
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
