from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.commands.orphans.operator_account import Operator

from mock_slb.server import MockServer
from slb_registration.commands import errand
from slb_registration.commands.orphans import removal


@pytest.fixture
def operator(
    account_server: MockServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Operator:
    return Operator(account_server, tmp_path, capsys)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that fails is not repeated."""
    monkeypatch.setattr(errand, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(removal, "SEEN_SECONDS", 0.0)
