"""Writes files so that a reader sees the whole new file or none of it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bosh_release.errors import os_failure


@dataclass(frozen=True)
class Written:
    """What was written."""

    size: int
    sha256: str


def write_atomically(path: Path, pieces: Iterable[bytes]) -> Written:
    """Write `pieces` beside `path` and rename the result; on any failure nothing is left.

    Raises ReleaseError if the place cannot be written to.
    """
    total, size = hashlib.sha256(), 0
    part = None
    try:
        descriptor, part = tempfile.mkstemp(".tgz.part", f".{path.name}.", path.parent)
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
                total.update(piece)
                size += len(piece)
            os.fchmod(file.fileno(), 0o666 & ~_umask())
        Path(part).rename(path)
        part = None
    except OSError as error:
        raise os_failure("write", path, error) from error
    finally:
        if part is not None:
            Path(part).unlink()
    return Written(size, total.hexdigest())


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
