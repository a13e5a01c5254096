"""What is left to `make test-rest`: all but a few of many examples of one behaviour."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet


def but(few: Collection[Any], every: Iterable[Any]) -> list[ParameterSet]:
    """Parameters for `pytest.mark.parametrize`: `make test` has only the `few` of these."""
    params = [pytest.param(one, marks=() if one in few else pytest.mark.thorough) for one in every]
    assert sum(not param.marks for param in params) == len(few)
    return params
