"""Asking the metadata service, when it does its worst."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trustme
from tests.unit.instance.metadata_service import (
    ME,
    TTL_HEADER,
    Handler,
    Server,
    Service,
    hang,
    raw,
    running,
    trickle,
)

from slb_registration.instance.metadata import Metadata, MetadataError

SOON = 0.1
SLACK = 1.0


def impatient(server: Server) -> Metadata:
    return Metadata(f"http://127.0.0.1:{server.server_port}", timeout_seconds=SOON)


def test_a_token_is_fetched_first_and_used_again(metadata, service):
    assert metadata.get("instance-id") == ME
    assert metadata.get("region-id") == "cn-hangzhou"

    assert service.calls == [
        ("PUT", "/latest/api/token", None),
        ("GET", "/latest/meta-data/instance-id", "token-1"),
        ("GET", "/latest/meta-data/region-id", "token-1"),
    ]
    assert service.headers[0][TTL_HEADER] == "21600"


def test_white_space_around_an_answer_does_not_belong_to_it(metadata, service):
    service.token = (200, b" token-1\n")
    service.data["instance-id"] = (200, f"{ME}\n".encode())

    assert metadata.get("instance-id") == ME


def test_a_token_is_renewed_shortly_before_it_ends(metadata, service, now):
    metadata.get("instance-id")
    now.seconds += 21600 - 301
    metadata.get("instance-id")
    assert service.methods() == ["PUT", "GET", "GET"]

    now.seconds += 2
    metadata.get("instance-id")
    assert service.methods() == ["PUT", "GET", "GET", "PUT", "GET"]


def test_threads_that_ask_at_once_share_one_token(metadata, service):
    begin = threading.Barrier(4)

    def ask() -> str:
        begin.wait(5)
        return str(metadata.get("instance-id"))

    with ThreadPoolExecutor(4) as pool:
        assert {one.result() for one in [pool.submit(ask) for _ in range(4)]} == {ME}
    assert service.methods().count("PUT") == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_no_longer_taken_is_renewed_once(metadata, service, status):
    metadata.get("instance-id")
    service.tokens_taken = {"token-2"}
    service.token = (200, b"token-2")
    if status == 401:
        service.data["instance-id"] = (401, b"")
        service.tokens_taken = {"token-1", "token-2"}
        with pytest.raises(MetadataError, match="answered 401 to instance-id"):
            metadata.get("instance-id")
    else:
        assert metadata.get("instance-id") == ME

    assert [token for _, _, token in service.calls] == [
        *(None, "token-1"),
        *("token-1", None, "token-2"),
    ]


@pytest.mark.parametrize("status", [404, 405])
def test_an_old_service_without_tokens_is_read_plainly(metadata, service, status):
    service.token = (status, b"<html>Not Found</html>")
    service.plain_allowed = True

    assert metadata.get("instance-id") == ME
    assert service.calls[-1] == ("GET", "/latest/meta-data/instance-id", None)


@pytest.mark.parametrize("status", [302, 400, 401, 403, 429, 500, 502, 503])
def test_any_other_refusal_of_a_token_never_leads_to_a_plain_read(metadata, service, status):
    service.token = (status, b"<html>no</html>")
    service.plain_allowed = True

    with pytest.raises(MetadataError, match=f"answered {status} instead of a token"):
        metadata.get("instance-id")

    assert service.methods() == ["PUT"]


@pytest.mark.parametrize(
    "reply",
    [(200, b""), (200, b"<html>portal</html>"), (200, b"a\r\nX-Evil: 1"), (200, b"\xff\xfe"), hang],
)
def test_a_token_that_is_none_never_leads_to_a_plain_read(server, service, reply):
    service.token = reply
    service.plain_allowed = True

    with pytest.raises(MetadataError):
        impatient(server).get("instance-id")

    assert service.methods() == ["PUT"]


def test_a_service_that_gets_tokens_later_is_asked_for_one(metadata, service):
    service.token = (404, b"")
    service.plain_allowed = True
    metadata.get("instance-id")
    service.token = (200, b"token-1")
    service.plain_allowed = False

    assert metadata.get("instance-id") == ME


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ((404, b"Not Found"), "answered 404 to instance-id"),
        ((403, b""), "answered 403 to instance-id"),
        ((500, b""), "answered 500 to instance-id"),
        ((302, b""), "answered 302 to instance-id"),
        ((204, b""), "answered 204 to instance-id"),
        ((200, b"i-\xff\xfe"), "is not text"),
        ((200, b"i" * 70_000), "cut off or too long"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ni-1"), "cut off or too long"),
        (raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"i" * 65_537), "cut off or too long"),
        (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "not HTTP"),
        (raw(b""), "closed the connection without an answer"),
        (hang, "no answer within 0.1 s"),
        (trickle, "cut off or too long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_answer_that_cannot_be_used_is_an_error_in_time(server, service, reply, said):
    service.data["instance-id"] = reply
    started = time.monotonic()

    with pytest.raises(MetadataError, match=said) as caught:
        impatient(server).get("instance-id")

    assert time.monotonic() - started < 4 * SOON + SLACK
    assert f"metadata service http://127.0.0.1:{server.server_port}: " in str(caught.value)
    assert "token-1" not in str(caught.value)


def test_a_redirect_takes_the_token_nowhere(metadata, service):
    service.data["instance-id"] = (302, b"")

    with pytest.raises(MetadataError):
        metadata.get("instance-id")

    assert "/latest/meta-data/region-id" not in [path for _, path, _ in service.calls]


def test_a_service_that_is_not_there_is_an_error():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(MetadataError, match="connection refused"):
            Metadata(endpoint).get("instance-id")


def test_proxies_of_the_environment_are_not_used(metadata, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    assert metadata.get("instance-id") == ME


def test_a_service_with_an_ipv6_address_is_asked(service):
    class Server6(Server):
        address_family = socket.AF_INET6

    try:
        server = Server6(("::1", 0), Handler)
    except OSError as error:
        pytest.skip(f"::1: {error}")
    endpoint = f"http://[::1]:{server.server_port}"
    with running(server, service):
        assert Metadata(endpoint).get("instance-id") == ME
    assert service.headers[0]["Host"] == endpoint.removeprefix("http://")


def test_https_verifies_who_answers(server):
    with pytest.raises(MetadataError, match="TLS failed"):
        Metadata(f"https://127.0.0.1:{server.server_port}", timeout_seconds=SOON).get("instance-id")


@pytest.fixture
def private(service: Service, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A metadata service whose certificate is from a private authority, and that authority."""
    authority, bundle = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with running(server, service):
        yield f"https://127.0.0.1:{server.server_port}", bundle


def test_a_private_authority_is_believed_where_the_bundle_names_it(private: tuple[str, Path]):
    endpoint, bundle = private
    assert Metadata(endpoint, ca_bundle=bundle).get("instance-id") == ME


def test_a_private_authority_is_not_believed_without_the_bundle(private: tuple[str, Path]):
    with pytest.raises(MetadataError, match="TLS failed"):
        Metadata(private[0]).get("instance-id")


def test_a_bundle_that_cannot_be_used_is_named_until_it_is_put_right(private: tuple[str, Path]):
    endpoint, bundle = private
    whole = bundle.read_bytes()
    metadata = Metadata(endpoint, ca_bundle=bundle)
    bundle.unlink()
    with pytest.raises(MetadataError, match=f"ca_bundle: {bundle}: cannot be read: No such file"):
        metadata.get("instance-id")
    bundle.write_bytes(whole)
    assert metadata.get("instance-id") == ME
