from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from slb_registration.probes.probing import ScriptCheck


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., ScriptCheck]:
    def write(text: str, timeout_seconds: float = 5.0, mode: int = 0o755) -> ScriptCheck:
        file = tmp_path / "check"
        file.write_text(text)
        file.chmod(mode)
        return ScriptCheck(str(file), timeout_seconds)

    return write
