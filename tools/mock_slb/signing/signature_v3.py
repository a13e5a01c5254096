"""Signature version 3 (ACS3-HMAC-SHA256), in headers, as the newer SDKs sign.

Source: Alibaba Cloud's documentation "V3 request structure and signature".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from functools import partial
from urllib.parse import quote

from mock_slb.core import errors
from mock_slb.http.wire import WireRequest
from mock_slb.signing.claims import Claim

ALGORITHM = "ACS3-HMAC-SHA256"
AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=([^,]+),\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-f]+)"
)
REQUIRED = (
    "host",
    "x-acs-action",
    "x-acs-version",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-content-sha256",
)


def claim(request: WireRequest) -> Claim:
    """Read who the headers say made the call. Raises ApiError for what is missing or malformed."""
    match = AUTHORIZATION.fullmatch(request.header("authorization"))
    if match is None:
        raise errors.signature_incomplete("the Authorization header is malformed")
    key_id, names, signature = match[1], match[2].lower().split(";"), match[3]
    _check_headers(request, names)
    text = string_to_sign(request, names)
    if request.header("x-acs-content-sha256") != hashlib.sha256(request.body).hexdigest():
        raise errors.signature_mismatch(text)
    return Claim(
        access_key_id=key_id,
        security_token=request.header("x-acs-security-token") or None,
        timestamp=request.header("x-acs-date"),
        nonce=request.header("x-acs-signature-nonce"),
        signature=signature,
        string_to_sign=text,
        sign=partial(sign, text),
    )


def string_to_sign(request: WireRequest, signed_headers: Sequence[str]) -> str:
    """The text that is signed: the hash of the request in its canonical form."""
    canonical = "\n".join(
        (
            request.method,
            "/",
            "&".join(
                f"{_encode(name)}={_encode(value)}" for name, value in sorted(request.query.items())
            ),
            "".join(f"{name}:{request.header(name).strip()}\n" for name in sorted(signed_headers)),
            ";".join(sorted(signed_headers)),
            request.header("x-acs-content-sha256"),
        )
    )
    return f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def sign(text: str, secret: str) -> str:
    """The signature of a string to sign."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _check_headers(request: WireRequest, signed: Sequence[str]) -> None:
    for name in REQUIRED:
        if not request.header(name):
            raise errors.missing_common_parameter(name)
    # The documentation: of host, content-type and x-acs-*, those that are there must be signed.
    for name in (header.lower() for header in request.headers):
        if name not in signed and (name == "host" or name.startswith("x-acs-")):
            raise errors.signature_incomplete(f"{name} is not signed")


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")
