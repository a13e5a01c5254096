"""The mocked cloud: what is wrong with a request is told to the client, in HTTP and in time."""

from __future__ import annotations

import atexit
import functools
import json
import re
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any
from unittest import mock
from xml.etree import ElementTree

import responses
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from tests.fuzz.answers import _all_calls
from tests.fuzz.control import noticing_mistakes
from tests.fuzz.strategies import ODD_TEXTS, mutated
from tests.fuzz.target import Target
from tests.unit.every_kind import KINDS, Setting

from mock_slb.account.account import Account
from mock_slb.gateway.gateway import Gateway
from mock_slb.http.wire import WireRequest
from mock_slb.server import MockServer, serve
from mock_slb.signing.claims import Verifier
from mock_slb.testing import SDK_SEND

CHANGES = (
    {"id": "lb-2", "listeners": [{"port": 80}]},
    {"load_balancer": "lb-1", "server": "i-1", "weight": 10},
    {"action": "Add*", "times": 1, "effect": {"refuse": {"code": "X", "status": 400}}},
)
HTTP_SEEDS = (
    b"POST /?Action=DescribeLoadBalancers&Version=2014-05-15&Format=JSON HTTP/1.1\r\n"
    b"Host: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b",
    b"GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PUT /latest/api/token HTTP/1.1\r\nX-aliyun-ecs-metadata-token-ttl-seconds: 60\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b'GET /_mock/page/main.js HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: "x"\r\n\r\n',
    b"GET /_mock/overview HTTP/1.0\r\nSec-Fetch-Site: cross-site\r\nOrigin: null\r\n\r\n",
    b"GET /_mock/calls?since=0 HTTP/1.0\r\n\r\n",
    b"DELETE /_mock/faults/1 HTTP/1.0\r\n\r\n",
    *(
        b"POST /_mock/faults HTTP/1.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        for body in (json.dumps(one).encode() for one in CHANGES)
    ),
    b"POST /_mock/faults HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
    + b"[" * 5000,
)


def account() -> Account:
    made = Account()
    made.add_instance("i-1")
    made.add_load_balancer("lb-1").add_listener(80, backend_port=80)
    return made


@functools.cache
def _server() -> MockServer:
    stack = ExitStack()
    server = stack.enter_context(serve(account(), probe=False))
    atexit.register(stack.close)
    return server


def http_holds(data: bytes) -> None:
    """Any bytes: an answer that blames the client, or none; and the next one is served."""
    with noticing_mistakes() as mistakes:
        answer = _answer(data)
        after = _answer(HTTP_SEEDS[3].replace(b"1.1", b"1.0"))
    assert not mistakes, mistakes[0]
    statuses = re.findall(rb"^HTTP/1\.[01] (\d{3}) ", answer, re.MULTILINE)
    assert not any(status >= b"500" and status != b"501" for status in statuses), answer[:300]
    assert after.startswith(b"HTTP/1.1 200 "), after[:80]


def _answer(data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", _server().port), timeout=20) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65536), b""))
        except ConnectionError:
            return b""


@functools.cache
def calls() -> tuple[tuple[int, Mapping[str, str]], ...]:
    """The parameters of real calls, by the kind of server group."""
    found: list[tuple[int, Mapping[str, str]]] = []
    for number, kind in enumerate(KINDS):
        with responses.RequestsMock(target=SDK_SEND, assert_all_requests_are_fired=False) as wire:
            setting = Setting(wire, kind)
            _all_calls(setting, setting.open())
            found += [(number, dict(call.params)) for call in setting.gateway.calls.all()]
    return tuple(found)


@functools.cache
def gateways() -> tuple[Gateway, ...]:
    """One account for each kind."""
    made = []
    for kind in KINDS:
        with responses.RequestsMock(target=SDK_SEND, assert_all_requests_are_fired=False) as wire:
            made.append(Setting(wire, kind).gateway)
    return tuple(made)


@st.composite
def requests(draw: DrawFn) -> tuple[int, dict[str, str]]:
    """A call with some of its parameters changed."""
    number, known = draw(st.sampled_from(calls()))
    params = {**known, "Format": "JSON"}
    values = st.one_of(st.sampled_from((*ODD_TEXTS, "[" * 3000)), st.text(max_size=9), _odd_json())
    for name in draw(st.lists(st.sampled_from(sorted(params)), max_size=3, unique=True)):
        if draw(st.integers(0, 3)):
            params[name] = draw(values)
        else:
            del params[name]
    if draw(st.booleans()):
        other = draw(st.sampled_from(ODD_PARAMETERS))
        params[other] = draw(values)
    return number, params


ODD_PARAMETERS = (
    *("BackendServers", "Tags", "PageSize", "PageNumber", "MaxResults", "NextToken", "ServerIds.1"),
    *("Servers.1.Port", "Servers.0.Port", "Servers.x.Port", "Servers.99999999999.ServerId"),
    *("Tag.1.Key", "Tag.1.Value", "ListenerPort", "ServerGroupIds.1", "ClientToken", "DryRun"),
)


def _odd_json() -> st.SearchStrategy[str]:
    server = {"ServerId": "i-self", "Weight": "100", "Port": "80", "Type": "ecs"}
    odd: Any = st.sampled_from((*ODD_TEXTS[:8], "[" * 3000, None, [], {}, 1e308, -1, 2**70, True))
    return st.fixed_dictionaries({}, optional=dict.fromkeys(server, odd)).map(
        lambda changes: json.dumps([{**server, **changes}])
    )


def gateway_holds(value: tuple[int, dict[str, str]]) -> None:
    """Any parameters, rightly signed: an answer, or an error of the API's."""
    number, params = value
    gateway = gateways()[number]
    with mock.patch.object(Verifier, "check"), mock.patch("mock_slb.gateway.gateway._claim"):
        answer = gateway.answer(WireRequest("POST", params))
    # 501: an action of the API that only the mock does not have
    assert answer.status in (200, 501, 503) or 400 <= answer.status < 500, answer
    if answer.content_type.startswith("text/xml"):  # where no Format, or XML, was asked for
        ElementTree.fromstring(answer.body)
    else:
        json.loads(answer.body)
    gateway.calls.clear()


TARGETS = (
    Target(
        "mock_http",
        mutated(HTTP_SEEDS) | st.binary(max_size=40),
        http_holds,
        examples=100,
        raw=True,
        seeds=HTTP_SEEDS,
    ),
    Target("mock_api", requests(), gateway_holds, examples=200, prepare=calls),
)
