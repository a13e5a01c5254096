"""Every target with a small budget and the same inputs each time; `make fuzz` has the long one."""

from __future__ import annotations

import pytest
from tests.fuzz.catalogue import TARGETS
from tests.fuzz.target import Target


@pytest.mark.thorough
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_it_holds_for_hostile_input(target: Target):
    target.as_test(target.examples, derandomize=True)()
