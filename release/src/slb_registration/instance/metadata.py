"""Asks the metadata service which instance this VM is, and in which region."""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import tenacity

from slb_registration.config.loading import INSTANCE_ID, REGION
from slb_registration.model.failure import Failure
from slb_registration.support.net.authorities import AuthoritiesError, trusting
from slb_registration.support.net.bounded_http import Answer, NoAnswerError, exchange
from slb_registration.support.net.endpoint import DEFAULT_METADATA

_TOKEN_PATH = "/latest/api/token"  # noqa: S105
_TTL_SECONDS = 21600  # the longest that the service allows
_RENEW_SECONDS = 300  # before the end
# Enough for a header, and nothing that could end it.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=:-]{1,2048}")
_BODY_LIMIT = 65536

AGAIN_SECONDS = 5.0
"""How long a question without an answer waits at most until it is asked again: the service is this
VM's host, and nobody else's, and this VM may be out of rotation until then."""


class MetadataError(Failure):
    """The metadata service gives no usable answer. str() says which service and what is wrong.

    `status` is the HTTP status of an answer that is a refusal, None where it is something else.
    """

    def __init__(self, text: str, *, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class IdentityError(Failure):
    """The configuration says of this VM what is not true. Trying again cannot help."""


@dataclass(frozen=True)
class Instance:
    """This VM, as Alibaba Cloud names it."""

    instance_id: str
    region: str


class Metadata:
    """The metadata service of an ECS instance, with its token in memory only. Thread-safe."""

    def __init__(
        self,
        endpoint: str,
        *,
        ca_bundle: Path | None = None,
        timeout_seconds: float = 2.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ca_bundle`: where the endpoint speaks https, the only authorities that are trusted."""
        parts = urlsplit(endpoint)
        self.endpoint = endpoint
        self._host = parts.hostname or ""
        self._secure = parts.scheme == "https"
        self._ca_bundle = ca_bundle
        self._port = parts.port or (443 if self._secure else 80)
        self._timeout_seconds = timeout_seconds
        self._now = now
        self._lock = threading.Lock()  # who finds no token waits for the one that is being had
        self._token: str | None = None
        self._token_until = 0.0

    def get(self, path: str) -> str:
        """Return the text under /latest/meta-data/, such as that of "instance-id".

        Takes at most four times the timeout. Raises MetadataError.
        """
        token = self._current_token()
        answer = self._read(path, token)
        if answer.status in (401, 403) and token is not None:
            # It is no longer good: once more, with a new one.
            answer = self._read(path, self._current_token(refused=token))
        if answer.status != 200:
            raise self._error(f"answered {answer.status} to {path}", answer.status)
        return self._text(answer, path)

    def _read(self, path: str, token: str | None) -> Answer:
        headers = {} if token is None else {"X-aliyun-ecs-metadata-token": token}
        return self._exchange("GET", f"/latest/meta-data/{path}", headers)

    def _current_token(self, refused: str | None = None) -> str | None:
        """Return the token to send; None where the service is too old to have tokens."""
        with self._lock:
            stale = self._token == refused or self._now() >= self._token_until
            if self._token is None or stale:
                self._token = None
                asked = self._now()
                self._token = self._new_token()
                self._token_until = asked + _TTL_SECONDS - _RENEW_SECONDS
            return self._token

    def _new_token(self) -> str | None:
        ttl = {"X-aliyun-ecs-metadata-token-ttl-seconds": str(_TTL_SECONDS)}
        answer = self._exchange("PUT", _TOKEN_PATH, ttl)
        # Only these say that there are no tokens. After any other refusal a plain read would be
        # what a hardened instance forbids, and what an attacker would like us to do.
        if answer.status in (404, 405):
            return None
        if answer.status != 200:
            raise self._error(f"answered {answer.status} instead of a token")
        token = self._text(answer, "a token")
        if not _TOKEN.fullmatch(token):
            raise self._error("answered something that is no token")
        return token

    def _exchange(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        try:
            return exchange(
                method,
                self._host,
                self._port,
                path,
                headers=headers,
                tls=self._tls(),
                timeout_seconds=self._timeout_seconds,
                body_limit=_BODY_LIMIT,
            )
        except NoAnswerError as error:
            raise self._error(f"{error} ({self._advice})") from None

    @property
    def _advice(self) -> str:
        """Return what to look at where there is no connection, or no answer."""
        if self.endpoint != DEFAULT_METADATA:
            bundle = " and ca_bundle" if self._secure else ""
            return f"check endpoints.metadata{bundle}"
        return "every ECS instance has one; elsewhere give region and instance_id"

    def _tls(self) -> ssl.SSLContext | None:
        """Made anew for each of the few requests: a bundle that was put right is seen."""
        if not self._secure:
            return None
        try:
            return trusting(self._ca_bundle)
        except AuthoritiesError as error:
            raise self._error(str(error)) from None

    def _text(self, answer: Answer, what: str) -> str:
        if not answer.whole:
            raise self._error(f"the answer for {what} is cut off or too long")
        try:
            return answer.body.decode().strip()
        except UnicodeDecodeError:
            raise self._error(f"the answer for {what} is not text") from None

    def _error(self, text: str, status: int | None = None) -> MetadataError:
        return MetadataError(f"metadata service {self.endpoint}: {text}", status=status)


def identify(
    metadata: Metadata,
    *,
    region: str | None,
    instance_id: str | None,
    stop: threading.Event,
    patience_seconds: float | None,
    on_retry: Callable[[str], None],
    on_remark: Callable[[str], None],
) -> Instance:
    """Return who this VM is; what is given is believed, but an instance id is compared.

    Asks again, each time telling on_retry why, until there is an answer, `stop` is set or the
    patience (None: without end) is over. If both are given then, they are used as they are, since
    developers run the agent outside of Alibaba Cloud too; otherwise raises MetadataError. Raises
    IdentityError for an instance id that is another VM's. A region that is not this VM's is told to
    on_remark, and taken: what is there may be reachable all the same.
    """

    def ask() -> Instance:
        if stop.is_set():
            raise MetadataError(f"metadata service {metadata.endpoint}: told to stop asking")
        found = _ask(metadata, "instance-id", INSTANCE_ID)
        if instance_id is not None and instance_id != found:
            raise IdentityError(
                f"instance_id: {instance_id} is given, but this VM is {found}: leave it out"
            )
        if region is None:
            return Instance(found, _ask(metadata, "region-id", REGION))
        remark = _elsewhere(metadata, region)
        if remark is not None:
            on_remark(remark)
        return Instance(found, region)

    try:
        return _retrying(stop, patience_seconds, on_retry)(ask)
    except MetadataError as error:
        if instance_id is None or region is None or stop.is_set():
            raise
        on_retry(f"{error}; going on as the given instance_id {instance_id} in {region}")
        return Instance(instance_id, region)


def _elsewhere(metadata: Metadata, region: str) -> str | None:
    """Return what is to be remarked of a given region, None where it is this VM's, or nobody
    knows."""
    try:
        found = _ask(metadata, "region-id", REGION)
    except MetadataError:
        return None
    if found == region:
        return None
    return f"region: {region} is given, but this VM is in {found}: leave it out, unless it is meant"


def _ask(metadata: Metadata, path: str, form: re.Pattern[str]) -> str:
    text = metadata.get(path)
    if not form.fullmatch(text):
        shown = text if len(text) <= 60 else f"{text[:60]}…"
        raise MetadataError(
            f"metadata service {metadata.endpoint}: answered {shown!r}, which is no {path}"
        )
    return text


def _retrying(
    stop: threading.Event,
    patience_seconds: float | None,
    on_retry: Callable[[str], None],
) -> tenacity.Retrying:
    def told(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        on_retry(f"{error}; asking again in {state.upcoming_sleep:.1f} s")

    until = tenacity.stop_when_event_set(stop)
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(MetadataError),
        # With a floor, so that it never asks as fast as it can.
        wait=tenacity.wait_random_exponential(multiplier=1, min=0.2, max=AGAIN_SECONDS),
        stop=until
        if patience_seconds is None
        else tenacity.stop_any(until, tenacity.stop_before_delay(patience_seconds)),
        sleep=tenacity.sleep_using_event(stop),
        before_sleep=told,
        reraise=True,
    )
