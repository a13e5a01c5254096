"""With what keys calls are signed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from .config import StaticKeys


@dataclass(frozen=True)
class Credentials:
    """What signs a call; a security token comes with temporary keys only. repr shows none of it."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)


class Source(Protocol):
    """Where credentials come from. Ask before each call: temporary ones change."""

    def current(self) -> Credentials:
        """Return the credentials to use now."""


class Static:
    """The keys from the manifest, which stay what they are."""

    def __init__(self, keys: StaticKeys) -> None:
        self._credentials = Credentials(keys.access_key, keys.secret_key, keys.security_token)

    def current(self) -> Credentials:
        """Return the same credentials always."""
        return self._credentials
