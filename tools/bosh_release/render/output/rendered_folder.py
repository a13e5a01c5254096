"""Writes rendered jobs as they lie on a VM, all or nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bosh_release.render.output.exchange import exchange
from bosh_release.support import interrupts
from bosh_release.support.errors import ReleaseError
from bosh_release.support.scratch import parents_made, scratch_folder

# As the BOSH agent sets them (rendered_job_applier); files may hold secrets.
_FOLDER_MODE = 0o750
_FILE_MODE = 0o640
_PROGRAM_MODE = 0o750
# Stands in a folder that `render` made, so that only such a folder is ever replaced.
MARKER = ".rendered"
_MARKER_TEXT = b"Made by tools/release.py render, which replaces this whole folder.\n"


@dataclass(frozen=True)
class RenderedFile:
    """A file of a job; `path` is relative to the job's folder."""

    path: str
    content: bytes


@dataclass(frozen=True)
class RenderedJob:
    """A job's files, monit included."""

    name: str
    files: tuple[RenderedFile, ...]


def check_replaceable(folder: Path) -> None:
    """Raise ReleaseError if a folder holds anything but an earlier rendering."""
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise ReleaseError(f"{folder} is not a folder; choose another --output")
    try:
        has_content = any(folder.iterdir())
    except OSError as error:
        raise ReleaseError(f"{folder}: {error.strerror}") from error
    if has_content and not (folder / MARKER).is_file():
        raise ReleaseError(
            f"{folder} is not empty and not an earlier rendering; nothing was changed. "
            "Choose another --output or empty it"
        )


def write(jobs: Sequence[RenderedJob], folder: Path) -> None:
    """Make `folder` hold exactly these jobs, as FOLDER/JOB/…; it changes at once or not at all.

    Raises ReleaseError where the folder holds something else or cannot be written.
    """
    check_replaceable(folder)
    target = folder.resolve()
    try:
        with parents_made(target), scratch_folder(f".{target.name}.", target.parent) as scratch:
            new = scratch / "new"
            _make_folder(new)
            _write_file(new / MARKER, _MARKER_TEXT, _FILE_MODE)
            for job in jobs:
                _write_job(job, new / job.name)
            interrupts.work_is_done()
            _swap(new, target, scratch / "old")
    except OSError as error:
        raise ReleaseError(f"{error.filename or target}: {error.strerror}") from error


def _write_job(job: RenderedJob, folder: Path) -> None:
    _make_folder(folder)
    for file in job.files:
        path = folder / file.path
        for parent in reversed(path.relative_to(folder).parents):
            if not (folder / parent).exists():
                _make_folder(folder / parent)
        is_program = file.path.startswith("bin/")
        _write_file(path, file.content, _PROGRAM_MODE if is_program else _FILE_MODE)


def _make_folder(path: Path) -> None:
    path.mkdir(mode=0o700)
    path.chmod(_FOLDER_MODE)  # whatever the umask


def _write_file(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(descriptor, mode)


def _swap(new: Path, target: Path, old: Path) -> None:
    if not target.exists():
        new.rename(target)
    elif not exchange(new, target):  # on a system that cannot, there is a moment without a target
        target.rename(old)
        try:
            new.rename(target)
        except OSError:
            old.rename(target)
            raise
