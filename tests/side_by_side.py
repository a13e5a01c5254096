"""Which tests one process has, where several run side by side (pytest-xdist).

By the names of the tests, because xdist's own groups are lost without a word with pytest 9.2: then
two processes each played the whole of a folder whose first test begins all.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

FOLDERS = ("integration", "lifecycle")
"""Whose first test begins all: one process must have all of them."""
ONE_BY_ONE = ("faults/test_matrix.py", "fuzz/test_targets.py")
"""Modules that share nothing among their tests, and are long."""


class ByPlace(LoadScopeScheduling):
    """Gives the tests of a module, or of a folder, to one process: what has many tests first."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def unit_of(nodeid: str) -> str:
    """Return what a test is given to a process with."""
    module = nodeid.partition("::")[0]
    folder, _, name = module.removeprefix("tests/").partition("/")
    if folder in FOLDERS:
        return folder
    return nodeid if f"{folder}/{name}" in ONE_BY_ONE else module
