"""What is between the agent and the mocked cloud, without sockets: the SDK's and the metadata's.

It stands where `responses` stands elsewhere, only one layer higher: above the SDK's own copy of
requests, which takes a third of a call's time. With thousands of cells, that counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aliyunsdkcore.http.http_response import HttpResponse
from aliyunsdkcore.utils import parameter_helper
from aliyunsdkcore.vendored.requests.exceptions import ConnectionError, ReadTimeout, SSLError

from mock_slb.gateway.gateway import Gateway
from mock_slb.http.wire import ConnectionCutError
from mock_slb.metadata.service import MetadataService
from slb_registration.cloud.connection_errors import READ_TIMEOUT_SECONDS
from slb_registration.instance import metadata
from slb_registration.support.net.bounded_http import Answer, NoAnswerError

REFUSED = "Connection refused"
WRONG_NAME = "hostname 'slb.aliyuncs.com' doesn't match 'www.example.com'"


class Wire:
    """Takes the place of `responses.RequestsMock` for mock_slb.testing.attach."""

    assert_all_requests_are_fired = False

    def __init__(self, tell_time: Callable[[float], None], now: Callable[[], float]) -> None:
        """`tell_time` lets seconds pass; `now` is the wall clock, in seconds since the epoch."""
        self.now = now
        self.trouble: str | None = None
        """REFUSED, WRONG_NAME or None: what comes of every connection."""
        self._pass = tell_time
        self._slow = 0.0
        self._respond: Callable[[Any], Any] | None = None
        self._metadata: MetadataService | None = None

    def add_callback(self, method: str, url: object, callback: Callable[[Any], Any]) -> None:
        """Answer from the mocked cloud."""
        self._respond = callback

    def join(self, gateway: Gateway) -> None:
        """Let delays pass on this clock, and the metadata service answer from this account."""
        gateway.wait = self._delay
        self._metadata = MetadataService(gateway, "i-self")

    def send(self, http: HttpResponse) -> tuple[int, dict[str, str], bytes]:
        """One call of the API, as the SDK's HttpResponse makes it."""
        request = SimpleNamespace(
            url=f"https://slb.aliyuncs.com{http.get_url()}",
            method=http.get_method(),
            body=http.get_body(),
            headers=http.get_headers(),
        )
        if self.trouble is not None:
            raise self._broken()
        assert self._respond is not None
        answer = self._respond(request)
        if self._take_delay(READ_TIMEOUT_SECONDS):
            raise ReadTimeout("Read timed out.")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def exchange(
        self, method: str, host: str, port: int, path: str, *, headers: Any, timeout_seconds: float,
        **_: object,
    ) -> Answer:  # fmt: skip
        """One request to the metadata service, as bounded_http.exchange makes it."""
        assert self._metadata is not None
        try:
            answer = self._metadata.answer(method, path, headers)
        except ConnectionCutError:
            raise NoAnswerError("connection refused") from None
        if self._take_delay(timeout_seconds):
            raise NoAnswerError(f"no answer within {timeout_seconds:g} s")
        return Answer(answer.status, answer.body, whole=True)

    def date(self) -> str:
        """The time that calls are signed with."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now()))

    def _broken(self) -> Exception:
        return SSLError(WRONG_NAME) if self.trouble == WRONG_NAME else ConnectionError(REFUSED)

    def _delay(self, seconds: float) -> None:
        self._slow += seconds

    def _take_delay(self, timeout_seconds: float) -> bool:
        """Let the delay of the answer pass; whether the caller did not wait for all of it."""
        slow, self._slow = self._slow, 0.0
        self._pass(min(slow, timeout_seconds))
        return slow > timeout_seconds


@contextmanager
def wired(wire: Wire) -> Iterator[None]:
    """Everything that this process sends goes over `wire`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HttpResponse, "get_response_object", lambda http: wire.send(http))  # noqa: PLW0108 - binds no self
        patch.setattr(parameter_helper, "get_iso_8061_date", wire.date)
        patch.setattr(metadata, "exchange", wire.exchange)
        yield
