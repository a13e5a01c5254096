"""Every fault, in every phase, in every kind of server group: the end state is right.

`make test` plays every two of these three together, `make test-rest` the other cells.
"""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path

import pytest

from . import cells, joining_cells
from .budget import SOAK_SECONDS
from .cells import Cell
from .joining_cells import JoiningCell
from .pairwise import sampled
from .room import single_threaded

ROOT = Path(__file__).parents[2]
PROCESSES = 2
FEW = 12
"""So many rows are played in this process, where a debugger can look at them."""

AnyCell = Cell | JoiningCell
Row = tuple[AnyCell, ...]
"""One fault in one phase, in one or more kinds of server group."""


def in_rows(cells: Iterable[AnyCell]) -> dict[str, Row]:
    """These cells, all of one fault and phase in one row, by its name."""
    rows: dict[str, Row] = {}
    for cell in cells:
        matrix = "joining-" if isinstance(cell, JoiningCell) else ""
        name = f"{matrix}{cell.trouble}-{cell.phase}"
        rows[name] = (*rows.get(name, ()), cell)
    return rows


EVERY = (*cells.every(), *joining_cells.every())
SAMPLE = {*sampled(cells.every()), *sampled(joining_cells.every())}
FEW_KINDS = in_rows(cell for cell in EVERY if cell in SAMPLE)
OTHER_KINDS = in_rows(cell for cell in EVERY if cell not in SAMPLE)
if SOAK_SECONDS:
    OTHER_KINDS |= in_rows(joining_cells.of_all_other_faults())
ROWS = FEW_KINDS | {f"{name}-other kinds": row for name, row in OTHER_KINDS.items()}
Failures = Callable[[str], dict[str, str]]


@pytest.fixture(scope="module")
def failures(request: pytest.FixtureRequest) -> Iterator[Failures]:
    """What went wrong in a row, by kind.

    With the first one asked for, all that were selected are played, in processes of their own.
    """
    names = [
        str(item.callspec.params["row"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == Path(__file__)
    ]
    if len(names) <= FEW:
        yield lambda name: play(ROWS[name])
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(ROOT)])  # where they find this module
        with ProcessPoolExecutor(PROCESSES, get_context("spawn"), _begin) as pool:
            ends = {name: pool.submit(play, ROWS[name]) for name in names}
            yield lambda name: ends[name].result()
            pool.shutdown(cancel_futures=True)


_PROCESS = ExitStack()


def _begin() -> None:
    _PROCESS.enter_context(single_threaded())
    # A cell leaves little garbage in cycles: looking for it after every 700 objects takes 14 %.
    gc.freeze()
    gc.set_threshold(50_000)


def play(row: Row) -> dict[str, str]:
    """Play these; what went wrong in which."""
    failures = {}
    for cell in row:
        try:
            cell.play()
        except Exception:  # noqa: BLE001 - the test that waits for this row raises it
            failures[cell.kind] = f"seed {cell.seed}\n{traceback.format_exc()}"
    return failures


@pytest.mark.parametrize(
    "row",
    [pytest.param(name, marks=() if name in FEW_KINDS else pytest.mark.thorough) for name in ROWS],
)
def test_each_fault_ends_in_the_right_state_in_every_kind_of_group(
    row: str, failures: Failures
) -> None:
    wrong = failures(row)
    assert not wrong, "\n".join(f"in {kind}: {text}" for kind, text in wrong.items())
