"""The sample of the matrix has every two parts that meet in it, is small, and always the same."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.faults import cells, joining_cells
from tests.faults.pairwise import Parts, sampled

MATRICES = {"cells": tuple(cells.every()), "joining cells": tuple(joining_cells.every())}


def pairs(cells: Iterable[Parts]) -> set[tuple[str, str, str]]:
    """Which two parts meet, by the names of both and that of the third."""
    met = set()
    for cell in cells:
        met |= {("phase", cell.trouble, cell.phase), ("kind", cell.trouble, cell.kind)}
        met |= {("trouble", cell.phase, cell.kind)}
    return met


@pytest.mark.parametrize("name", MATRICES)
def test_every_fault_meets_every_phase_and_kind_and_every_phase_every_kind(name: str) -> None:
    every = MATRICES[name]
    sample = sampled(every)
    assert pairs(sample) == pairs(every)
    assert set(sample) <= set(every)
    assert len(sample) * 4 < len(every)


@given(st.lists(st.builds(Parts, *[st.sampled_from("abc")] * 3), unique=True))
def test_a_sample_of_any_cells_meets_what_they_meet(every: list[Parts]) -> None:
    sample = sampled(every)
    assert pairs(sample) == pairs(every)
    assert len(set(sample)) == len(sample)
    assert sampled(every) == sample
