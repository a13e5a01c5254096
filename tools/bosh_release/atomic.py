"""Writes files so that a reader sees the whole new file or none of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bosh_release.errors import os_failure


class Written(NamedTuple):
    """What was written."""

    size: int
    sha256: str


def write_atomically(path: Path, pieces: Iterable[bytes]) -> Written:
    """Write `pieces` beside `path` and rename the result; on any failure nothing is left.

    Raises ReleaseError if the place cannot be written to.
    """
    total, size = hashlib.sha256(), 0
    part = path.with_name(f".{os.urandom(8).hex()}.tgz.part")
    try:
        with part.open("xb") as file:
            for piece in pieces:
                file.write(piece)
                total.update(piece)
                size += len(piece)
        part.rename(path)
    except OSError as error:
        raise os_failure("write", path, error) from error
    finally:
        with suppress(OSError):  # if all went well it is not there any more
            part.unlink()
    return Written(size, total.hexdigest())
