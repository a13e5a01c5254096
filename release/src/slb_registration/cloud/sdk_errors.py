"""Turns what the SDK raises into an ApiError: its messages hold signed URLs, which stay inside."""

from __future__ import annotations

import re
from typing import Protocol

from slb_registration.cloud.connection_errors import Place
from slb_registration.cloud.credentials import Credentials
from slb_registration.cloud.error_codes import classify
from slb_registration.model.errors import ApiError, Kind, tidy
from slb_registration.support.logs.event_log import REDACTED

_SIGNED = re.compile(r"(Signature|AccessKeyId|SecurityToken)(=|%3D)", re.IGNORECASE)


class Refusal(Protocol):
    """The part that is read of the SDK's ServerException."""

    def get_error_code(self) -> object: ...  # noqa: D102
    def get_error_msg(self) -> object: ...  # noqa: D102
    def get_http_status(self) -> int | None: ...  # noqa: D102
    def get_request_id(self) -> object: ...  # noqa: D102


def refused(action: str, error: Refusal, keys: Credentials, place: Place) -> ApiError:
    """The API said no, or whatever stands in between; without what it repeats of our keys."""
    code, status = _without(keys, str(error.get_error_code())), error.get_http_status()
    if code == "SDK.UnknownServerError":
        message = f"{place}: the answer is no error of the API (a proxy or gateway in between?)"
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


def no_authorities(action: str, reason: str) -> ApiError:
    """There is no one whose certificates could be trusted."""
    return ApiError(action, Kind.UNAVAILABLE, "NoCaBundle", reason, lasting=True)


def unreadable(action: str, what: str, place: Place) -> ApiError:
    """An answer came and says nothing: the change may have been made."""
    reason = f"{place}: the answer cannot be read ({what})"
    return ApiError(action, Kind.LOST, "UnreadableAnswer", reason)
