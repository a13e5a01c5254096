"""Brings the blobs that config/blobs.yml lists into blobs/, and makes sure that they are right."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bosh_release.blobs.wheels import Wheel, downloaded, parse_wheel
from bosh_release.source.specs import Blob, absolute, read_blobs
from bosh_release.support.atomic import write_atomically
from bosh_release.support.digests import digest_of_file, parse_digest, pieces_of
from bosh_release.support.errors import ContextError, ReleaseError, os_failure, raise_all
from bosh_release.support.threads import map_in_threads

_AT_ONCE = 4  # each download is a pip of its own, which mostly waits

Fetch = Callable[[Wheel], AbstractContextManager[Path]]


@dataclass(frozen=True)
class Outcome:
    """The outcome for one blob."""

    blob: Blob
    brought: bool  # False: it was there already


class Progress(Protocol):
    """Is told how far the work is; may be told from several threads."""

    def start(self, total: int) -> None:
        """There are `total` blobs to look at."""

    def done(self, outcome: Outcome) -> None:
        """One blob is in place."""


def bring_blobs(
    release_dir: Path | str, progress: Progress, fetch: Fetch = downloaded
) -> list[Outcome]:
    """Bring every blob that is missing or not as listed; those that are right are left alone.

    A file appears in blobs/ only when its size and SHA256 are right, so an interrupted run is
    simply repeated. Raises ReleaseError with all that failed; nothing is ever removed.
    """
    folder = absolute(release_dir)
    blobs = read_blobs(folder)
    progress.start(len(blobs))

    def attempt(blob: Blob) -> Outcome | ReleaseError:
        try:
            outcome = Outcome(blob, _bring(folder, blob, fetch))
        except ReleaseError as error:
            return ContextError(f"Getting blob '{blob.path}'", error)
        progress.done(outcome)
        return outcome

    results = map_in_threads(attempt, blobs, _AT_ONCE)
    raise_all([result for result in results if isinstance(result, ReleaseError)])
    return [result for result in results if isinstance(result, Outcome)]


def _bring(folder: Path, blob: Blob, fetch: Fetch) -> bool:
    target = folder / "blobs" / blob.path
    if target.is_file() and _flaw(target, blob) is None:
        return False
    with fetch(parse_wheel(blob.path)) as path:
        flaw = _flaw(path, blob)
        if flaw is not None:
            raise ReleaseError(
                f"{flaw}\nIt was not put into blobs/. Either config/blobs.yml is wrong, or the"
                " package index does not have the file that was meant: find out before using it."
            )
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise os_failure("mkdir", target.parent, error) from error
        write_atomically(target, pieces_of(path))
    return True


def _flaw(path: Path, blob: Blob) -> str | None:
    """Say in what a file differs from config/blobs.yml."""
    size = path.stat().st_size
    if size != blob.size:
        return f"It has {size} bytes, but config/blobs.yml says {blob.size}."
    wanted = parse_digest(blob.digest)
    digest = digest_of_file(path, wanted.algorithm)
    if digest != wanted:
        return f"It has the digest {digest}, but config/blobs.yml says {wanted}."
    return None
