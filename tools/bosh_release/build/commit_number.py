"""The version and the state of git that a tarball has because of its commit, in any checkout."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from bosh_release.build.dev_releases import last_final
from bosh_release.source.git_state import GitState, last_commit, untracked_files
from bosh_release.source.release_source import ReleaseSource
from bosh_release.source.versions import commit_version

_SHORT = 7  # what `git rev-parse --short` gives in a checkout that is not huge
_TOKEN_BYTES = 4  # of randomness, beside the millisecond


def numbered_by_commit(
    release_dir: Path,
    name: str,
    git: GitState,
    source: ReleaseSource,
    *,
    now: float,
    warn: Callable[[str], None],
) -> tuple[str, GitState]:
    """Return the version, and `git` with a hash whose length does not depend on this checkout.

    What is packed although no commit has it makes the tarball another one than the commit's, also
    where `git status` does not show it because a user's own settings ignore it.
    """
    commit = last_commit(release_dir)
    strangers = () if commit is None else _not_committed(release_dir, source)
    if strangers and not git.uncommitted_changes:
        warn(f"packed, but not in the commit, as git ignores it: {', '.join(strangers)}")
    changed = git.uncommitted_changes or bool(strangers)
    version = commit_version(
        last_final(release_dir, name),
        commit,
        changed=changed,
        now=now,
        token=os.urandom(_TOKEN_BYTES).hex(),
    )
    if commit is None:
        return str(version), git
    return str(version), GitState(commit.digest[:_SHORT], uncommitted_changes=changed)


def _not_committed(release_dir: Path, source: ReleaseSource) -> tuple[str, ...]:
    """Return the packed files that git does not have; blobs have their own list."""
    untracked = untracked_files(release_dir)
    packed = {file.path for part in source.parts for file in part.files}
    return tuple(
        sorted(
            str(relative)
            for path in untracked & packed
            if (relative := path.relative_to(release_dir)).parts[0] != "blobs"
        )
    )
