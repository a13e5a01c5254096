"""stdout and stderr of the commands: the one is what was asked for, the other waits for nobody."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO, cast

from slb_registration.support.logs.outlet import Outlet, wait_for_room


@contextlib.contextmanager
def patient_stderr() -> Iterator[None]:
    """Let nothing in this process wait for stderr: neither tracebacks of threads nor warnings."""
    before = sys.stderr
    outlet = Outlet(before)
    sys.stderr = cast(TextIO, outlet)
    try:
        yield
    finally:
        outlet.finish()
        sys.stderr = before


def answer(text: str) -> None:
    """Print what was asked for, whole, however long it takes to be read. Raises OSError."""
    try:
        descriptor = sys.stdout.fileno()
    except io.UnsupportedOperation:  # a stream in memory
        sys.stdout.write(text)
        return
    sys.stdout.flush()
    left = text.encode(sys.stdout.encoding, "backslashreplace")
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:  # whoever shares it has made it so
            wait_for_room(descriptor)
