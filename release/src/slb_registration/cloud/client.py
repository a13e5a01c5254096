"""One long-lived client of the Alibaba Cloud SDK; every trap of that SDK ends here.

The traps, as read in aliyun-python-sdk-core 2.16.1:
- its own retries know nothing of SLB: off, the registrar retries;
- it speaks plain HTTP unless told otherwise by the identity of a constant: the endpoint here
  always carries its scheme;
- on Python 3.12 and later it sends no SNI: switched on again;
- it imports `cryptography`, which only RSA keys need: an empty stand-in takes its place;
- keys in the environment beat those given, and proxies, ~/.netrc and DEBUG are honoured: cleared;
- its messages and logs hold signed URLs: only codes and tidied messages leave this module;
- it reads answers without end: cut off where no answer of the API is so large;
- exceptions of other kinds escape from odd answers: all become ApiError.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from slb_registration.cloud.call_counter import CallMade
from slb_registration.cloud.connection_errors import (
    CONNECT_TIMEOUT_SECONDS,
    READ_TIMEOUT_SECONDS,
    Place,
    unreachable,
)
from slb_registration.cloud.credentials import (
    Credentials,
    CredentialsError,
    CredentialsState,
    Source,
)
from slb_registration.cloud.region_endpoints import NoEndpointError, host
from slb_registration.cloud.sdk_errors import no_authorities, refused, unreadable
from slb_registration.model.errors import ApiError, Kind, no_credentials
from slb_registration.reconcile.dry_run import OBSERVES
from slb_registration.support.json_objects import object_or_none
from slb_registration.support.logs.event_log import quiet_sdk
from slb_registration.support.net.authorities import AuthoritiesError, trusting

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

from slb_registration.cloud.transport import BoundedAdapter  # noqa: E402

if TYPE_CHECKING:
    from aliyunsdkcore.request import RpcRequest

_ENVIRONMENT = re.compile(
    r"^(ALIYUN_ACCESS_KEY_ID|ALIYUN_ACCESS_KEY_SECRET|ALIBABA_CLOUD_CA_BUNDLE|DEBUG"
    r"|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|(HTTP|HTTPS|ALL|NO)_PROXY)$",
    re.IGNORECASE,
)
_CONNECTIONS = 10
"""That are kept for the next call; as many as the SDK keeps."""

_READS = ("Describe", "List", "Get", "AssumeRole")
"""How the actions begin that change nothing."""

OnCall = Callable[[CallMade], None]
"""Told of every call once it has ended."""


class _Stopwatch:
    """Measures the seconds that something takes; None while it has not ended."""

    seconds: float | None = None

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began


class Cloud:
    """Makes API calls for one region with the keys that `source` holds at the time."""

    def __init__(
        self,
        source: Source,
        region: str,
        *,
        endpoints: Mapping[str, str | None] | None = None,
        network: str = "internet",
        ca_bundle: Path | None = None,
        on_call: OnCall | None = None,
        observes: bool = False,
    ) -> None:
        """`endpoints` (with scheme) by product: slb, alb, nlb, sts, ecs.

        Where there is none for a product, it is that of the region, the public one or, where
        `network` is `vpc`, that inside of VPCs. `ca_bundle`: a PEM file with the only
        authorities that are trusted, instead of the public ones. `observes`: nothing but actions
        that only read is asked for, whoever calls.
        """
        _clear_environment()
        quiet_sdk()
        self.region = region
        self._source = source
        self._endpoints = dict(endpoints or {})
        self._network = network
        self._ca_bundle = ca_bundle
        self._on_call = on_call
        self._observes = observes
        self._lock = threading.Lock()
        self._session: tuple[Credentials, AcsClient] | None = None

    def call(self, request: RpcRequest) -> dict[str, Any]:
        """The API's answer as a dict; raises ApiError, and nothing else, where there is none.

        `request` must be new: the SDK leaves the last token in a used one. Keys that are refused
        are not tried again here, but the source is told, so that the next call has others.
        """
        action, product = str(request.get_action_name()), str(request.get_product()).lower()
        if self._observes and not action.startswith(_READS):
            raise ApiError(action, Kind.INVALID, "ModeIsObserve", OBSERVES)
        watch = _Stopwatch()
        try:
            answer = self._attempt(action, request, watch)
        except ApiError as error:
            error.product = product
            if error.keys_refused and self._source.renew():
                error.kind = Kind.CREDENTIALS  # not hopeless, however wrong the keys are now
            self._report(CallMade(product, action, error.kind.value, watch.seconds))
            raise
        self._report(CallMade(product, action, "ok", watch.seconds))
        return answer

    def credentials_state(self) -> CredentialsState:
        """Return what is known of the keys that calls are signed with. Asks nobody."""
        return self._source.state()

    def close(self) -> None:
        """End the connections that are kept for the next call, which may come all the same."""
        with self._lock:
            if self._session is not None:
                self._session[1].session.close()

    def _report(self, made: CallMade) -> None:
        if self._on_call is not None:
            self._on_call(made)

    def _attempt(self, action: str, request: RpcRequest, watch: _Stopwatch) -> dict[str, Any]:
        try:
            keys, client = self._connected(action)
        except CredentialsError as error:
            raise no_credentials(action, str(error), lasting=error.lasting) from None
        request.set_accept_format("JSON")
        product = str(request.get_product()).lower()
        given = self._endpoints.get(product)
        try:
            endpoint = given or f"https://{host(product, self.region, self._network)}"
        except NoEndpointError as error:
            raise ApiError(action, Kind.INVALID, "NoEndpoint", str(error)) from None
        where = urlsplit(endpoint).netloc
        place = Place(product, where, self.region, self._network, given=given is not None)
        try:
            request.set_endpoint(endpoint)
            with watch:
                body = client.do_action_with_exception(request)
        except ServerException as error:
            raise refused(action, error, keys, place) from None
        except ClientException as error:
            raise unreachable(action, str(error.get_error_code()), str(error), place) from None
        except (LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
            # The SDK stumbles over bodies that are no UTF-8, `null`, have no ':' or are too deep.
            raise unreadable(action, type(error).__name__, place) from None
        answer = _decoded(body)
        if answer is None:
            raise unreadable(action, "no JSON object", place)
        return answer

    def _connected(self, action: str) -> tuple[Credentials, AcsClient]:
        """The keys of now, and the one client that signs with them."""
        keys = self._source.current()  # may take long, and another thread's call need not wait
        with self._lock:
            if self._session is None or self._session[0] != keys:
                self._session = keys, self._connect(action, keys)
            return self._session

    def _connect(self, action: str, keys: Credentials) -> AcsClient:
        if keys.security_token:
            credential = StsTokenCredential(keys.access_key, keys.secret_key, keys.security_token)
        else:
            credential = AccessKeyCredential(keys.access_key, keys.secret_key)
        if self._ca_bundle is not None:
            # Before the SDK finds out, which tells it in many words and leaves a connection open.
            try:
                trusting(self._ca_bundle)
            except AuthoritiesError as error:
                raise no_authorities(action, str(error)) from None
        ssl_.HAS_SNI = True
        client = AcsClient(
            region_id=self.region,
            credential=credential,
            auto_retry=False,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            timeout=READ_TIMEOUT_SECONDS,
            verify=True if self._ca_bundle is None else str(self._ca_bundle),
            proxy={"http": None, "https": None},
        )
        for scheme in ("https://", "http://"):
            client.session.mount(scheme, BoundedAdapter(pool_maxsize=_CONNECTIONS))
        client.session.trust_env = False  # no ~/.netrc, no proxies
        client.set_user_agent("slb-registration")
        return client


def _clear_environment() -> None:
    for name in [name for name in os.environ if _ENVIRONMENT.match(name)]:
        del os.environ[name]


def _decoded(body: object) -> dict[str, Any] | None:
    return object_or_none(body) if isinstance(body, (bytes, str)) else None
