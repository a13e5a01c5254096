"""The metadata service and the service of this VM, where either is hostile: each has its time.

What comes without end is in tests/fuzz/test_bounds.py, what hangs in test_health.py.
"""

from __future__ import annotations

import gzip
import itertools
import socket
from collections.abc import Callable

import pytest
from tests.unit.trickling import OK, TRICKLES, Server

from slb_registration.instance.metadata import Metadata, MetadataError
from slb_registration.probes.probing import HttpCheck

FEW_SECONDS = 0.3
BEFORE_THE_BODY = [name for name, (head, _) in TRICKLES.items() if b"\r\n\r\n" not in head]
Listening = Callable[..., Server]


def trickling(hostile: Listening, name: str) -> Server:
    head, piece = TRICKLES[name]

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        server.trickle(connection, itertools.chain([head], itertools.repeat(piece)))

    server: Server = hostile(serve)
    return server


@pytest.mark.parametrize("name", TRICKLES)
def test_a_metadata_service_that_trickles_is_given_up(hostile: Listening, name: str):
    server = trickling(hostile, name)
    metadata = Metadata(f"http://127.0.0.1:{server.port}", timeout_seconds=FEW_SECONDS)
    with pytest.raises(MetadataError, match=r"no answer within 0\.3 s|cut off or too long"):
        metadata.get("instance-id")


@pytest.mark.parametrize("name", BEFORE_THE_BODY)
def test_a_service_that_trickles_fails_its_check(hostile: Listening, name: str):
    server = trickling(hostile, name)
    result = http(server).probe()
    assert not result.ok
    assert "no answer within 0.3 s" in result.detail


@pytest.mark.parametrize("name", sorted(TRICKLES.keys() - set(BEFORE_THE_BODY)))
def test_one_whose_body_trickles_has_answered(hostile: Listening, name: str):
    server = trickling(hostile, name)
    assert http(server).probe().ok


def http(server: Server) -> HttpCheck:
    return HttpCheck("127.0.0.1", server.port, "/", False, frozenset({200}), FEW_SECONDS)


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "deflate", "br"])
def test_nothing_is_unpacked(hostile: Listening, encoding: str):
    body = gzip.compress(gzip.compress(b"i-1"))
    head = OK + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (
        encoding.encode(),
        len(body),
    )

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head + body)

    server = hostile(serve)
    with pytest.raises(MetadataError, match=r"is not text|no token"):
        Metadata(f"http://127.0.0.1:{server.port}").get("instance-id")
