"""What the tests under faults share: no threads, no disk that is slow, the same every time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .room import single_threaded


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    with single_threaded():
        yield
