"""Signature version 1.0 (HMAC-SHA1) of RPC calls, in their parameters.

Source: Alibaba Cloud's documentation of RPC style requests. `signature_v3` is the newer scheme.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from functools import partial
from urllib.parse import quote

from mock_slb.core import errors
from mock_slb.signing.claims import WINDOW_SECONDS, Claim

__all__ = ["WINDOW_SECONDS", "claim", "sign", "string_to_sign"]


def string_to_sign(method: str, params: Mapping[str, str]) -> str:
    """The text that is signed: query and form parameters alike, without the signature itself."""
    pairs = sorted((k, v) for k, v in params.items() if k != "Signature")
    query = "&".join(f"{_encode(key)}={_encode(value)}" for key, value in pairs)
    return f"{method}&%2F&{_encode(query)}"


def sign(method: str, params: Mapping[str, str], secret: str) -> str:
    """The Signature parameter for these parameters."""
    return _sign(string_to_sign(method, params), secret)


def _sign(text: str, secret: str) -> str:
    digest = hmac.new(f"{secret}&".encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii")


def claim(method: str, params: Mapping[str, str]) -> Claim:
    """Read who these parameters say made the call. Raises ApiError for what is missing."""
    for name in ("AccessKeyId", "Signature", "Timestamp", "SignatureNonce"):
        if not params.get(name):
            raise errors.missing_common_parameter(name)
    if params.get("SignatureMethod") != "HMAC-SHA1":
        raise errors.invalid_common_parameter("SignatureMethod")
    if params.get("SignatureVersion") != "1.0":
        raise errors.invalid_common_parameter("SignatureVersion")
    text = string_to_sign(method, params)
    return Claim(
        access_key_id=params["AccessKeyId"],
        security_token=params.get("SecurityToken"),
        timestamp=params["Timestamp"],
        nonce=params["SignatureNonce"],
        signature=params["Signature"],
        string_to_sign=text,
        sign=partial(_sign, text),
    )


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")
