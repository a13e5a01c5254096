"""The state in git of the checkout that a release is built from."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bosh_release.support import children
from bosh_release.support.errors import ContextError, ReleaseError

# A checkout that another user owns is read all the same: its owner must not change what is built.
# Nothing in the repository is written, not even its index, and no program that it names is started.
_GIT = (
    *("git", "--no-optional-locks", "--no-replace-objects"),
    *("-c", "safe.directory=*", "-c", "core.fsmonitor=false"),
)


class GitState(NamedTuple):
    """The commit, and whether the files differ from it."""

    commit_hash: str  # abbreviated; `non-git` or `empty` where there is none
    uncommitted_changes: bool


class Commit(NamedTuple):
    """A commit, whichever checkout it was found in."""

    digest: str  # hex, all of it
    seconds: int  # since 1970: when it was committed


def git_state(folder: Path, *, force: bool = False) -> GitState:
    """Return the state of the repository around `folder`.

    Raises ReleaseError if there are uncommitted changes, unless `force`.
    """
    if _nowhere_around(folder):
        return GitState("non-git", uncommitted_changes=False)
    # both at once: most of their time is starting
    with (
        _start(folder, "status", "--porcelain=1") as status,
        _start(folder, "rev-parse", "--short", "HEAD") as head,
    ):
        changes, why_no_status = _finish(status)
        commit, why_no_commit = _finish(head)
    if changes is None:
        if _is_repository(folder):
            raise ContextError("Checking status", ReleaseError(why_no_status))
        return GitState("non-git", uncommitted_changes=False)
    if changes and not force:
        raise ReleaseError(
            f"Git repository has local modifications:\n\n{changes}\n\n"
            "Commit them, or build with --force."
        )
    if commit is None:
        if "Needed a single revision" not in why_no_commit:
            raise ContextError("Checking last commit SHA", ReleaseError(why_no_commit))
        commit = "empty"
    return GitState(commit, bool(changes))


def last_commit(folder: Path) -> Commit | None:
    """Return the commit that is checked out around `folder`, or None where there is none."""
    if _nowhere_around(folder):
        return None
    # plumbing: what a user has set for `git log` has no say
    with _start(folder, "rev-list", "--max-count=1", "--timestamp", "HEAD", "--") as found:
        line, _ = _finish(found)
    if line is None:
        return None
    seconds, digest = line.split()
    return Commit(digest, int(seconds))


def untracked_files(folder: Path) -> frozenset[Path]:
    """Return the files in `folder` that no commit has, ignored ones too: their absolute paths."""
    if _nowhere_around(folder):
        return frozenset()
    with _start(folder, "ls-files", "-z", "--others") as listing:
        names, _ = _finish(listing)
    return frozenset(folder / name for name in (names or "").split("\0") if name)


def is_ignored(folder: Path, path: Path) -> bool:
    """Tell whether git would not notice `path`; true outside of any repository."""
    if _nowhere_around(folder):
        return True
    with _start(folder, "check-ignore", "-q", str(path)) as check:
        _finish(check)
    return check.returncode != 1


def _nowhere_around(folder: Path) -> bool:
    """Tell whether git would find no repository, so that it need not be started.

    It looks upwards for `.git`, or for a bare repository, which has `objects`.
    """
    if "GIT_DIR" in os.environ:
        return False
    here = folder.resolve()
    return not any(
        os.path.lexists(place / name)
        for place in (here, *here.parents)
        for name in (".git", "objects")
    )


class _NoGit:
    """Stands for a git that is not installed: like the CLI, then there is no repository."""

    returncode = 128

    def communicate(self) -> tuple[str, str]:
        """Say why there is no answer."""
        return "", "git is not installed"


@contextmanager
def _start(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str] | _NoGit]:
    with ExitStack() as ending:
        process: subprocess.Popen[str] | _NoGit
        try:
            process = ending.enter_context(
                children.started(
                    [*_GIT, *arguments],
                    cwd=folder,
                    env={**os.environ, "LC_ALL": "C"},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    errors="surrogateescape",
                )
            )
        except FileNotFoundError:
            process = _NoGit()
        yield process


def _finish(process: subprocess.Popen[str] | _NoGit) -> tuple[str | None, str]:
    """Return what git printed, or None and why it failed."""
    out, err = process.communicate()
    return (out.strip() if process.returncode == 0 else None), err.strip()


def _is_repository(folder: Path) -> bool:
    if os.path.lexists(folder / ".git"):
        return True
    with _start(folder, "rev-parse", "--git-dir") as check:
        _finish(check)
    return check.returncode == 0
