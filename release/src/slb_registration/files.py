"""Small files: written so that they are whole or not there, read so that nothing odd hurts."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

Version = tuple[int, ...]
"""What changes when a file is written or replaced."""


def version_of(status: os.stat_result) -> Version:
    """The version of a file that has this status."""
    # The time of the last change as well: a change of owner or mode changes nothing else.
    return (
        *(status.st_dev, status.st_ino, status.st_size),
        *(status.st_mtime_ns, status.st_ctime_ns),
    )


def write_whole(path: Path, text: str, *, mode: int = 0o640) -> None:
    """Replace `path` by `text` at once. Its owner becomes that of the folder, as the scripts of
    the job write as root what the agent must be able to remove. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # Root writes into a folder of another user: no link of theirs is followed.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        descriptor = os.open(temporary, flags, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            if os.geteuid() == 0:
                folder = path.parent.stat()
                os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def read_bounded(path: Path, limit: int) -> bytes:
    """Return what a regular file holds. Raises OSError, also where it is longer than `limit`.

    A pipe or a device of that name is refused, and not waited for.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is no regular file", str(path))
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"is longer than {limit} bytes", str(path))
    return content
