"""Every exchange with the API ends in time and in bounds, whatever the other side sends or not."""

from __future__ import annotations

import gzip
import itertools
import socket
import ssl
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from aliyunsdknlb.request.v20220430.AddServersToServerGroupRequest import (
    AddServersToServerGroupRequest,
)
from aliyunsdkslb.request.v20140515.DescribeLoadBalancerAttributeRequest import (
    DescribeLoadBalancerAttributeRequest,
)
from tests.unit.trickling import OK, TRICKLES, WHOLE, Server

from slb_registration.cloud import client as cloud
from slb_registration.cloud import transport
from slb_registration.cloud.client import Cloud
from slb_registration.cloud.credentials import Static
from slb_registration.model.configuration import StaticKeys
from slb_registration.model.errors import ApiError, Kind

FEW_SECONDS = 0.4
# The SDK's old urllib3 asks `ssl` for things that Python has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:aliyunsdkcore")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exchange has less than a second; a silence has what it always has."""
    monkeypatch.setattr(transport, "EXCHANGE_SECONDS", FEW_SECONDS)


def calling(url: str, ca_bundle: Path | None = None) -> Cloud:
    keys = StaticKeys("LTAI5tAccessKeyOfTests", "sEcReTsEcReTsEcReTsEcReTsEcReT", None)
    where = {"slb": url, "nlb": url}
    return Cloud(Static(keys), "cn-hangzhou", endpoints=where, ca_bundle=ca_bundle)


def request() -> DescribeLoadBalancerAttributeRequest:
    asked = DescribeLoadBalancerAttributeRequest()
    asked.set_LoadBalancerId("lb-1")
    return asked


def failing(url: str, ca_bundle: Path | None = None) -> ApiError:
    with pytest.raises(ApiError) as caught:
        calling(url, ca_bundle).call(request())
    return caught.value


# Time


def trickling(hostile: Callable[..., Server], name: str, **how: ssl.SSLContext) -> Server:
    head, piece = TRICKLES[name]

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        server.trickle(connection, itertools.chain([head], itertools.repeat(piece)))

    server = hostile(serve, **how)
    return server


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", TRICKLES)
def test_an_answer_that_trickles_is_given_up(hostile: Callable[..., Server], name: str):
    server = trickling(hostile, name)

    error = failing(f"http://127.0.0.1:{server.port}")

    assert error.kind is Kind.LOST
    assert "no whole answer within" in str(error)


@pytest.fixture
def authority(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context, and who vouches for it."""
    made, bundle = trustme.CA(), tmp_path / "ca.pem"
    made.cert_pem.write_to_path(str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.issue_cert("127.0.0.1").configure_cert(context)
    return context, bundle


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", ["headers", "interim answers", "chunks"])
def test_so_is_one_over_tls(
    hostile: Callable[..., Server], authority: tuple[ssl.SSLContext, Path], name: str
):
    server = trickling(hostile, name, tls=authority[0])

    error = failing(f"https://127.0.0.1:{server.port}", authority[1])

    assert "no whole answer within" in str(error)


def test_a_handshake_that_trickles_is_no_connection(
    hostile: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cloud, "CONNECT_TIMEOUT_SECONDS", FEW_SECONDS)

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        # The head of a record with a ServerHello, which then comes byte by byte.
        server.trickle(
            connection, itertools.chain([b"\x16\x03\x03\x3f\xff"], itertools.repeat(b"\2"))
        )

    server = hostile(serve)

    error = failing(f"https://127.0.0.1:{server.port}")

    assert error.kind is Kind.UNAVAILABLE
    assert "no connection within" in str(error)


def test_a_name_that_is_looked_up_without_end_is_no_connection(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cloud, "CONNECT_TIMEOUT_SECONDS", FEW_SECONDS)
    end = threading.Event()

    def getaddrinfo(*_: object, flags: int = 0, **__: object) -> None:
        if not flags:
            end.wait(30)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    error = failing("https://slb.example.com")

    end.set()
    assert error.kind is Kind.UNAVAILABLE
    assert "no connection within" in str(error)


@pytest.mark.usefixtures("quick")
def test_a_request_that_is_not_taken_is_given_up(hostile: Callable[..., Server]):
    asked = AddServersToServerGroupRequest()
    asked.set_ServerGroupId("sgp-" + "x" * (6 << 20))  # more than all buffers between
    server = hostile(lambda _: server.closed.wait(30) and None)

    with pytest.raises(ApiError) as caught:
        calling(f"http://127.0.0.1:{server.port}").call(asked)

    assert caught.value.kind is Kind.LOST


@pytest.mark.usefixtures("quick")
def test_each_exchange_of_a_connection_that_is_kept_has_its_own_time(
    hostile: Callable[..., Server],
):
    def serve(connection: socket.socket) -> None:
        while connection.recv(65536):
            server.closed.wait(FEW_SECONDS / 2)
            connection.sendall(WHOLE)

    server = hostile(serve)
    client = calling(f"http://127.0.0.1:{server.port}")

    for _ in range(4):
        assert client.call(request()) == {}

    assert server.connections == 1


# Size


def answering(hostile: Callable[..., Server], head: bytes, body: bytes) -> Server:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(OK + head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    return hostile(serve)


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


PACKERS: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "gzip": (b"gzip", gzip.compress),
    "gzip in capitals": (b"GZIP", gzip.compress),
    "deflate": (b"deflate", zlib.compress),
    "deflate without its header": (b"deflate", raw_deflate),
    "gzip in two members": (b"gzip", lambda b: gzip.compress(b[:1]) + gzip.compress(b[1:])),
    "identity": (b"identity", lambda b: b),
}


@pytest.mark.parametrize("how", PACKERS)
def test_an_answer_that_a_proxy_has_packed_once_is_read(hostile: Callable[..., Server], how: str):
    encoding, pack = PACKERS[how]
    head = b"Content-Encoding: %s\r\n" % encoding
    server = answering(hostile, head, pack(b'{"RequestId": "1"}'))
    assert calling(f"http://127.0.0.1:{server.port}").call(request()) == {"RequestId": "1"}


@pytest.mark.parametrize("how", ["gzip", "deflate", "deflate without its header"])
def test_one_that_unpacks_to_more_than_any_is_refused(hostile: Callable[..., Server], how: str):
    encoding, pack = PACKERS[how]
    bomb = pack(b" " * (64 << 20))
    server = answering(hostile, b"Content-Encoding: %s\r\n" % encoding, bomb)
    error = failing(f"http://127.0.0.1:{server.port}")
    assert error.kind is Kind.LOST
    assert "larger than any" in str(error)


@pytest.mark.parametrize(
    "encoding",
    [
        *("gzip, gzip", "gzip,gzip", "gzip, gzip, gzip", "deflate, gzip", "gzip, identity"),
        *("gzip\r\nContent-Encoding: gzip", "gzip\r\ncontent-encoding: deflate", "gzip,"),
        *("br", "zstd", "x-gzip", "compress", "aws-chunked", "no-such", "gzip;q=1", "*"),
    ],
)
def test_one_that_is_packed_more_than_once_or_otherwise_is_not_unpacked(
    hostile: Callable[..., Server], encoding: str
):
    inner = gzip.compress(gzip.compress(b'{"RequestId": "1"}'))
    server = answering(hostile, b"Content-Encoding: %s\r\n" % encoding.encode(), inner)
    error = failing(f"http://127.0.0.1:{server.port}")
    assert error.kind is Kind.LOST
    assert "packed as nobody has asked for (Content-Encoding)" in str(error)


def test_what_comes_after_a_refused_answer_is_no_answer_to_the_next_call(
    hostile: Callable[..., Server],
):
    def serve(connection: socket.socket) -> None:
        first = server.connections == 1
        connection.recv(65536)
        connection.sendall(OK + b"Content-Encoding: br\r\n" if first else OK)
        connection.sendall(b"Content-Length: 2\r\n\r\n{}")
        connection.recv(65536)

    server = hostile(serve)
    client = calling(f"http://127.0.0.1:{server.port}")
    with pytest.raises(ApiError):
        client.call(request())

    assert client.call(request()) == {}

    assert server.connections == 2


def test_a_redirect_is_not_followed(hostile: Callable[..., Server]):
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        there = b"Location: http://127.0.0.1:%d/\r\n" % server.port
        connection.sendall(b"HTTP/1.1 307 Elsewhere\r\nContent-Length: 0\r\n" + there + b"\r\n")

    server = hostile(serve)

    failing(f"http://127.0.0.1:{server.port}")

    assert server.connections == 1
