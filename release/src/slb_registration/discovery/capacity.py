"""Limits in how many server groups a VM is, whoever asks for them, and chooses which. Pure.

Each has a thread and makes calls that the account's quotas count. The manifest's come first, then
those in which the VM is or may be registered, which the limit never leaves behind, then those of
files and of tags, as they were asked for. Those that are left out come when there is room.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from slb_registration.model.configuration import MOST_GROUPS, GroupSpec
from slb_registration.model.status import Origin

TOO_MANY = (
    f"a VM is in {MOST_GROUPS} at most, over the manifest, files of co-located jobs and tags; "
    "name fewer"
)
_SHOWN = 3
_ORDER = (Origin.FILE, Origin.TAGS)
"""Of those that can be left out."""


@dataclass(frozen=True)
class Want:
    """A server group that is wanted: by the manifest, a file of a co-located job, or its tags."""

    spec: GroupSpec
    origin: Origin
    file: Path | None = None

    @property
    def by(self) -> str:
        """Return who asks for it."""
        return str(self.file or self.origin.value)

    @property
    def is_about(self) -> tuple[object, ...]:
        """Return what stays the same where only the way in which it is wanted changes."""
        return (self.origin, replace(self.spec, weight=0, description=None))


class Capacity:
    """Decides for one VM. Not thread-safe."""

    def __init__(self) -> None:
        self._left_out: dict[str, Want] = {}
        self._told: Mapping[str, int] = {}
        self._changed = False

    @property
    def left_out(self) -> Mapping[str, Want]:
        """Return what is not joined since there are too many, by the groups' names."""
        return dict(self._left_out)

    def takes(
        self, name: str, want: Want, present: Collection[str], registered: Collection[str]
    ) -> bool:
        """Return whether to join it; else it is left out until there is room.

        `present`: those that are joined, or being left; `registered`: those that the journal has.
        """
        if not _can_be_left_out(want) or name in registered or has_room(present, registered):
            return True
        self._changed |= self._left_out.get(name) != want
        self._left_out[name] = want
        return False

    def end(self, name: str) -> None:
        """It is joined."""
        self._changed |= self._left_out.pop(name, None) is not None

    def forget(self, name: str, origin: Origin) -> None:
        """It is asked for no more, for this reason."""
        want = self._left_out.get(name)
        if want is not None and want.origin is origin:
            self.end(name)

    def next(self) -> Want | None:
        """The first of those that are left out."""
        return min(self._left_out.values(), key=_rank, default=None)

    def news(self) -> Iterator[tuple[str, str]]:
        """Of whom more or fewer are left out than was told last, and what there is to say."""
        if not self._changed:
            return
        self._changed = False
        names = by_asker(self._left_out)
        counts = {by: len(some) for by, some in names.items()}
        before, self._told = self._told, counts
        for by, some in names.items():
            if counts[by] != before.get(by):
                yield by, described(some)


def has_room(present: Collection[str], registered: Collection[str]) -> bool:
    """Return whether one more can be joined."""
    if len(present) >= MOST_GROUPS or len(registered) >= MOST_GROUPS:
        return False
    return len({*present, *registered}) < MOST_GROUPS


def described(names: Collection[str]) -> str:
    """Return what to say of one who asks for groups that are left out."""
    count = len(names)
    shown = ", ".join(sorted(names)[:_SHOWN]) + (", …" if count > _SHOWN else "")
    are = "is" if count == 1 else "are"
    return f"{count} of its server groups {are} not joined ({shown}): {TOO_MANY}"


def by_asker(left_out: Mapping[str, Want]) -> dict[str, list[str]]:
    """The names of the groups that are left out, by who asks for them."""
    found: dict[str, list[str]] = {}
    for name, want in left_out.items():
        found.setdefault(want.by, []).append(name)
    return found


def _can_be_left_out(want: Want) -> bool:
    return want.origin in _ORDER


def _rank(want: Want) -> tuple[int, str]:
    """Files in the order of their paths, then tags; among one's own, the first comes first."""
    return _ORDER.index(want.origin), str(want.file)
