"""With what keys calls are signed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from slb_registration.model.configuration import StaticKeys
from slb_registration.support.logs.event_log import EventLog

_GENERATIONS = 8
"""How many of the latest keys are kept out of the log. Those before them have long expired, and a
line is searched for every one."""


class CredentialsError(Exception):
    """There are no keys to sign with. str() says why, and holds nothing of a key.

    `lasting`: only a person can mend that; it is no network and no service that fails.
    """

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        super().__init__(reason)
        self.lasting = lasting


@dataclass(frozen=True)
class Credentials:
    """The keys that sign a call; a security token comes with temporary keys only.

    repr shows none of it.
    """

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that no one may read."""
        values = (self.access_key, self.secret_key, self.security_token)
        return tuple(value for value in values if value)


@dataclass(frozen=True)
class CredentialsState:
    """The state of the keys in use, as far as an operator may know it.

    `good_until`: seconds since the epoch, None for keys that do not say so or are not there yet.
    `error`: why others cannot be had at the moment, None while all is well.
    """

    good_until: float | None = None
    error: str | None = None


class Source(Protocol):
    """A source of credentials. Ask before each call: temporary ones change."""

    def current(self) -> Credentials:
        """Return the credentials to use now. Raises CredentialsError where there are none."""

    def renew(self) -> bool:
        """Note that the API refused the credentials; whether `current` may have others soon."""

    def state(self) -> CredentialsState:
        """Return what is known of them, without asking for others."""


class Static:
    """The keys from the manifest, which stay what they are."""

    def __init__(self, keys: StaticKeys) -> None:
        self._credentials = Credentials(keys.access_key, keys.secret_key, keys.security_token)

    def current(self) -> Credentials:
        """Return the same credentials always."""
        return self._credentials

    def renew(self) -> bool:
        """There are no others: a person must deploy them."""
        return False

    def state(self) -> CredentialsState:
        """Nothing is known of keys that stay what they are."""
        return CredentialsState()


class Redaction:
    """Keeps keys that change out of the log, beginning before their first use."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._known: deque[Credentials] = deque()

    def cover(self, credentials: Credentials) -> None:
        """Let no line show these from now on."""
        for secret in credentials.secrets:
            self._log.add_secret(secret)
        self._known.append(credentials)
        if len(self._known) > _GENERATIONS:
            old = self._known.popleft()
            kept = {secret for one in self._known for secret in one.secrets}
            for secret in set(old.secrets) - kept:
                self._log.forget_secret(secret)
