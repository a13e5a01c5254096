"""What comes without end is cut off: the other side notices how much of it was taken."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path

import pytest
from aliyunsdkslb.request.v20140515.DescribeLoadBalancerAttributeRequest import (
    DescribeLoadBalancerAttributeRequest,
)

from slb_registration.cloud import transport
from slb_registration.cloud.client import Cloud
from slb_registration.cloud.credentials import Static
from slb_registration.config.loading import ConfigError, load
from slb_registration.instance.metadata import Metadata, MetadataError
from slb_registration.model.configuration import StaticKeys
from slb_registration.model.errors import ApiError, Kind

MIB = 1 << 20
WITHOUT_END = 256 * MIB
"""What a server has to give; more than the limits and all buffers between."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Endless:
    """Answers one request with pieces for as long as they are taken; `sent` counts the bytes."""

    def __init__(self, pieces: Callable[[], Iterator[bytes]]) -> None:
        self.sent = 0
        self._pieces = pieces
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            connection.recv(65536)
            try:
                for piece in self._pieces():
                    connection.sendall(piece)
                    self.sent += len(piece)
            except OSError:
                pass

    def close(self) -> None:
        self._socket.close()
        self._thread.join(10)


@contextmanager
def endless(head: bytes, piece: bytes) -> Iterator[Endless]:
    server = Endless(lambda: iter([head, *repeat(piece, WITHOUT_END // len(piece))]))
    yield server
    server.close()
    assert server.sent < WITHOUT_END / 4, f"{server.sent / MIB:.0f} MiB were taken"


BODIES = {
    "a length": (HEAD + b"Content-Length: %d\r\n\r\n" % WITHOUT_END, b"[" * 65536),
    "no length": (HEAD + b"\r\n", b" " * 65536),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    "a chunk of length -1": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", b"x" * 65536),
    "headers": (HEAD, b"X-Header: " + b"x" * 65000 + b"\r\n"),
    "one header": (HEAD + b"X-Header: ", b"x" * 65536),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\nX: " + b"x" * 60000 + b"\r\n\r\n"),
}


def cloud(url: str) -> Cloud:
    keys = StaticKeys("LTAI5tAccessKeyOfFuzz", "sEcReTsEcReTsEcReTsEcReTsEcReT", None)
    return Cloud(Static(keys), "cn-hangzhou", endpoints={"slb": url})


def failure(url: str) -> ApiError:
    request = DescribeLoadBalancerAttributeRequest()
    request.set_LoadBalancerId("lb-1")
    with pytest.raises(ApiError) as caught:
        cloud(url).call(request)
    return caught.value


@pytest.mark.parametrize("name", sorted(BODIES))
def test_an_answer_of_the_api_without_end_is_cut_off(name: str):
    with endless(*BODIES[name]) as server:
        error = failure(server.url)
    assert error.kind is Kind.LOST
    assert "larger than any of the API's" in str(error) or name == "headers"


def test_an_answer_of_the_api_that_unpacks_without_end_is_cut_off():
    bomb = gzip.compress(b" " * (32 * MIB))
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    server = Endless(lambda: iter([head, bomb]))
    tracemalloc.start()
    error = failure(server.url)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    server.close()
    assert "larger than any of the API's" in str(error)
    assert peak < 24 * MIB, f"{peak / MIB:.0f} MiB"


def test_an_answer_of_the_largest_size_is_taken():
    body = json.dumps({"RequestId": "1", "padding": ""}).encode()
    body = body[:-2] + b"x" * (transport.ANSWER_LIMIT - len(body)) + body[-2:]
    head = HEAD + b"Content-Length: %d\r\n\r\n" % len(body)
    server = Endless(lambda: iter([head, body]))
    request = DescribeLoadBalancerAttributeRequest()
    request.set_LoadBalancerId("lb-1")
    assert cloud(server.url).call(request)["RequestId"] == "1"
    server.close()


@pytest.mark.parametrize("name", sorted(BODIES))
def test_an_answer_of_the_metadata_service_without_end_is_cut_off(name: str):
    with endless(*BODIES[name]) as server, pytest.raises(MetadataError):
        Metadata(server.url, timeout_seconds=10).get("instance-id")


# The configuration


def problems(tmp_path: Path, document: object) -> tuple[str, ...]:
    path = tmp_path / "agent.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigError) as caught:
        load(path)
    return caught.value.problems


def test_a_configuration_larger_than_any_is_not_read_to_its_end(tmp_path: Path):
    path = tmp_path / "agent.json"
    with path.open("wb") as file:
        file.truncate(2**40)  # it takes no room on the disk
    with pytest.raises(ConfigError, match="is larger than"):
        load(path)


def test_of_very_many_problems_some_are_told_and_the_rest_is_counted(tmp_path: Path):
    found = problems(tmp_path, {"properties": {f"no-such-{n}": n for n in range(20_000)}})
    assert len(found) == 101
    assert "more problems" in found[-1]


def test_ten_thousand_server_groups_would_be_ten_thousand_threads(tmp_path: Path):
    groups = [{"load_balancer_id": f"lb-{number}"} for number in range(10_000)] * 2
    found = problems(tmp_path, {"properties": {"server_groups": groups}})
    assert any(one.startswith("server_groups: must be at most 200") for one in found)
