"""Every fault, in every phase, in every kind of server group: the end state is right."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path

import pytest
from tests.unit.every_kind import KINDS

from .cells import PHASES, Cell
from .room import single_threaded
from .troubles import TROUBLES

ROOT = Path(__file__).parents[2]
PROCESSES = 2
FEW = 100
"""So many cells are played in this process, where a debugger can look at them."""

Outcome = Callable[[Cell], None]


@pytest.fixture(scope="module")
def outcome(request: pytest.FixtureRequest) -> Iterator[Outcome]:
    """Raises AssertionError for a cell that did not end as it should.

    With the first one asked for, all that were selected are played, in processes of their own.
    """
    cells = [
        cell
        for item in request.session.items
        if isinstance(item, pytest.Function) and (cell := _cell(item)) is not None
    ]
    if len(cells) <= FEW:
        yield Cell.play
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(ROOT)])  # where they find this module
        with ProcessPoolExecutor(PROCESSES, get_context("spawn"), _begin) as pool:
            ends: dict[Cell, Future[dict[Cell, str]]] = {}
            for _, some in groupby(cells, key=lambda cell: (cell.trouble, cell.phase)):
                together = list(some)
                ends.update(dict.fromkeys(together, pool.submit(play, together)))
            yield lambda cell: _tell(cell, ends[cell].result())
            pool.shutdown(cancel_futures=True)


def _cell(item: pytest.Function) -> Cell | None:
    return item.callspec.params.get("cell") if hasattr(item, "callspec") else None


def _tell(cell: Cell, failures: dict[Cell, str]) -> None:
    assert cell not in failures, failures[cell]


_PROCESS = ExitStack()


def _begin() -> None:
    _PROCESS.enter_context(single_threaded())


def play(cells: list[Cell]) -> dict[Cell, str]:
    """Play these; what went wrong in which."""
    failures = {}
    for cell in cells:
        try:
            cell.play()
        except Exception:  # noqa: BLE001 - the test that waits for this cell raises it
            failures[cell] = f"seed {cell.seed}\n{traceback.format_exc()}"
    return failures


@pytest.mark.parametrize(
    "cell",
    [Cell(t.name, phase, k.name) for t in TROUBLES for phase in PHASES for k in KINDS],
    ids=lambda cell: f"{cell.trouble}-{cell.phase}-{cell.kind}",
)
def test_each_fault_ends_in_the_right_state(cell: Cell, outcome: Outcome) -> None:
    outcome(cell)
