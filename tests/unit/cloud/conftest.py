"""Answers for the SDK, and an end for the connections that it keeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses
from tests.unit.cloud.calling import Answers, made


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Connections that the SDK keeps alive are closed: a warning about one is an error here."""
    yield
    while made:
        made.pop().close()


@pytest.fixture
def answers(sdk: responses.RequestsMock) -> Answers:
    return Answers(sdk)
