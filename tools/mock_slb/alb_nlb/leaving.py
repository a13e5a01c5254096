"""Servers that were removed and stay listed: nobody documents it, other clients have seen it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mock_slb.core.resources import BackendKey


class Leaving:
    """Until when each of them stays, in seconds since the epoch. Guarded by the account's lock."""

    def __init__(self) -> None:
        self._until: dict[BackendKey, float] = {}

    def __contains__(self, key: BackendKey) -> bool:
        return key in self._until

    def add(self, keys: Iterable[BackendKey], until: float) -> None:
        """These stay until then."""
        self._until |= dict.fromkeys(keys, until)

    def end(self, now: float) -> None:
        """None of them stays any longer."""
        self._until = {key: min(until, now) for key, until in self._until.items()}

    def take_gone(self, now: float, present: Collection[BackendKey]) -> dict[BackendKey, float]:
        """Those that are not to be listed any more, each with the moment since when."""
        gone = {
            key: min(now, until)
            for key, until in self._until.items()
            if now >= until or key not in present
        }
        self._until = {key: until for key, until in self._until.items() if key not in gone}
        return gone
