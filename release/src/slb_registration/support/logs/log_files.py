"""The files that this process logs to.

They are in a folder where any process of vcap may have put something else in their place: each is
opened as vcap, without following a link and without waiting for a pipe. Where that fails, it is
said on stderr, and stops nothing.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from slb_registration.support.files.small_files import open_own
from slb_registration.support.logs.outlet import Outlet, outlet_of


def become_output(folder: Path) -> None:
    """Make agent.stdout.log and agent.stderr.log in `folder` stdout and stderr of this process.

    Where one cannot be opened, the other takes its lines, too, or nothing does. The stderr of
    before is not kept for them: who started the agent may wait for its end, or not read it.
    """
    out, err = (_opened(folder / f"agent.{name}.log") for name in ("stdout", "stderr"))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number, wanted, other in ((1, out, err), (2, err, out)):
        found = [descriptor for descriptor in (wanted, other) if descriptor is not None]
        os.dup2(found[0] if found else nowhere, number)
    for descriptor in (out, err, nowhere):
        if descriptor is not None:
            os.close(descriptor)


def reopen(folder: Path) -> None:
    """Open the files of `become_output` anew, which may have been moved away or removed.

    One that cannot be opened stays as it was.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        descriptor = _opened(folder / f"agent.{name}.log")
        if descriptor is not None:
            os.dup2(descriptor, number)
            os.close(descriptor)


@contextlib.contextmanager
def log_file(path: Path | None) -> Iterator[Outlet | None]:
    """Open a file for a command's log lines; it also gets the traceback of a crash."""
    descriptor = None if path is None else _opened(path)
    if descriptor is None:
        yield None
        return
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        outlet = Outlet(file)
        try:
            yield outlet
        except Exception:
            outlet.write(traceback.format_exc())
            raise
        finally:
            outlet.finish()


def _opened(path: Path) -> int | None:
    try:
        return open_own(path)
    except OSError as error:
        listener = outlet_of(sys.stderr)
        listener.write(f"slb-registration: cannot log to {path}: {error.strerror}\n")
        listener.finish()  # before stderr becomes something else
        return None
