"""Finds files by the patterns of a package spec, as the BOSH CLI does (doublestar v1).

`*` and `**` match dotfiles; `**` is special only as a whole component; linked folders are entered.
A malformed pattern is noticed only when a name is compared with its malformed part, and the last
such comparison has the last word.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from bosh_release.source.glob_patterns import BadPatternError, cut, literal_folders, match
from bosh_release.support.errors import ReleaseError

_MOST_LINKS = 10_000  # entered in one search; a single circle is entered 40 times, then it ends


def glob(
    root: Path, pattern: str, leave_out: Callable[[str], bool] = lambda _path: False
) -> list[Path]:
    """Return the paths under the folder `root` that match `pattern`.

    Files for which `leave_out` is true are taken as not there.

    Raises ReleaseError for a malformed pattern, and where linked folders lead round in circles.
    """
    # cleaned together with the root: `..` may lead out of it
    base, below = _split_at_common(str(root), os.path.normpath(f"{root}/{pattern}"))
    search = _Search(leave_out)
    if not search.descend(base, below):
        raise ReleaseError("syntax error in pattern")
    return [Path(path) for path in search.found]


def _split_at_common(root: str, path: str) -> tuple[str, str]:
    """Keep the root out of the pattern: characters like `[` in its name are not special."""
    while path != root and not path.startswith(root.rstrip("/") + "/"):
        root = os.path.normpath(f"{root}/..")
    return root, path[len(root) :].lstrip("/")


class _Search:
    """One search; `found` are the matches, some perhaps twice."""

    def __init__(self, leave_out: Callable[[str], bool]) -> None:
        self._leave_out = leave_out
        self.found: list[str] = []
        self._links_entered = 0

    def descend(self, base: str, pattern: str) -> bool:
        """Add what matches `pattern` below `base`; return False for a malformed pattern."""
        literal, pattern = literal_folders(pattern)
        base = os.path.normpath(f"{base}/{literal}")
        if not pattern:
            self.found.extend([base] if os.path.lexists(base) else [])
            return True
        entries = [e for e in _entries(base) if not self._leave_out(e.path) or e.is_dir()]
        component, slash, rest = cut(pattern)
        if component == "**":
            for entry in entries:
                self._descend_starstar(entry, pattern)
            if not slash:
                return True
            pattern = rest
        return self._descend_matching(entries, pattern)

    def _descend_matching(self, entries: list[os.DirEntry[str]], pattern: str) -> bool:
        well_formed = True
        for entry in entries:
            try:
                remainders = match(pattern, entry.name)
            except BadPatternError:
                return False
            well_formed = True
            if remainders == []:
                self.found.append(entry.path)
            for remainder in remainders or ():
                well_formed = self.descend(entry.path, remainder)
        return well_formed

    def _descend_starstar(self, entry: os.DirEntry[str], pattern: str) -> None:
        """Add what `**/…` (or a final `**`) matches at and below one entry of a folder."""
        try:
            is_folder = stat.S_ISDIR(entry.stat().st_mode)
        except OSError:  # a link to nowhere, or one that leads back to itself too often
            return
        if pattern == "**":
            self.found.append(entry.path)
        if is_folder:
            self._count_links(entry)
            self.descend(entry.path, pattern)

    def _count_links(self, entry: os.DirEntry[str]) -> None:
        """Stop where links to folders above them multiply; the CLI would go on for hours."""
        self._links_entered += entry.is_symlink()
        if self._links_entered > _MOST_LINKS:
            place = f"{os.path.realpath(f'{entry.path}/..')}/{entry.name}"
            raise ReleaseError(
                f"linked folders lead round in circles, one of them '{place}':"
                " remove the links, or name the files without '**'"
            )


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """List a folder by name, as the order decides what a malformed pattern comes to."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError:
        return []
