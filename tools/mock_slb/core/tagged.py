"""Tags, which a stale reader sees as they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mock_slb.core.past import Past

if TYPE_CHECKING:
    from mock_slb.core.base import BaseAccount


class Tagged:
    """Something in an account that has tags."""

    def __init__(self, account: BaseAccount, tags: Mapping[str, str]) -> None:
        self.tags: Mapping[str, str] = dict(tags)
        self._account = account
        self._past_tags: Past[Mapping[str, str]] = Past()

    def set_tags(self, tags: Mapping[str, str], *, remove: tuple[str, ...] = ()) -> None:
        """Add or overwrite `tags`, and drop those named in `remove`."""
        with self._account.lock:
            if self._account.read_lag_seconds > 0:
                self._past_tags.replaced(self._account.now(), self.tags)
            kept = {key: value for key, value in self.tags.items() if key not in remove}
            self.tags = {**kept, **tags}

    def tags_seen(self) -> Mapping[str, str]:
        """The tags, or those that a stale reader sees."""
        return self._past_tags.as_of(self._account.as_of, self.tags)
