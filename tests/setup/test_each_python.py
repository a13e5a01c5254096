"""Which interpreters the tests are run on, and that they may be started in the background."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests import each_python
from tests.paths import ROOT


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a program into a folder that is looked at; it answers as an interpreter would."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(each_python, "PLACES", ("~/.pyenv/versions/*/bin",))

    def run(path: str, answer: str, code: int = 0) -> Path:
        program = tmp_path / path
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\necho '{answer}'\nexit {code}\n")
        program.chmod(0o755)
        return program

    return run


def test_the_newest_of_each_supported_version_is_found(put) -> None:
    put("bin/python3", "cpython 3 13 1 True True")
    put("bin/python3.11", "cpython 3 11 2 True False")  # without what makes an environment
    newest = put(".pyenv/versions/3.13.4/bin/python3", "cpython 3 13 4 True True")
    put(".pyenv/versions/3.9.1/bin/python3", "cpython 3 9 1 True True")
    put(".pyenv/versions/3.15.0/bin/python3", "cpython 3 15 0 True True")
    put(".pyenv/versions/pypy/bin/python3", "pypy 3 10 1 True True")
    put("bin/python3.10", "cpython 3 10 1 False True")  # of a virtual environment
    put("bin/python3.12", "pyenv: python3.12: command not found", 127)  # a shim

    found = each_python.found()

    assert [(one.version, one.complete) for one in found] == [
        ((3, 11, 2), False),
        ((3, 13, 4), True),
    ]
    assert found[1].path == newest


def test_where_there_is_no_other_that_is_said(put, capsys: pytest.CaptureFixture[str]) -> None:
    put("bin/python3", "cpython {} {} {} True True".format(*sys.version_info[:3]))
    assert each_python.main() == 0
    assert "no other CPython" in capsys.readouterr().out


def test_tests_that_interrupt_pass_where_a_script_has_started_them_in_the_background() -> None:
    done = subprocess.run(
        [
            *("bash", "-c", "trap '' INT QUIT HUP; exec \"$@\"", "bash", sys.executable, "-m"),
            *("pytest", "-q", "-p", "no:cacheprovider", "-k", "told_to_stop"),
            "tests/unit/mock_slb/test_cli.py",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
