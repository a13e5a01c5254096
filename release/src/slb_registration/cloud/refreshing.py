"""Keys that expire, and others in time: one refresh at a time, and what there is until then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from slb_registration.cloud.credentials import (
    Credentials,
    CredentialsError,
    CredentialsState,
    Redaction,
)
from slb_registration.pacing.backoff import AWAITED_SECONDS, Backoff
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.logs.timestamps import timestamp
from slb_registration.support.supervision.awaited import by_nobody

REFRESH_SECONDS = 300.0
"""How long before their end keys are replaced."""

APART_SECONDS = 30.0
"""The least time from one refresh to the next, whatever our clock or the API says of the keys.
Longer than a call takes, so that the refusals of several calls under way make one refresh."""

PATIENCE_SECONDS = 5.0
"""How long a thread that has no keys at all waits for the one that fetches them."""

_RETRY = Backoff(floor=1.0, first=4.0, ceiling=60.0)


@dataclass(frozen=True)
class Issued:
    """Keys and their end, in seconds since the epoch."""

    credentials: Credentials
    expires_at: float


Fetch = Callable[[], Issued]
"""Gets keys from whoever issues them; raises CredentialsError."""


class RefreshingCredentials:
    """The keys that `fetch` gets. It is called in the thread that finds them due, and in one only:

    the others go on with the keys of before, which are good for minutes yet. Where no others can be
    had, that is said once, and tried again ever less often (once a minute at last) until it works.
    """

    def __init__(
        self,
        fetch: Fetch,
        log: EventLog,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        random: Random | None = None,
        awaited: Callable[[], bool] = by_nobody,
    ) -> None:
        """`awaited`: whether post-start waits for this VM; who has no keys then asks often."""
        self._fetch = fetch
        self._log = log
        self._redaction = Redaction(log)
        self._clock = clock
        self._wall = wall
        self._random = random or Random()  # noqa: S311 - jitter, not a secret
        self._lock = threading.Lock()
        self._issued: Issued | None = None
        self._refused = False
        self._not_before = clock()
        self._failures = 0
        self._error: str | None = None
        self._lasting = False
        self._failed_at = 0.0
        self._awaited = awaited

    def current(self) -> Credentials:
        """Return the keys to use now. Raises CredentialsError while there never were any."""
        if self._due():
            self._refresh()
        if self._issued is None:
            reason = self._error or "keys are being fetched, which takes long"
            raise CredentialsError(reason, lasting=self._lasting)
        return self._issued.credentials

    def renew(self) -> bool:
        """Take the keys for expired, unless they are quite new."""
        if self._clock() >= self._not_before:
            self._refused = True
        return True

    def state(self) -> CredentialsState:
        """Return until when the keys are good, and why there are no newer ones."""
        issued = self._issued
        return CredentialsState(None if issued is None else issued.expires_at, self._error)

    def _due(self) -> bool:
        now, awaited = self._clock(), self._error is not None and self._awaited()
        soonest = self._failed_at + AWAITED_SECONDS if awaited else self._not_before
        if now < min(soonest, self._not_before):
            return False
        issued = self._issued
        return (
            issued is None or self._refused or self._wall() >= issued.expires_at - REFRESH_SECONDS
        )

    def _refresh(self) -> None:
        patience = PATIENCE_SECONDS if self._issued is None else 0
        if not self._lock.acquire(timeout=patience):
            return
        try:
            if self._due():  # it may have been done while we waited
                self._replace()
        finally:
            self._lock.release()

    def _replace(self) -> None:
        try:
            issued = self._fetch()
        except CredentialsError as error:
            self._failed(str(error))
            self._lasting = error.lasting
            return
        self._redaction.cover(issued.credentials)
        self._issued = issued
        self._refused = False
        self._not_before = self._clock() + APART_SECONDS
        recovered = self._error is not None
        self._failures, self._error, self._lasting = 0, None, False
        self._log.info(
            "credentials are refreshed again" if recovered else "credentials refreshed",
            good_until=timestamp(issued.expires_at),
        )

    def _failed(self, reason: str) -> None:
        self._failures += 1
        self._failed_at = self._clock()
        self._not_before = self._failed_at + _RETRY.delay(self._failures, self._random)
        news, self._error = self._error is None, reason
        if not news:
            return
        if self._issued is None:
            self._log.error("no credentials yet; trying again", error=reason)
        else:
            self._log.warning(
                "credentials cannot be refreshed; going on with those of before",
                error=reason,
                good_until=timestamp(self._issued.expires_at),
            )
