"""What holds for all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from tests import thorough

HERE = Path(__file__).parent
_OF_A_TERMINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


def pytest_configure() -> None:
    """Let no program that a test starts inherit that a signal is ignored.

    It is where a script has started the tests in the background, or nohup. They go on ignoring it
    themselves, by a handler: those end with the program.
    """
    for number in _OF_A_TERMINAL:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _ignore)


def _ignore(number: int, frame: FrameType | None) -> None:
    del number, frame


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Say how many processes `--numprocesses auto` means: one more than processors, because some
    tests wait (on two, make test took 1:51 instead of 2:07)."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Say which tests one process has, where several run side by side."""
    from tests.side_by_side import ByPlace

    return ByPlace(config, log)


@pytest.hookimpl(tryfirst=True)  # before what is not asked for is left out
def pytest_collection_modifyitems(items: Sequence[pytest.Function]) -> None:
    """Leave most examples to `make test-rest`."""
    thorough.leave_most(items, HERE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much is not compared where there is nothing to compare with."""
    skipped = [
        report
        for report in terminalreporter.getreports("skipped")
        if isinstance(report.longrepr, tuple) and "the BOSH CLI" in report.longrepr[2]
    ]
    if skipped:
        terminalreporter.line(
            f"{len(skipped)} comparisons with the BOSH CLI were skipped: bosh is not on PATH"
        )
