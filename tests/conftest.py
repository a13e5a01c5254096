"""What holds for all tests."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import pytest
from tests import thorough

HERE = Path(__file__).parent
SIDE_BY_SIDE = ("integration", "lifecycle")
"""Folders whose first test begins all: one process must have all of them."""
ONE_BY_ONE = ("faults/test_matrix.py", "fuzz/test_targets.py")
"""Modules that share nothing among their tests, and are long."""
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


@pytest.hookimpl(tryfirst=True)  # before what is not asked for is left out
def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Function]) -> None:
    """Leave most examples to `make test-rest`, and say which tests `--dist loadgroup` gives to one
    process: those of a module, or a folder."""
    thorough.leave_most(items, HERE)
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        place = item.path.relative_to(HERE)
        if place.parts[0] in SIDE_BY_SIDE:
            item.add_marker(pytest.mark.xdist_group(place.parts[0]))
        elif str(place) not in ONE_BY_ONE:
            item.add_marker(pytest.mark.xdist_group(str(place)))


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
