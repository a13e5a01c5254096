"""Writes files so that a reader sees the whole new file or none of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from bosh_release.support import interrupts
from bosh_release.support.errors import os_failure
from bosh_release.support.scratch import scratch_path


class Written(NamedTuple):
    """The size and SHA256 of the file that was written."""

    size: int
    sha256: str


def write_atomically(path: Path, pieces: Iterable[bytes]) -> Written:
    """Write `pieces` beside `path` and rename the result; on any failure nothing is left.

    Raises ReleaseError if the place cannot be written to.
    """
    try:
        with scratch_path(path.parent, ".release-") as part:
            written = write_new(part, pieces)
            part.rename(path)
    except OSError as error:
        raise os_failure("write", path, error) from error
    return written


def write_new(path: Path, pieces: Iterable[bytes]) -> Written:
    """Write a file that does not exist. Raises OSError."""
    total, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        for piece in pieces:
            interrupts.check()
            file.write(piece)
            total.update(piece)
            size += len(piece)
    return Written(size, total.hexdigest())
