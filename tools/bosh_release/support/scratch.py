"""Files and folders for a while: gone afterwards, whatever ends the work.

`with` alone is not enough for that: a signal can interrupt the very clearing up. So what is not
yet cleared up is known, and a process that is interrupted ends with `remove_remains`.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_remains: dict[Path, None] = {}
_new_folders: dict[Path, None] = {}


@contextmanager
def scratch_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Make a folder that only this user may enter; it goes with all that is in it.

    Raises OSError if it cannot be made.
    """
    with scratch_path(Path(parent or tempfile.gettempdir()), prefix) as path:
        path.mkdir(mode=0o700)
        yield path


@contextmanager
def scratch_path(parent: Path, prefix: str) -> Iterator[Path]:
    """Name a file or folder that does not exist; if it does afterwards, it goes."""
    path = parent / f"{prefix}{os.urandom(8).hex()}"
    _remains[path] = None  # before it exists
    try:
        yield path
    finally:
        _remove(path)


@contextmanager
def parents_made(path: Path) -> Iterator[None]:
    """Make the folders above `path` that are missing; if the block fails, they go again.

    Raises OSError if one cannot be made.
    """
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in missing:
        _new_folders[folder] = None
    try:
        _make_parents(path)
        yield
    except BaseException:
        _remove_folders(missing)
        raise
    for folder in missing:
        del _new_folders[folder]


def _make_parents(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        reason = os.strerror(errno.ENOTDIR)
        raise NotADirectoryError(errno.ENOTDIR, reason, str(path.parent)) from error


def remove_remains() -> None:
    """Remove what an interrupt kept from being removed."""
    for path in list(_remains):
        _remove(path)
    _remove_folders(sorted(_new_folders, reverse=True))


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    _remains.pop(path, None)


def _remove_folders(folders: list[Path]) -> None:
    """Remove folders, the innermost first, unless others have put something there."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
        _new_folders.pop(folder, None)
