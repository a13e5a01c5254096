"""Every connection that fails names product and host, and what is likely to be wrong."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from aliyunsdkslb.request.v20140515.DescribeLoadBalancersRequest import (
    DescribeLoadBalancersRequest,
)

from slb_registration.cloud.client import Cloud
from slb_registration.cloud.connection_errors import Place, unreachable
from slb_registration.cloud.credentials import Static
from slb_registration.instance.metadata import Metadata, MetadataError
from slb_registration.model.configuration import StaticKeys
from slb_registration.model.errors import ApiError, Kind

KEYS = StaticKeys("key-of-the-test", "secret-of-the-test", "token-of-the-test")
URL = "/?AccessKeyId=key-of-the-test&Signature=abc%3D&SecurityToken=token-of-the-test"
REGION = "cn-hangzhou"
INTERNET = Place("slb", "slb.aliyuncs.com", REGION)
VPC = Place("alb", "alb-vpc.cn-hangzhou.aliyuncs.com", REGION, "vpc")
GIVEN = Place("nlb", "nlb.private.example:8443", REGION, given=True)
STS = Place("sts", "sts-vpc.cn-hangzhou.aliyuncs.com", REGION, "vpc")
TEXTS = {
    "no such name": "[Errno -2] Name or service not known",
    "no address": "[Errno -5] No address associated with hostname",
    "resolver": "[Errno -3] Temporary failure in name resolution",
    "refused": "[Errno 111] Connection refused",
    "too slow to connect": "ConnectTimeoutError(<conn>, 'timed out. (connect timeout=3)')",
    "no route": "[Errno 113] No route to host",
    "unreachable": "[Errno 101] Network is unreachable",
    "too slow to answer": "Read timed out. (read timeout=10)",
    "reset": "('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))",
    "closed": "RemoteDisconnected('Remote end closed connection without response')",
    "broken pipe": "[Errno 32] Broken pipe",
    "cut short": "IncompleteRead(3 bytes read)",
    "not trusted": "SSLError [SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer",
    "expired": "SSLError [SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired",
    "another name": "hostname 'a.example' doesn't match 'b.example'",
    "no TLS": "SSLError [SSL: WRONG_VERSION_NUMBER] wrong version number",
    "odd": "something nobody has seen",
}


def failed(what: str, place: Place) -> ApiError:
    return unreachable("Action", "SDK.HttpError", f"{TEXTS[what]} {URL}", place)


@pytest.mark.parametrize("what", TEXTS)
@pytest.mark.parametrize(
    ("place", "who"),
    [
        (INTERNET, "CLB at slb.aliyuncs.com: "),
        (VPC, "ALB at alb-vpc.cn-hangzhou.aliyuncs.com: "),
        (GIVEN, "NLB at nlb.private.example:8443: "),
        (STS, "STS at sts-vpc.cn-hangzhou.aliyuncs.com: "),
    ],
    ids=str,
)
def test_whatever_fails_product_and_host_are_named_and_nothing_secret(
    what: str, place: Place, who: str
):
    error = failed(what, place)
    assert error.message.startswith(who)
    assert "of-the-test" not in str(error)
    assert error.kind in (Kind.UNAVAILABLE, Kind.LOST)
    assert not error.hopeless


@pytest.mark.parametrize(
    ("place", "what", "cure"),
    [
        (INTERNET, "too slow to connect", "network: vpc"),
        (INTERNET, "unreachable", "network: vpc"),
        (INTERNET, "no route", "endpoints.slb"),
        (INTERNET, "refused", "uses no proxy"),
        (INTERNET, "no such name", "the spelling of region (cn-hangzhou)"),
        (INTERNET, "no address", "set endpoints.slb"),
        (INTERNET, "resolver", "this VM's DNS"),
        (VPC, "too slow to connect", "inside of region cn-hangzhou only"),
        (VPC, "no such name", "endpoints.alb"),
        (GIVEN, "too slow to connect", "check endpoints.nlb, and the rules for outgoing"),
        (GIVEN, "refused", "check endpoints.nlb"),
        (GIVEN, "no such name", "check endpoints.nlb, and this VM's DNS"),
        (GIVEN, "another name", "endpoints.nlb must give a name that is in it"),
        (GIVEN, "no TLS", "is it https that endpoints.nlb names?"),
        (GIVEN, "not trusted", "ca_bundle"),
        (INTERNET, "not trusted", "a proxy in between"),
        (INTERNET, "expired", "the clock of this VM"),
        (INTERNET, "reset", "a proxy or a firewall"),
    ],
)
def test_where_it_is_likely_the_cure_is_named(place: Place, what: str, cure: str):
    assert cure in failed(what, place).message


@pytest.mark.parametrize("what", TEXTS)
def test_only_what_does_not_pass_takes_a_person(what: str):
    lasting = {"no such name", "no address", "not trusted", "another name"}
    assert failed(what, INTERNET).barred is (what in lasting)


# With the SDK and the system's own words


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def called(**options: object) -> ApiError:
    one = Cloud(Static(KEYS), REGION, **options)  # type: ignore[arg-type]
    with pytest.raises(ApiError) as caught:
        one.call(DescribeLoadBalancersRequest())
    one.close()
    return caught.value


def test_a_port_that_refuses(closed_port: int):
    error = called(endpoints={"slb": f"http://127.0.0.1:{closed_port}"})
    assert f"CLB at 127.0.0.1:{closed_port}: the endpoint refuses connections" in str(error)


@pytest.mark.parametrize(
    ("network", "host"), [("internet", "slb.aliyuncs.com"), ("vpc", "slb-vpc.cn-hangzhou")]
)
@pytest.mark.parametrize(
    ("raised", "said", "lasting"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "no such name", True),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "DNS", False),
    ],
)
def test_a_name_that_cannot_be_looked_up(
    monkeypatch: pytest.MonkeyPatch, network: str, host: str, raised: OSError, said: str,
    lasting: bool,
):  # fmt: skip
    def getaddrinfo(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    error = called(network=network)
    assert f"CLB at {host}" in str(error)
    assert said in str(error)
    assert error.barred is lasting


def test_a_connection_that_is_reset(listening: Callable[[], int]):
    error = called(endpoints={"slb": f"http://127.0.0.1:{listening()}"})
    assert "CLB at 127.0.0.1:" in str(error)
    assert error.kind is Kind.LOST


@pytest.fixture
def listening() -> Iterator[Callable[[], int]]:
    """A port whose connections are closed without an answer."""
    sockets: list[socket.socket] = []

    def listen() -> int:
        server = socket.create_server(("127.0.0.1", 0))
        sockets.append(server)

        def serve() -> None:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.recv(65536)
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        return int(server.getsockname()[1])

    yield listen
    for one in sockets:
        one.close()


# The metadata service


def told(endpoint: str) -> str:
    with pytest.raises(MetadataError) as caught:
        Metadata(endpoint, timeout_seconds=0.05).get("instance-id")
    return str(caught.value)


def test_a_metadata_service_that_does_not_answer(closed_port: int):
    text = told(f"http://127.0.0.1:{closed_port}")
    assert text == (
        f"metadata service http://127.0.0.1:{closed_port}: connection refused "
        "(check endpoints.metadata)"
    )


def test_outside_of_alibaba_cloud_there_is_no_metadata_service(monkeypatch: pytest.MonkeyPatch):
    def connect(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(socket.socket, "connect", connect)
    text = told("http://100.100.100.200")
    assert "metadata service http://100.100.100.200: no answer within" in text
    assert "give region and instance_id" in text
