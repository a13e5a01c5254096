"""An account and the errand for the tests of its warnings."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.preflight.well_configured import Stage

from mock_slb.server import MockServer


@pytest.fixture
def stage(account_server: MockServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    return Stage(account_server, tmp_path, capsys)
