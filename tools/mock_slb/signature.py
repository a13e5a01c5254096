"""Signature version 1.0 (HMAC-SHA1) of RPC calls, and what else proves that a call is genuine.

Source: Alibaba Cloud's documentation of RPC style requests. A newer scheme (ACS3-HMAC-SHA256, in
headers) would be a second verifier beside this one.
"""

from __future__ import annotations

import base64
import calendar
import hashlib
import hmac
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from urllib.parse import quote

from mock_slb import errors
from mock_slb.model import Account
from mock_slb.resources import AccessKey

WINDOW_SECONDS = 15 * 60
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def string_to_sign(method: str, params: Mapping[str, str]) -> str:
    """The text that is signed: query and form parameters alike, without the signature itself."""
    pairs = sorted((k, v) for k, v in params.items() if k != "Signature")
    query = "&".join(f"{_encode(key)}={_encode(value)}" for key, value in pairs)
    return f"{method}&%2F&{_encode(query)}"


def sign(method: str, params: Mapping[str, str], secret: str) -> str:
    """The Signature parameter for these parameters."""
    digest = hmac.new(
        f"{secret}&".encode(), string_to_sign(method, params).encode(), hashlib.sha1
    ).digest()
    return base64.b64encode(digest).decode("ascii")


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")


class Verifier:
    """Checks calls against the keys of an account; remembers nonces for as long as they matter."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._nonces: OrderedDict[tuple[str, str], float] = OrderedDict()

    def check(self, method: str, params: Mapping[str, str]) -> AccessKey:
        """The key that signed the call. Raises ApiError for a call that nobody may make."""
        for name in ("AccessKeyId", "Signature", "Timestamp", "SignatureNonce"):
            if not params.get(name):
                raise errors.missing_common_parameter(name)
        if params.get("SignatureMethod") != "HMAC-SHA1":
            raise errors.invalid_common_parameter("SignatureMethod")
        if params.get("SignatureVersion") != "1.0":
            raise errors.invalid_common_parameter("SignatureVersion")
        key = self._account.key(params["AccessKeyId"])
        if key is None:
            raise errors.access_key_not_found()
        now = self._account.now()
        _check_timestamp(params["Timestamp"], now)
        self._check_token(key, params.get("SecurityToken"), now)
        # Bytes, since comparing text that is not ASCII raises.
        expected = sign(method, params, key.secret).encode()
        if not hmac.compare_digest(expected, params["Signature"].encode()):
            raise errors.signature_mismatch(string_to_sign(method, params))
        # Last, so that a call that was refused does not use its nonce up.
        self._use_nonce((key.id, params["SignatureNonce"]), now)
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
