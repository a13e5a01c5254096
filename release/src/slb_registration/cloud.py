"""One long-lived client of the Alibaba Cloud SDK; every trap of that SDK ends here.

The traps, as read in aliyun-python-sdk-core 2.16.1:
- its own retries know nothing of SLB: off, the registrar retries;
- it speaks plain HTTP unless told otherwise by the identity of a constant: the endpoint here
  always carries its scheme;
- on Python 3.12 and later it sends no SNI: switched on again;
- it imports `cryptography`, which only RSA keys need: an empty stand-in takes its place;
- keys in the environment beat those given, and proxies, ~/.netrc and DEBUG are honoured: cleared;
- its messages and logs hold signed URLs: only codes and tidied messages leave this module;
- exceptions of other kinds escape from odd answers: all become ApiError.
"""

from __future__ import annotations

import json
import os
import re
import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slb_registration.credentials import Source
from slb_registration.errors import ApiError, Kind, classify, tidy

# RSA key-pair signing is the only user of `cryptography` (8 MiB, 30 ms); we sign with HMAC.
_RSA_SIGNER = "aliyunsdkcore.auth.algorithm.sha_hmac256"
sys.modules.setdefault(_RSA_SIGNER, types.ModuleType(_RSA_SIGNER))

from aliyunsdkcore.acs_exception.exceptions import (  # noqa: E402
    ClientException,
    ServerException,
)
from aliyunsdkcore.auth.credentials import (  # noqa: E402
    AccessKeyCredential,
    StsTokenCredential,
)
from aliyunsdkcore.client import AcsClient  # noqa: E402
from aliyunsdkcore.vendored.requests.packages.urllib3.util import ssl_  # noqa: E402

if TYPE_CHECKING:
    from aliyunsdkcore.request import RpcRequest

CONNECT_TIMEOUT_SECONDS = 3
READ_TIMEOUT_SECONDS = 10

_ENVIRONMENT = re.compile(
    r"^(ALIYUN_ACCESS_KEY_ID|ALIYUN_ACCESS_KEY_SECRET|ALIBABA_CLOUD_CA_BUNDLE|DEBUG"
    r"|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|(HTTP|HTTPS|ALL|NO)_PROXY)$",
    re.IGNORECASE,
)
OnCall = Callable[[str, str], None]
"""Told of every call: the action and `ok` or the kind of error."""


class Cloud:
    """Makes API calls for one region with the keys that `source` holds at the time."""

    def __init__(
        self,
        source: Source,
        region: str,
        *,
        slb_endpoint: str | None = None,
        on_call: OnCall | None = None,
    ) -> None:
        """Without `slb_endpoint` (with scheme) the SDK's table of public endpoints is used."""
        _clear_environment()
        self.region = region
        self._source = source
        self._slb_endpoint = slb_endpoint
        self._on_call = on_call
        self._keys = source.current()
        self._client = self._connect()

    def call(self, request: RpcRequest) -> dict[str, Any]:
        """The API's answer as a dict; raises ApiError, and nothing else, where there is none.

        `request` must be new: the SDK leaves the last token in a used one.
        """
        action = str(request.get_action_name())
        try:
            answer = self._attempt(action, request)
        except ApiError as error:
            self._report(action, error.kind.value)
            raise
        self._report(action, "ok")
        return answer

    def _report(self, action: str, result: str) -> None:
        if self._on_call is not None:
            self._on_call(action, result)

    def _attempt(self, action: str, request: RpcRequest) -> dict[str, Any]:
        self._refresh()
        request.set_endpoint(self._endpoint(request))
        request.set_accept_format("JSON")
        try:
            body = self._client.do_action_with_exception(request)
        except ServerException as error:
            raise _refused(action, error) from None
        except ClientException as error:
            raise _unreachable(action, str(error.get_error_code()), str(error)) from None
        except (ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
            # The SDK stumbles over error bodies that are no UTF-8, `null`, or have no ':'.
            raise _unreadable(action, type(error).__name__) from None
        return _decode(action, body)

    def _endpoint(self, request: RpcRequest) -> str:
        if self._slb_endpoint is not None:
            return self._slb_endpoint
        return "https://" + str(self._client._resolve_endpoint(request))

    def _refresh(self) -> None:
        keys = self._source.current()
        if keys != self._keys:
            self._keys = keys
            self._client = self._connect()

    def _connect(self) -> AcsClient:
        keys = self._keys
        if keys.security_token:
            credential = StsTokenCredential(keys.access_key, keys.secret_key, keys.security_token)
        else:
            credential = AccessKeyCredential(keys.access_key, keys.secret_key)
        ssl_.HAS_SNI = True
        client = AcsClient(
            region_id=self.region,
            credential=credential,
            auto_retry=False,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            timeout=READ_TIMEOUT_SECONDS,
            verify=True,
            proxy={"http": None, "https": None},
        )
        client.session.trust_env = False  # no ~/.netrc, no proxies
        client.set_user_agent("slb-registration")
        return client


def _clear_environment() -> None:
    for name in [name for name in os.environ if _ENVIRONMENT.match(name)]:
        del os.environ[name]


def _decode(action: str, body: object) -> dict[str, Any]:
    try:
        answer = json.loads(body) if isinstance(body, (bytes, str)) else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise _unreadable(action, "no JSON object")
    return answer


def _refused(action: str, error: ServerException) -> ApiError:
    code, status = str(error.get_error_code()), error.get_http_status()
    if code == "SDK.UnknownServerError":
        message = "the answer is no error of the API (a proxy or gateway in between?)"
        return ApiError(action, _gateway_kind(status), code, message, status)
    kind = classify(code, status, action=action, message=str(error.get_error_msg()))
    # A refused signature's message repeats the signed string, with key id and token.
    message = (
        "the API could not verify the signature"
        if code.lower().startswith(("signaturedoesnotmatch", "incompletesignature"))
        else tidy(str(error.get_error_msg()))
    )
    return ApiError(action, kind, code, message, status, error.get_request_id())


def _gateway_kind(status: int | None) -> Kind:
    """A body that is not the API's says nothing of our request, so it is never hopeless."""
    return Kind.THROTTLED if status == 429 else Kind.UNAVAILABLE


def _unreachable(action: str, code: str, text: str) -> ApiError:
    """The text is the SDK's and holds the signed URL: only what it is about is kept."""
    if code != "SDK.HttpError":
        return ApiError(action, Kind.UNAVAILABLE, code, "the SDK could not make the call")
    for pattern, reason, sent in _TRANSPORT:
        if pattern.search(text):
            kind = Kind.LOST if sent else Kind.UNAVAILABLE
            return ApiError(action, kind, "NoAnswer" if sent else "NoConnection", reason)
    return ApiError(action, Kind.LOST, "NoAnswer", "the connection failed")


_TRANSPORT: tuple[tuple[re.Pattern[str], str, bool], ...] = (
    (re.compile(r"CERTIFICATE_VERIFY_FAILED"), "the server's certificate is not trusted", False),
    (re.compile(r"doesn't match|Hostname mismatch"), "the certificate is for another name", False),
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
    (re.compile(r"Read timed out|timed out"), f"no answer within {READ_TIMEOUT_SECONDS} s", True),
    (
        re.compile(r"RemoteDisconnected|reset by peer|Broken pipe|aborted"),
        "the connection was closed before the answer came",
        True,
    ),
    (re.compile(r"IncompleteRead|Connection broken"), "the answer was cut short", True),
)
"""What a transport error's text is about, what to say, and whether the request had been sent."""


def _unreadable(action: str, what: str) -> ApiError:
    return ApiError(action, Kind.LOST, "UnreadableAnswer", f"the answer cannot be read ({what})")
