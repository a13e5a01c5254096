"""What is fuzzed: a property that must hold for every input, and how inputs are made.

One definition serves both engines: hypothesis in the tests, atheris in `make fuzz`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

SUPPRESSED = (
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
    HealthCheck.filter_too_much,
)


@dataclass(frozen=True)
class Target:
    """`holds` raises for an input that breaks the property; `examples`: how many in
    `make test-rest`; `make test` has a part of them.

    `raw`: inputs are bytes, so that atheris may hand in its own, beginning with `seeds`.
    `prepare` makes what inputs are made from, where that takes the mocked cloud.
    """

    name: str
    inputs: SearchStrategy[Any]
    holds: Callable[[Any], None]
    examples: int = 60
    raw: bool = False
    seeds: tuple[bytes, ...] = ()
    prepare: Callable[[], object] = lambda: None

    def as_test(self, examples: int, *, derandomize: bool) -> Callable[[], None]:
        """The property as a hypothesis test: the same inputs each time, or ever new ones."""
        self.prepare()
        chosen = settings(
            max_examples=examples,
            derandomize=derandomize,
            database=None,
            deadline=None,
            suppress_health_check=SUPPRESSED,
            print_blob=True,
        )

        def holds(value: Any) -> None:
            self.holds(value)

        holds.__name__ = holds.__qualname__ = self.name
        test: Callable[[], None] = chosen(given(self.inputs)(holds))
        return test
