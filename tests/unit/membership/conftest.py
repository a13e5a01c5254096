"""A VM for the tests of its server groups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.membership.groups_in_memory import Vm


@pytest.fixture
def vm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vm]:
    vm = Vm(tmp_path, monkeypatch)
    yield vm
    vm.stop()
