"""What is left to `make test-rest`: all but a few of many examples of one behaviour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet


def but(few: Collection[Any], every: Iterable[Any]) -> list[ParameterSet]:
    """Parameters for `pytest.mark.parametrize`: `make test` has only the `few` of these."""
    params = [pytest.param(one, marks=() if one in few else pytest.mark.thorough) for one in every]
    assert sum(not param.marks for param in params) == len(few)
    return params


EXAMPLES = 4
"""So many of one test are in `make test`: most tests have fewer. What breaks one behaviour breaks
its first example, its last, or one between them; CI plays all."""


def leave_most(items: Iterable[pytest.Function]) -> None:
    """Mark those beyond EXAMPLES of a test that does not say itself which few are enough."""
    examples = defaultdict(list)
    for item in items:
        examples[item.path, item.cls, item.originalname].append(item)
    for every in examples.values():
        if any(item.get_closest_marker("thorough") for item in every):
            continue
        few = spread(len(every), EXAMPLES)
        for number, item in enumerate(every):
            if number not in few:
                item.add_marker(pytest.mark.thorough)


def spread(count: int, few: int) -> Sequence[int]:
    """So few of the numbers below `count`, the first and the last among them."""
    if count <= few:
        return range(count)
    return [round(number * (count - 1) / (few - 1)) for number in range(few)]
