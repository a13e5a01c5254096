"""What the SDK raises, as an ApiError: its messages hold signed URLs, and none of that gets out."""

from __future__ import annotations

import re
from typing import Protocol

from slb_registration.credentials import Credentials
from slb_registration.error_codes import classify
from slb_registration.errors import ApiError, Kind, tidy
from slb_registration.log import REDACTED

CONNECT_TIMEOUT_SECONDS = 3
READ_TIMEOUT_SECONDS = 10

_SIGNED = re.compile(r"(Signature|AccessKeyId|SecurityToken)(=|%3D)", re.IGNORECASE)


class Refusal(Protocol):
    """What we read of the SDK's ServerException."""

    def get_error_code(self) -> object: ...  # noqa: D102
    def get_error_msg(self) -> object: ...  # noqa: D102
    def get_http_status(self) -> int | None: ...  # noqa: D102
    def get_request_id(self) -> object: ...  # noqa: D102


def refused(action: str, error: Refusal, keys: Credentials) -> ApiError:
    """The API said no, or whatever stands in between; without what it repeats of our keys."""
    code, status = _without(keys, str(error.get_error_code())), error.get_http_status()
    if code == "SDK.UnknownServerError":
        message = "the answer is no error of the API (a proxy or gateway in between?)"
        return ApiError(action, _gateway_kind(status), code, message, status)
    message = _without(keys, str(error.get_error_msg()))
    kind = classify(code, status, action=action, message=message)
    # A refused signature's message repeats the signed string, with key id and token.
    if code.lower().startswith(("signaturedoesnotmatch", "incompletesignature")):
        message = "the API could not verify the signature"
    elif _SIGNED.search(message):
        message = "the message repeats what was signed and is left out"
    request_id = _without(keys, str(error.get_request_id() or "")) or None
    return ApiError(action, kind, code, message, status, request_id)


def _without(keys: Credentials, text: str) -> str:
    """A text of the API as one line, without what it may repeat of our keys."""
    for key in filter(None, (keys.access_key, keys.secret_key, keys.security_token)):
        text = text.replace(key, REDACTED)
    return tidy(text)


def _gateway_kind(status: int | None) -> Kind:
    """A body that is not the API's says nothing of our request, so it is never hopeless."""
    return Kind.THROTTLED if status == 429 else Kind.UNAVAILABLE


def unreachable(action: str, code: str, text: str) -> ApiError:
    """The text is the SDK's and holds the signed URL: only what it is about is kept."""
    if code == "SDK.EndpointResolvingError":
        reason = "no endpoint is known for this region: check region, or set endpoints.slb"
        return ApiError(action, Kind.INVALID, code, reason)
    if code != "SDK.HttpError":
        return ApiError(action, Kind.UNAVAILABLE, code, "the SDK could not make the call")
    for pattern, reason, sent in _TRANSPORT:
        if pattern.search(text):
            kind = Kind.LOST if sent else Kind.UNAVAILABLE
            return ApiError(action, kind, "NoAnswer" if sent else "NoConnection", reason)
    return ApiError(action, Kind.LOST, "NoAnswer", "the connection failed")


_TRANSPORT: tuple[tuple[re.Pattern[str], str, bool], ...] = (
    (
        re.compile(r"doesn't match|Hostname mismatch|IP address mismatch"),
        "the server's certificate is for another name",
        False,
    ),
    (
        re.compile(r"CERTIFICATE_VERIFY_FAILED"),
        "the server's certificate is not trusted (ca_bundle names the authorities that are)",
        False,
    ),
    (re.compile(r"SSLError|\[SSL"), "TLS failed", False),
    (
        re.compile(r"Name or service not known|getaddrinfo|name resolution|Name does not resolve"),
        "the endpoint's name cannot be resolved",
        False,
    ),
    (re.compile(r"Connection refused"), "the endpoint refuses connections", False),
    (
        re.compile(r"connect timeout|ConnectTimeout"),
        f"no connection within {CONNECT_TIMEOUT_SECONDS} s",
        False,
    ),
    (re.compile(r"unreachable|No route"), "the endpoint cannot be reached", False),
    (re.compile("the answer is larger than"), "the answer is larger than any of the API's", True),
    (re.compile(r"Read timed out|timed out"), f"no answer within {READ_TIMEOUT_SECONDS} s", True),
    (
        re.compile(r"RemoteDisconnected|reset by peer|Broken pipe|aborted"),
        "the connection was closed before the answer came",
        True,
    ),
    (re.compile(r"IncompleteRead|Connection broken"), "the answer was cut short", True),
)
"""What a transport error's text is about, what to say, and whether the request had been sent."""


def no_authorities(action: str, reason: str) -> ApiError:
    """There is no one whose certificates could be trusted."""
    return ApiError(action, Kind.UNAVAILABLE, "NoCaBundle", reason, lasting=True)


def unreadable(action: str, what: str) -> ApiError:
    """An answer came and says nothing: the change may have been made."""
    return ApiError(action, Kind.LOST, "UnreadableAnswer", f"the answer cannot be read ({what})")
