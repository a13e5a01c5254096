#!/usr/bin/env python3
"""Builds, checks and renders the BOSH release: see `tools/release.py --help`."""

import _signal  # type: ignore[import-not-found]  # first: anything else would load more before
import os
import sys


def _leave_at_once(number: int, _frame: object) -> None:
    os._exit(128 + number)


# There is nothing to undo yet, and loading takes as long as many a build.
for _number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
    if _signal.getsignal(_number) != _signal.SIG_IGN:  # nohup, or a shell's `&`
        _signal.signal(_number, _leave_at_once)

from importlib.util import find_spec  # noqa: E402
from pathlib import Path  # noqa: E402

_NEEDED = {"yaml": "PyYAML"}
if "sbom" in sys.argv:
    _NEEDED["cyclonedx"] = "cyclonedx-python-lib"

# An interpreter that lacks one of them goes on as that of .venv.
for _module, _package in _NEEDED.items():
    if find_spec(_module) is None:
        python = str(Path(__file__).resolve().parents[1] / ".venv/bin/python")
        if sys.executable == python or not Path(python).exists():
            sys.exit(f"{sys.executable} has no {_package}: run `make setup` once.")
        os.execv(python, [python, *sys.argv])  # noqa: S606

from bosh_release.cli import main  # noqa: E402
from bosh_release.command_line import process  # noqa: E402

if __name__ == "__main__":
    sys.exit(process.run(main))
