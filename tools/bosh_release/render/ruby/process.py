"""Runs the .rb programs beside this module with the Ruby that is on PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from bosh_release.support import children
from bosh_release.support.errors import ReleaseError

_PROGRAMS = Path(__file__).parent
_ENVIRONMENT_KEPT = ("PATH", "HOME", "TMPDIR")


def run_ruby(
    program: str,
    request: bytes,
    *,
    timeout_seconds: float,
    options: Sequence[str] = (),
    printed: IO[bytes] | None = None,
) -> bytes:
    """Return what a program wrote to its standard output, whatever its exit code.

    What it writes to standard error goes into `printed`, or to our own.
    Raises ReleaseError where there is no Ruby, and subprocess.TimeoutExpired.
    """
    ruby = shutil.which("ruby")
    if ruby is None:
        raise ReleaseError(
            "Rendering needs Ruby, and there is no `ruby` on PATH. "
            "Install it (Debian, Ubuntu: apt-get install ruby) or run `make setup`."
        )
    # Templates are UTF-8 whatever the locale of whoever renders, and variables such as RUBYOPT
    # must not change what comes out.
    environment = {name: os.environ[name] for name in _ENVIRONMENT_KEPT if name in os.environ}
    environment["LC_ALL"] = "C.UTF-8"
    command = [ruby, *options, "-EUTF-8:", str(_PROGRAMS / program)]
    try:
        output: bytes = children.run(
            command,
            given=request,
            stdout=subprocess.PIPE,
            stderr=printed,
            env=environment,
            timeout_seconds=timeout_seconds,
        ).stdout
    except OSError as error:
        raise ReleaseError(f"Ruby cannot be started: {ruby}: {error.strerror}") from error
    return output
