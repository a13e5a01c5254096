"""Which tests one process has, where several run side by side."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict

import pytest
from tests.paths import ROOT
from tests.side_by_side import unit_of


@pytest.mark.parametrize(
    ("test", "unit"),
    [
        ("tests/unit/model/test_errors.py::test_it[a/b::c]", "tests/unit/model/test_errors.py"),
        ("tests/integration/test_drain.py::test_it", "integration"),
        ("tests/lifecycle/test_demo.py::test_it[15]", "lifecycle"),
        ("tests/faults/test_matrix.py::test_it[x]", "tests/faults/test_matrix.py::test_it[x]"),
        ("tests/faults/test_day.py::test_it[clb]", "tests/faults/test_day.py"),
    ],
)
def test_a_module_or_a_folder_is_for_one_process(test: str, unit: str) -> None:
    assert unit_of(test) == unit


def test_pytest_and_xdist_keep_to_it() -> None:
    """They did not, when pytest had a new form for the names of tests: nothing failed, and two
    processes did the same."""
    command = "-m pytest -v -p no:cacheprovider --numprocesses 2 tests/unit/config"
    done = subprocess.run(
        [sys.executable, *command.split()],
        cwd=ROOT,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=True,
    )

    processes = defaultdict(set)
    for process, test in re.findall(r"^\[(gw\d)\] .*PASSED (\S+)::", done.stdout, re.MULTILINE):
        processes[test].add(process)
    assert len(processes) > 1, done.stdout
    assert {len(every) for every in processes.values()} == {1}
    assert len(set.union(*processes.values())) == 2  # both have something to do
