"""Every fault, in every phase, in every kind of server group: the end state is right.

`make test` plays every two of these three together, `make test-rest` the other cells.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable

import pytest
from tests import thorough
from tests.faults import cells, joining_cells
from tests.faults.budget import SOAK_SECONDS
from tests.faults.cells import Cell
from tests.faults.joining_cells import JoiningCell
from tests.faults.pairwise import sampled

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


@pytest.mark.parametrize("row", thorough.but(FEW_KINDS, ROWS))
def test_each_fault_ends_in_the_right_state_in_every_kind_of_group(row: str) -> None:
    wrong = {}
    for cell in ROWS[row]:
        try:
            cell.play()
        except Exception:  # noqa: BLE001 - told below, with those of the other kinds
            wrong[cell.kind] = f"seed {cell.seed}\n{traceback.format_exc()}"
    assert not wrong, "\n".join(f"in {kind}: {text}" for kind, text in wrong.items())
