"""tools/release.py without a process of its own, for tests that run it often."""

from __future__ import annotations

import contextlib
import io

from bosh_release.cli import main


class RefusedError(Exception):
    """What it said where it did not succeed."""


def release(*arguments: str) -> None:
    """Run one of its commands. Raises RefusedError."""
    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        code = main(arguments)
    if code != 0:
        raise RefusedError(errors.getvalue())
