"""What the tests under faults share: no threads, no disk that is slow, the same every time."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from tests.faults.room import single_threaded


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    # A cell leaves little garbage in cycles: looking for it after every 700 objects takes 14 %.
    before = gc.get_threshold()
    gc.set_threshold(50_000)
    with single_threaded():
        yield
    gc.set_threshold(*before)
