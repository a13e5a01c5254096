"""The names of an archive's entries: where each is unpacked, and whether they go together."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from bosh_release.tarball.tar_reader import Member


class Names:
    """The files, links and folders of an archive so far."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}  # of all but folders
        self._folders: set[str] = set()  # also those that are only implied

    def problem_with(self, name: str, member: Member) -> str | None:
        """Say why an entry may not be where it is, after those before it; otherwise note it.

        Of two entries with one name, the later would replace the earlier; what lies below a link
        would be written where that points.
        """
        if name in self._kinds or (name in self._folders and member.kind != "folder"):
            return f"'{name}' is there twice"
        for above in self._new_folders_above(name):
            if above in self._kinds:
                return f"'{name}' lies below the {self._kinds[above]} '{above}'"
            self._folders.add(above)
        if member.kind == "folder":
            self._folders.add(name)
        elif not name:
            return f"the {member.kind} '{member.name}' has no name"
        else:
            self._kinds[name] = member.kind
        return None

    def kind_of(self, name: str | None) -> str | None:
        """Return what was noted under a name; None for folders, too."""
        return self._kinds.get(name or "")

    def _new_folders_above(self, name: str) -> Iterator[str]:
        while (name := posixpath.dirname(name)) and name not in self._folders:
            yield name


def inner_path(name: str) -> str | None:
    """Return the path of an entry without `./`, or None if it leads out of the archive.

    What goes up and down again is taken for that, too: where it leads can depend on links.
    """
    if name.startswith("/") or "\0" in name or ".." in name.split("/"):
        return None
    clean = posixpath.normpath(name)
    return "" if clean == "." else clean


def leads_out(name: str, target: str) -> bool:
    """Tell whether a link called `name` points out of the archive."""
    aim = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    return target.startswith("/") or aim == ".." or aim.startswith("../")


def through_links(links: Mapping[str, str]) -> list[str]:
    """Tell of links, given with their targets, that go up after they went through another link.

    Where those lead, the names do not show.
    """
    return [
        f"the link '{name}' goes up after another link, to '{target}'"
        for name, target in links.items()
        if ".." in target and _goes_up_after_a_link(name, target, links)
    ]


def _goes_up_after_a_link(name: str, target: str, links: Mapping[str, str]) -> bool:
    place = posixpath.dirname(name)
    entered = False
    for component in target.split("/"):
        if component == "..":
            if entered:
                return True
            place = posixpath.dirname(place)
        elif component not in ("", "."):
            place = posixpath.join(place, component)
            entered = entered or place in links
    return False
