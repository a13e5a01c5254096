"""API errors that every product has: what the gateway says before any of them sees a call.

Source: Alibaba Cloud's list of common error codes of its API gateway.
"""

from __future__ import annotations

from collections.abc import Iterable


class ApiError(Exception):
    """A call is refused with this code, text and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


# --- what the gateway says before any product sees the call --------------------------------


def missing_common_parameter(name: str) -> ApiError:
    """A parameter that every call must carry is absent, e.g. MissingAccessKeyId."""
    return ApiError(f"Missing{name}", f"{name} is mandatory for this action.")


def invalid_common_parameter(name: str) -> ApiError:
    """A parameter that every call carries has a value that is not supported."""
    return ApiError(f"Invalid{name}", f"Specified parameter {name} is not valid.")


def action_not_found() -> ApiError:
    """No such Action in this Version."""
    return ApiError(
        "InvalidAction.NotFound",
        "Specified api is not found, please check your url and method.",
        404,
    )


def action_not_mocked(action: str, known: Iterable[str]) -> ApiError:
    """An Action that the API has, and the mocked cloud has not. The code is none of the API's."""
    return ApiError(
        "MockedCloud.HasNoSuchAction",
        f"The mocked cloud has no {action}; it has {', '.join(sorted(known))}.",
        501,
    )


def access_key_not_found() -> ApiError:
    """The account has no such AccessKeyId."""
    return ApiError("InvalidAccessKeyId.NotFound", "Specified access key is not found.", 404)


def signature_mismatch(string_to_sign: str) -> ApiError:
    """The signature was made with another secret, or over another text.

    The SDK takes what follows the colon to tell a wrong secret from a wrong string to sign.
    """
    return ApiError(
        "SignatureDoesNotMatch",
        "Specified signature is not matched with our calculation. "
        f"server string to sign is:{string_to_sign}",
    )


def signature_incomplete(why: str) -> ApiError:
    """A signature in headers that does not say, or does not cover, all it must."""
    return ApiError(
        "IncompleteSignature",
        f"The request signature does not conform to Aliyun standards: {why}.",
    )


def timestamp_malformed() -> ApiError:
    """The Timestamp is not YYYY-MM-DDThh:mm:ssZ."""
    return ApiError(
        "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted."
    )


def timestamp_expired() -> ApiError:
    """The Timestamp is more than 15 minutes from the server's clock."""
    return ApiError("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")


def throttled() -> ApiError:
    """More calls of this action than the account may make."""
    return ApiError("Throttling.User", "Request was denied due to user flow control.")


def nonce_used() -> ApiError:
    """The SignatureNonce has been seen before."""
    return ApiError("SignatureNonceUsed", "Specified signature nonce was used already.")


def security_token_missing() -> ApiError:
    """The AccessKeyId is a short-lived one and came without its token."""
    return missing_common_parameter("SecurityToken")


def security_token_malformed() -> ApiError:
    """The token is not one that was given out."""
    return ApiError("InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed.")


def security_token_mismatch() -> ApiError:
    """The token belongs to another AccessKeyId."""
    return ApiError(
        "InvalidSecurityToken.MismatchWithAccessKey",
        "Specified SecurityToken mismatch with the AccessKey.",
    )


def security_token_expired() -> ApiError:
    """The token was valid and is not any more."""
    return ApiError("InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")


# --- what the newer products say of a ClientToken ------------------------------------------


def client_token_processing() -> ApiError:
    """The first call with this ClientToken is not answered yet."""
    return ApiError(
        "IdempotenceProcessing", "The previous request with this token is being processed."
    )


def client_token_reused() -> ApiError:
    """The ClientToken came with another call before."""
    return ApiError(
        "IdempotentParameterMismatch",
        "The request uses the same client token as a previous, but non-identical request. Do not "
        "reuse a client token with different requests, unless the requests are identical.",
    )
