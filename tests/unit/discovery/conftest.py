"""A region in which nothing carries the tags yet."""

from __future__ import annotations

import pytest
from tests.unit.discovery.region import Region


@pytest.fixture
def region() -> Region:
    return Region()
