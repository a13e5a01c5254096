"""The command line in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.commands.shell import Shell


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)
