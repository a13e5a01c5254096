"""The command line as a person at a shell has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.driver import ACCESS_KEY, SECRET_KEY
from tests.unit.rendered import rendered

from slb_registration.commands import cli

TOKEN = "CAIS-a-Security-Token"
COMMANDS = (
    "run", "validate", "check", "orphans", "wait", "healthy", "drain", "status", "hold", "resume",
)  # fmt: skip


class Shell:
    """Runs the command line in this process; secrets that get through fail the test."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.configure()

    def configure(self, **properties: Any) -> None:
        given = {
            "access_key": ACCESS_KEY,
            "secret_key": SECRET_KEY,
            "security_token": TOKEN,
            "load_balancer_id": "lb-1",
            **properties,
        }
        rendered(self.folder, given)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        command, *rest = arguments
        config = ["--config", str(self.folder / "agent.json")]
        code = cli.main([command, *config, *rest])
        out, err = self._capsys.readouterr()
        for secret in (ACCESS_KEY, SECRET_KEY, TOKEN):
            assert secret not in out + err
        assert "Traceback" not in out + err
        return code, out, err


def answer(value: Any) -> Callable[..., Any]:
    """Return a function that answers with this, or raises it."""

    def function(*arguments: Any, **options: Any) -> Any:
        if isinstance(value, BaseException):
            raise value
        return value

    return function
