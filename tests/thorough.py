"""What is left to `make test-rest`: all but a few of many examples of one behaviour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet


def but(few: Collection[Any], every: Iterable[Any]) -> list[ParameterSet]:
    """Parameters for `pytest.mark.parametrize`: `make test` has only the `few` of these."""
    params = [pytest.param(one, marks=() if one in few else pytest.mark.thorough) for one in every]
    assert sum(not param.marks for param in params) == len(few)
    return params


EXAMPLES = 2
"""So many of one test are in `make test`: most tests have fewer. What breaks one behaviour mostly
breaks its first example or its last; CI plays all."""
MAIN_WAYS = {
    "integration": {"test_registration.py", "test_drain.py", "test_products.py", "test_readme.py"},
    "lifecycle": {"test_scripts.py", "test_order.py", "test_monit.py"},
}
"""Of the folders whose tests start processes and wait for them, what `make test` has."""


def leave_most(items: Iterable[pytest.Function], tests: Path) -> None:
    """Mark what is aside of the main ways, and examples beyond EXAMPLES of a test that does not
    say itself which few are enough. `tests`: the folder of all."""
    examples = defaultdict(list)
    for item in items:
        examples[item.path, item.cls, item.originalname].append(item)
    for (path, _, _), every in examples.items():
        folder = path.relative_to(tests).parts[0]
        if any(item.get_closest_marker("thorough") for item in every):
            few: Collection[int] = range(len(every))
        elif path.name not in MAIN_WAYS.get(folder, {path.name}):
            few = ()
        else:
            few = spread(len(every), EXAMPLES)
        for number, item in enumerate(every):
            if number not in few:
                item.add_marker(pytest.mark.thorough)


def spread(count: int, few: int) -> Collection[int]:
    """So few of the numbers below `count`, the first and the last among them."""
    if count <= few:
        return range(count)
    return {round(number * (count - 1) / max(1, few - 1)) for number in range(few)}
