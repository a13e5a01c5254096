"""Server groups to be left that are not there: they need no thread until they are looked at again.

A group that is not found may be back with the next read, so its registration is forgotten only
where it is not found for long.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from slb_registration.config import GroupSpec
from slb_registration.view import MISSING_SECONDS


@dataclass(frozen=True)
class _Parked:
    spec: GroupSpec
    since: float


class Parking:
    """Times are those of one monotonic clock, in seconds. Not thread-safe."""

    def __init__(self) -> None:
        self._parked: dict[str, _Parked] = {}

    @property
    def names(self) -> Collection[str]:
        """The groups' names."""
        return self._parked.keys()

    def put(self, name: str, spec: GroupSpec, now: float) -> bool:
        """Take note of a group that was not there; whether it is one for good, and forgotten."""
        parked = self._parked.setdefault(name, _Parked(spec, now))
        forgotten = now - parked.since >= MISSING_SECONDS
        if forgotten:
            del self._parked[name]
        return forgotten

    def end(self, name: str) -> None:
        """It was there after all, or is wanted."""
        self._parked.pop(name, None)

    def due(self, now: float, *, at_once: bool) -> list[GroupSpec]:
        """Those to be looked at now; `at_once`: all, for a drain, which goes by what is so now."""
        some = self._parked.values()
        return [one.spec for one in some if at_once or now - one.since >= MISSING_SECONDS]
