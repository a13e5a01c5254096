"""ClientToken: a write that is repeated with its token is made once by the API.

The same token goes with the same write for as long as it is not known what came of it, and never
longer: with the token of a write that was made long ago, a new one would be taken for the old.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from slb_registration.model.errors import ApiError, Kind
from slb_registration.model.server_group import BackendServer, Members

KEPT_SECONDS = 600.0
"""A write of which nothing was heard for so long is not under way any more."""

_STILL_UNKNOWN = frozenset(
    {"idempotenceprocessing", "lasttokenprocessing", "processingsamerequest"}
)
"""Codes that answer a repetition while the first of them is still being worked on."""


@dataclass(frozen=True)
class Write:
    """A change of one server: the API's name of the action, and what it is about."""

    action: str
    server: BackendServer

    def is_seen_in(self, members: Members) -> bool:
        """Return whether the group is as this write makes it."""
        present = next((one for one in members.servers if one.key == self.server.key), None)
        if self.action.startswith("Remove"):
            return present is None
        if present is None:
            return False
        return self.action.startswith("Add") or present.weight == self.server.weight


class ClientTokens:
    """The tokens for one server group. Not thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._unknown: tuple[Write, str, float] | None = None
        self._current: tuple[Write, str] | None = None

    def token(self, write: Write) -> str:
        """The token to make this write with."""
        now = self._clock()
        token = str(uuid.uuid4())
        if self._unknown is not None:
            before, kept, since = self._unknown
            if before == write and now - since < KEPT_SECONDS:
                token = kept
            else:
                self._unknown = None
        self._current = (write, token)
        return token

    def failed(self, error: ApiError) -> None:
        """The write was not confirmed: its token is kept where it may have been made."""
        if self._current is None:
            return
        # One that was not let in says nothing of the one before it with the same token.
        open_still = error.kind is Kind.THROTTLED or error.code.lower() in _STILL_UNKNOWN
        if not _may_have_been_made(error):
            self._unknown = self._unknown if open_still else None
        elif self._unknown is None:
            self._unknown = (*self._current, self._clock())

    def accepted(self) -> None:
        """The write was accepted."""
        self._unknown = None

    def seen(self, members: Members) -> None:
        """Take in what the group holds now: a write that it shows is no longer unknown."""
        if self._unknown is not None and self._unknown[0].is_seen_in(members):
            self._unknown = None


def _may_have_been_made(error: ApiError) -> bool:
    """Return whether the API may have made the write although the call failed."""
    failed_inside = error.kind is Kind.UNAVAILABLE and (error.status or 0) not in range(400, 500)
    return error.kind is Kind.LOST or failed_inside
