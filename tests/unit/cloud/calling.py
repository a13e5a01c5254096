"""A client of the cloud, the answers that its SDK is given, and errors without secrets."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
from aliyunsdkslb.request.v20140515.DescribeLoadBalancerAttributeRequest import (
    DescribeLoadBalancerAttributeRequest,
)
from tests.unit.driver import ACCESS_KEY, SECRET_KEY

from slb_registration.cloud.client import Cloud
from slb_registration.cloud.credentials import Static
from slb_registration.model.configuration import StaticKeys
from slb_registration.model.errors import ApiError

TOKEN = "CAIS-a-Security-Token/of+the=test"
SECRETS = (ACCESS_KEY, SECRET_KEY, TOKEN, "CAIS-a-Security-Token%2Fof%2Bthe%3Dtest")
REGION = "cn-hangzhou"
URL = f"/?AccessKeyId={ACCESS_KEY}&Signature=abc%3D&SecurityToken={SECRETS[-1]}"
"""What the SDK's messages repeat of a request."""


def request() -> DescribeLoadBalancerAttributeRequest:
    one = DescribeLoadBalancerAttributeRequest()
    one.set_LoadBalancerId("lb-1")
    return one


made: list[Cloud] = []
"""Closed after each test."""


def connect(token: str | None = TOKEN, region: str = REGION, **options) -> Cloud:
    made.append(Cloud(Static(StaticKeys(ACCESS_KEY, SECRET_KEY, token)), region, **options))
    return made[-1]


def failing(cloud: Cloud) -> ApiError:
    """Return the error of a call, which holds no secret."""
    with pytest.raises(ApiError) as caught:
        cloud.call(request())
    error = caught.value
    text = f"{error} {error!r} {error.__cause__!r}"
    assert error.__suppress_context__ or error.__context__ is None
    for secret in SECRETS:
        assert secret not in text
    assert "Signature=" not in text
    assert "\n" not in str(error)
    return error


class Answers:
    """What the SDK is given for an answer, and what it had sent."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.sent: list = []
        self.answer: tuple[int, dict[str, str], bytes] | Exception = (200, {}, b"{}")
        mock.add_callback(
            responses.POST, re.compile(r"https?://.*"), callback=self._respond, content_type=None
        )
        mock.add_callback(
            responses.GET, re.compile(r"https?://.*"), callback=self._respond, content_type=None
        )

    def _respond(self, request):
        self.sent.append(request)
        return self.answer

    def give(self, status: int, body: bytes | str, kind: str = "application/json") -> None:
        data = body.encode() if isinstance(body, str) else body
        self.answer = (status, {"Content-Type": kind}, data)

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the last call."""
        return {key: one[0] for key, one in parse_qs(urlsplit(self.sent[-1].url).query).items()}
