"""The keys that calls are signed with, and the roles that give out short-lived ones."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

from mock_slb.core.resources import AccessKey

MIN_DURATION_SECONDS = 900
DEFAULT_DURATION_SECONDS = 3600
RENEW_SECONDS = 30 * 60.0


@dataclass(frozen=True)
class Role:
    """A RAM role; assumed with STS, or attached to instances and read from their metadata."""

    name: str
    arn: str
    on_instances: bool
    """Attached to the instance that the metadata service answers for."""
    max_session_seconds: int
    lifetime_seconds: float
    """How long the keys are good that the metadata service hands out."""


class Keys:
    """Access keys by id, guarded by the account's lock. `now` gives seconds since the epoch."""

    def __init__(self, account_id: str, now: Callable[[], float], lock: threading.RLock) -> None:
        self._account_id = account_id
        self._now = now
        self._lock = lock
        self._keys: dict[str, AccessKey] = {}
        self._roles: dict[str, Role] = {}
        self._on_instances: dict[str, AccessKey] = {}

    def add(
        self,
        id_: str,
        secret: str,
        *,
        security_token: str | None = None,
        expires_at: float | None = None,
    ) -> AccessKey:
        """Accept calls signed with this key; adding an id again replaces it (rotation)."""
        key = AccessKey(id_, secret, security_token, expires_at)
        with self._lock:
            self._keys[id_] = key
        return key

    def remove(self, id_: str) -> None:
        """Accept no more calls signed with this key."""
        with self._lock:
            self._keys.pop(id_, None)

    def get(self, id_: str) -> AccessKey | None:
        """The key with this id, if the account has it."""
        with self._lock:
            return self._keys.get(id_)

    def all(self) -> list[AccessKey]:
        """All keys."""
        with self._lock:
            return list(self._keys.values())

    def add_role(
        self,
        name: str,
        *,
        on_instances: bool = True,
        max_session_seconds: int = DEFAULT_DURATION_SECONDS,
        lifetime_seconds: float = 6 * 3600.0,
    ) -> Role:
        """Make a role; its ARN is acs:ram::<account>:role/<name>."""
        role = Role(
            name=name,
            arn=f"acs:ram::{self._account_id}:role/{name.lower()}",
            on_instances=on_instances,
            max_session_seconds=max_session_seconds,
            lifetime_seconds=lifetime_seconds,
        )
        with self._lock:
            self._roles[name] = role
        return role

    def remove_role(self, name: str) -> None:
        """Delete a role; keys already given out stay good until they expire."""
        with self._lock:
            self._roles.pop(name, None)
            self._on_instances.pop(name, None)

    def roles(self) -> list[Role]:
        """All roles."""
        with self._lock:
            return list(self._roles.values())

    def instance_credentials(self, role: Role) -> AccessKey:
        """The keys that an instance with this role finds in its metadata.

        They stay the same until half their life, or half an hour of it, is left: the
        documentation says that they are renewed that long before they expire.
        """
        with self._lock:
            key = self._on_instances.get(role.name)
            renew_seconds = min(RENEW_SECONDS, role.lifetime_seconds / 2)
            if key is None or (key.expires_at or 0.0) - self._now() <= renew_seconds:
                key = self.issue(role.lifetime_seconds)
                self._on_instances[role.name] = key
            return key

    def issue(self, duration_seconds: float) -> AccessKey:
        """A new short-lived key, good from now on for so long."""
        return self.add(
            f"STS.{secrets.token_urlsafe(18)}",
            secrets.token_urlsafe(30),
            security_token=f"CAIS{secrets.token_urlsafe(60)}",
            expires_at=self._now() + duration_seconds,
        )
