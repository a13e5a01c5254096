"""What holds for all tests."""

from __future__ import annotations

import signal
from types import FrameType

import pytest

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
