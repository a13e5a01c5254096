"""The figures of a fleet's scenarios as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table
from tests.bench.fleet_scenarios import Outcome, Rest

COLUMNS = (
    "agents",
    "",
    "50 %",
    "99 %",
    "all",
    "bound",
    "÷ bound",
    "calls",
    "refused",
    "worst",
    "waited",
)


def outcome_table(title: str, outcomes: Iterable[Outcome]) -> Table:
    """One row for each fleet. Times are in seconds, calls and refusals those of one agent."""
    table = _table(title, COLUMNS, left=("",))
    before: Outcome | None = None
    for one in outcomes:
        if before is not None and (before.size, before.product) != (one.size, one.product):
            table.add_section()
        table.add_row(*_cells(one))
        before = one
    return table


def rest_table(title: str, rests: Sequence[Rest]) -> Table:
    """What fleets read at rest."""
    columns = ("agents", "action", "reads a minute", "of its quota")
    table = _table(title, columns, left=("action",))
    for one in rests:
        for action, a_minute, share in one.reads:
            fleet = f"{one.product} {one.size:,}"
            table.add_row(fleet, action, f"{a_minute:,.1f}", f"{share:.1%}")
    return table


def _table(title: str, columns: Sequence[str], *, left: Sequence[str]) -> Table:
    table = Table(
        title=f"\n{title}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name in columns:
        table.add_column(name, justify="left" if name in left else "right", no_wrap=True)
    return table


def _cells(one: Outcome) -> list[str]:
    return [
        f"{one.product} {one.size:,}",
        one.what,
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
