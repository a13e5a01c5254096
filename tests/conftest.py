"""Which tests stay in one process where several run them (pytest-xdist)."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
TOGETHER = ("lifecycle", "integration", "faults/test_matrix.py")
"""They run side by side by themselves, or share what is dear to set up."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for place in TOGETHER:
            if item.path.is_relative_to(HERE / place):
                item.add_marker(pytest.mark.xdist_group(place))
