"""What comes over the wire: any bytes end in an answer or in the one error of each client."""

from __future__ import annotations

import functools
import io
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import responses
from aliyunsdkslb.request.v20140515.DescribeLoadBalancerAttributeRequest import (
    DescribeLoadBalancerAttributeRequest,
)
from hypothesis import strategies as st
from tests.fuzz.strategies import as_json, broken, mutated
from tests.fuzz.target import Target

from mock_slb.testing import SDK_SEND
from slb_registration.cloud.client import Cloud
from slb_registration.cloud.credentials import Credentials, CredentialsError, Static
from slb_registration.cloud.ram_role import assumed, of_instance
from slb_registration.cloud.refreshing import Fetch, RefreshingCredentials
from slb_registration.instance.metadata import IdentityError, Metadata, MetadataError
from slb_registration.instance.own_server import resolved
from slb_registration.model.configuration import CredentialConfig, GroupSpec, StaticKeys
from slb_registration.model.errors import ApiError
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.net import bounded_http

SECRETS = ("LTAI5tAccessKeyOfFuzz", "sEcReTsEcReTsEcReTsEcReTsEcReT", "CAIS8gF1q6Ft5B2yfSjIr5bR")
ENI = GroupSpec(*("nlb", None, None, 80, 100, None, None), "sgp-2", "eni", None, "10.0.0.1")


def http(body: bytes, head: bytes = b"HTTP/1.1 200 OK\r\n") -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


ISSUED = {
    "Code": "Success",
    "AccessKeyId": SECRETS[0],
    "AccessKeySecret": SECRETS[1],
    "SecurityToken": SECRETS[2],
    "Expiration": "2099-11-24T23:00:00Z",
}
METADATA_SEEDS = (
    http(b"i-bp67acfmxazb4ph0001"),
    http(b"cn-hangzhou\n"),
    http(b"00:16:3e:00:00:01/\n00:16:3e:00:00:02/\n"),
    http(json.dumps(ISSUED).encode()),
    http(b"", b"HTTP/1.1 404 Not Found\r\n"),
    http(b"<html>", b"HTTP/1.1 403 Forbidden\r\n"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ni-1\r\n-1\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 301 Moved\r\nLocation: http://evil/\r\n\r\n",
)


@contextmanager
def _answering(data: bytes) -> Iterator[None]:
    """Every connection is answered with `data` and closed."""

    def connected(*_: object, **__: object) -> socket.socket:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        with suppress(BlockingIOError):
            theirs.send(data)
        theirs.shutdown(socket.SHUT_WR)
        ours.settimeout(5)
        kept.append(theirs)
        return ours

    kept: list[socket.socket] = []
    with mock.patch.object(bounded_http, "connected", connected):
        yield
    for one in kept:
        one.close()


def metadata_holds(data: bytes) -> None:
    """Who am I, what are my addresses, and what are the role's keys."""
    with _answering(data):
        for ask in (
            lambda: Metadata("http://127.0.0.1").get("instance-id"),
            lambda: resolved(ENI, Metadata("http://127.0.0.1")),
            lambda: resolved(replace(ENI, server_type="ip", server_ip=None), Metadata("http://x")),
        ):
            with suppress(MetadataError, IdentityError):
                ask()
        for name in (None, "role"):
            _issue(of_instance(Metadata("http://127.0.0.1"), name))


def _issue(fetch: Fetch) -> None:
    lines = io.StringIO()
    try:
        found = RefreshingCredentials(fetch, EventLog(lines, format="text")).current()
    except CredentialsError as error:
        said = str(error)
        assert said.isprintable(), repr(said)
    else:
        said = ""
        assert isinstance(found, Credentials)
    said += lines.getvalue()
    assert said.replace("\n", "").isprintable()
    assert not any(secret in said for secret in SECRETS), said


ROLE = CredentialConfig("assume_role", None, None, "acs:ram::1:role/x", "s", 900, None)
STS = {"RequestId": "1", "Credentials": ISSUED, "AssumedRoleUser": {"Arn": "x"}}


def sts_holds(answer: Any) -> None:
    """AssumeRole: keys, or CredentialsError that shows none of them."""
    _issue(assumed(lambda _request: answer if isinstance(answer, dict) else {}, ROLE))


# The SDK

API_ERROR = {
    "RequestId": "365F4154-92F6-4AE4-92F8-7FF34B540710",
    "HostId": "slb.aliyuncs.com",
    "Code": "SignatureDoesNotMatch",
    "Message": f"Specified signature is not matched: server string to sign is:POST&{SECRETS[0]}",
}
BODIES = (
    json.dumps({"RequestId": "1", "BackendServers": {"BackendServer": []}}).encode(),
    json.dumps(API_ERROR).encode(),
    json.dumps({**API_ERROR, "Code": "Throttling.User", "Message": "slow\x1b[2J"}).encode(),
    b"<html><title>502 Bad Gateway</title></html>",
    b"null",
    b"[" * 3000,
)


@dataclass(frozen=True)
class Reply:
    """An answer over HTTP."""

    status: int
    kind: str
    body: bytes


replies = st.builds(
    Reply,
    st.sampled_from((200, 200, 301, 400, 403, 404, 409, 429, 449, 500, 502, 503, 600)),
    st.sampled_from(("application/json", "text/html; charset=x", "", "text/plain; charset=utf-7")),
    mutated(BODIES, most=3) | as_json(broken((API_ERROR, STS), most=3)) | st.binary(max_size=20),
)


@functools.cache
def _cloud() -> Cloud:
    return Cloud(Static(StaticKeys(*SECRETS)), "cn-hangzhou")


def sdk_holds(reply: Reply) -> None:
    """An object, or ApiError on one printable line without keys."""
    request = DescribeLoadBalancerAttributeRequest()
    request.set_LoadBalancerId("lb-1")
    with responses.RequestsMock(target=SDK_SEND, assert_all_requests_are_fired=False) as wire:
        answer: Callable[[Any], Any] = lambda _request: (  # noqa: E731
            reply.status,
            {"Content-Type": reply.kind},
            reply.body,
        )
        wire.add_callback(responses.POST, "https://slb.aliyuncs.com/", callback=answer)
        try:
            assert isinstance(_cloud().call(request), dict)
        except ApiError as error:
            said = str(error)
        else:
            return
    assert said.isprintable(), repr(said)
    assert len(said) < 1500
    assert not any(secret in said for secret in SECRETS), said


TARGETS = (
    Target(
        "metadata",
        mutated(METADATA_SEEDS, most=4) | as_json(broken([ISSUED])).map(http),
        metadata_holds,
        examples=120,
        raw=True,
        seeds=METADATA_SEEDS,
    ),
    Target("sts", broken([STS]), sts_holds, examples=120),
    Target("sdk", replies, sdk_holds, examples=150),
)
