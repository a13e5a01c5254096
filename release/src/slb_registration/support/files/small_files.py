"""Small files: written so that they are whole or not there, read so that nothing odd hurts."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

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
    """Replace `path` by `text` at once, and for good once this returns. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # One that was left there, a pipe or a link, is not written to.
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        move(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def move(path: Path, to: Path) -> None:
    """Rename a file within its folder, for good once this returns. Raises OSError."""
    path.replace(to)
    _sync_folder(to.parent)


def remove(path: Path) -> bool:
    """Remove a file, for good once this returns; whether it was there. Raises OSError."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    _sync_folder(path.parent)
    return True


def _sync_folder(folder: Path) -> None:
    """A name that was changed may come back after a power failure, unless its folder is synced."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # which a file system says that cannot
            raise
    finally:
        os.close(descriptor)


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a regular file; returns its descriptor. Raises OSError.

    Anything else of that name (a pipe, a device, a folder) is refused, and not waited for.
    """
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY, 0o640)
    except OSError as error:
        # What open says of a link, and of a socket or a pipe that nobody reads, helps nobody.
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise _no_regular_file(path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_regular_file(path)
    return descriptor


class TooLongError(OSError):
    """A file holds more than it may."""

    def __init__(self, limit: int, path: object) -> None:
        super().__init__(errno.EFBIG, f"is longer than {limit} bytes", str(path))


def read_open(file: BinaryIO, limit: int) -> bytes:
    """Return what an open file holds. Raises OSError, and TooLongError where it is over `limit`."""
    content = file.read(limit + 1)
    if len(content) > limit:
        raise TooLongError(limit, file.name)
    return content


def read_small(path: Path, limit: int) -> bytes:
    """Return what a regular file holds. Raises as open_regular and read_open do."""
    with os.fdopen(open_regular(path), "rb") as file:
        return read_open(file, limit)


def open_own(path: Path) -> int:
    """Open a file of ours to append to, making it where it is missing; returns its descriptor.

    No link is followed: it would be someone else's file. Raises OSError.
    """
    return open_regular(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW)


def _no_regular_file(path: Path) -> OSError:
    return OSError(errno.EINVAL, "is no regular file", str(path))
