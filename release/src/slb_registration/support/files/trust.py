"""Files that are believed: root's and those of the agent's own user, which nobody else can write.

What others may write could register this VM anywhere with the account's keys, or have a program of
theirs run that reads them. The group counts as the user: it may read the keys in agent.json, too.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
from collections import deque
from pathlib import Path

from slb_registration.support.files.small_files import open_regular, read_open

MOST_LINKS = 40
"""That Linux follows on the way to a file, path_resolution(7)."""


class UntrustedError(PermissionError):
    """Others could have written a file, or put another in its place. strerror says so."""

    def __init__(self, what: str, status: os.stat_result, path: Path) -> None:
        mode = stat.S_IMODE(status.st_mode)
        owners = " or ".join(dict.fromkeys(("root", _user(os.geteuid()))))
        text = (
            f"{what} (owner {_user(status.st_uid)}, mode {mode:04o}): it must belong to {owners}, "
            "and be writable for nobody else"
        )
        super().__init__(errno.EPERM, text, str(path))


def open_trusted(path: Path) -> int:
    """Open a regular file to read it; returns its descriptor.

    Raises OSError, and UntrustedError where others could have written it.
    """
    descriptor = open_regular(path)
    try:
        check(os.fstat(descriptor), path)
    except UntrustedError:
        os.close(descriptor)
        raise
    return descriptor


def read_trusted(path: Path, limit: int) -> bytes:
    """Return what a file holds. Raises as open_trusted and read_open do."""
    with os.fdopen(open_trusted(path), "rb") as file:
        return read_open(file, limit)


def check(status: os.stat_result, path: Path) -> None:
    """Raises UntrustedError where others could have written the file of this status."""
    if not _ours(status.st_uid) or _others_write(status):
        raise UntrustedError("others could have written it", status, path)


def check_way(path: Path) -> None:
    """Check that nobody else can put another file in the place of this one, links followed.

    Folder by folder from the root on, so that none can be exchanged after it was looked at. Raises
    OSError, and UntrustedError.
    """
    folder, links = Path("/"), 0
    names = deque(path.parts[1:])
    while names:
        name = names.popleft()
        if name == "..":
            folder = folder.parent
            continue
        entry = folder / name
        status = entry.lstat()
        _check_folder(folder, status)
        if not stat.S_ISLNK(status.st_mode):
            folder = entry
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        target = entry.readlink()
        folder = Path("/") if target.is_absolute() else folder
        names.extendleft(reversed(target.parts[1:] if target.is_absolute() else target.parts))


def _check_folder(folder: Path, entry: os.stat_result) -> None:
    status = folder.stat()
    # In a sticky folder (/tmp) others take away what is theirs alone.
    kept = status.st_mode & stat.S_ISVTX and _ours(entry.st_uid)
    if not _ours(status.st_uid) or (_others_write(status) and not kept):
        what = f"others could put another file in its place, since the folder {folder} is open"
        raise UntrustedError(what, status, folder)


def _ours(uid: int) -> bool:
    return uid in (0, os.geteuid())


def _others_write(status: os.stat_result) -> bool:
    by_group = status.st_mode & stat.S_IWGRP and status.st_gid not in (0, os.getegid())
    return bool(by_group or status.st_mode & stat.S_IWOTH)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
