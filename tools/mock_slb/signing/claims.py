"""Checks that a call is genuine, whichever scheme it is signed with."""

from __future__ import annotations

import calendar
import hmac
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from mock_slb.core import errors
from mock_slb.core.base import BaseAccount
from mock_slb.core.resources import AccessKey

WINDOW_SECONDS = 15 * 60
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Claim:
    """A call's word on who made it, and how that is proved."""

    access_key_id: str
    security_token: str | None
    timestamp: str
    nonce: str
    signature: str
    string_to_sign: str
    sign: Callable[[str], str]
    """The signature that this secret gives."""


class Verifier:
    """Checks claims against the keys of an account; remembers nonces for as long as they matter."""

    def __init__(self, account: BaseAccount) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._nonces: OrderedDict[tuple[str, str], float] = OrderedDict()

    def check(self, claim: Claim) -> AccessKey:
        """The key that signed the call. Raises ApiError for a call that nobody may make."""
        key = self._account.key(claim.access_key_id)
        if key is None:
            raise errors.access_key_not_found()
        now = self._account.now()
        _check_timestamp(claim.timestamp, now)
        self._check_token(key, claim.security_token, now)
        # Bytes, since comparing text that is not ASCII raises.
        expected = claim.sign(key.secret).encode()
        if not hmac.compare_digest(expected, claim.signature.encode()):
            raise errors.signature_mismatch(claim.string_to_sign)
        # Last, so that a call that was refused does not use its nonce up.
        self._use_nonce((key.id, claim.nonce), now)
        return key

    def _check_token(self, key: AccessKey, token: str | None, now: float) -> None:
        if key.security_token is not None and not token:
            raise errors.security_token_missing()
        if token and token != key.security_token:
            others = [other.security_token for other in self._account.access_keys()]
            if token in others:
                raise errors.security_token_mismatch()
            raise errors.security_token_malformed()
        if key.expires_at is not None and now >= key.expires_at:
            raise errors.security_token_expired()

    def _use_nonce(self, nonce: tuple[str, str], now: float) -> None:
        with self._lock:
            if self._nonces.get(nonce, now) > now:
                raise errors.nonce_used()
            while self._nonces and next(iter(self._nonces.values())) <= now:
                self._nonces.popitem(last=False)
            # A timestamp may lie up to one window ahead, and is accepted for one window after.
            self._nonces[nonce] = now + 2 * WINDOW_SECONDS


def _check_timestamp(text: str, now: float) -> None:
    try:
        seconds = calendar.timegm(time.strptime(text, TIME_FORMAT))
    except ValueError:
        raise errors.timestamp_malformed() from None
    if abs(now - seconds) > WINDOW_SECONDS:
        raise errors.timestamp_expired()
