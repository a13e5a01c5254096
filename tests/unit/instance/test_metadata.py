"""Asking the metadata service who this VM is, when it does its worst."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from slb_registration.instance.metadata import (
    AGAIN_SECONDS,
    IdentityError,
    Instance,
    Metadata,
    MetadataError,
    identify,
)

ME = "i-bp67acfmxazb4ph0001"
TOKEN_HEADER = "X-aliyun-ecs-metadata-token"
TTL_HEADER = "X-aliyun-ecs-metadata-token-ttl-seconds"
SOON = 0.1
SLACK = 1.0

Reply = tuple[int, bytes] | Callable[[BaseHTTPRequestHandler], None]


class Service:
    """A metadata service whose answers a test can replace; it notes what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str | None]] = []
        self.headers: list[dict[str, str]] = []
        self.token: Reply = (200, b"token-1")
        self.tokens_taken = {"token-1"}
        self.plain_allowed = False
        self.data: dict[str, Reply] = {
            "instance-id": (200, ME.encode()),
            "region-id": (200, b"cn-hangzhou"),
        }

    def reply(self, handler: BaseHTTPRequestHandler) -> Reply:
        token = handler.headers.get(TOKEN_HEADER)
        self.calls.append((handler.command, handler.path, token))
        self.headers.append(dict(handler.headers))
        if handler.command == "PUT" and handler.path == "/latest/api/token":
            return self.token
        if token not in self.tokens_taken and not (token is None and self.plain_allowed):
            return (403, b"<html>Forbidden</html>")
        return self.data.get(handler.path.removeprefix("/latest/meta-data/"), (404, b"Not Found"))

    def methods(self) -> list[str]:
        return [method for method, _, _ in self.calls]


class Server(ThreadingHTTPServer):
    service: Service
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that went away is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        reply = self.server.service.reply(self)
        if callable(reply):
            reply(self)
            return
        status, body = reply
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/latest/meta-data/region-id")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.service = Service()
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(timeout=5)


@pytest.fixture
def service(server: Server) -> Service:
    return server.service


class Now:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def metadata(server: Server, now: Now) -> Metadata:
    return Metadata(f"http://127.0.0.1:{server.server_port}", timeout_seconds=2, now=now)


def impatient(server: Server) -> Metadata:
    return Metadata(f"http://127.0.0.1:{server.server_port}", timeout_seconds=SOON)


def raw(data: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(data)
        handler.close_connection = True

    return reply


def trickle(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    pause = threading.Event()
    while not pause.wait(0.01):
        handler.wfile.write(b"i")


def hang(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.settimeout(5)
    handler.rfile.read(1)


# The metadata service


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
    with server:
        server.service = service
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        endpoint = f"http://[::1]:{server.server_port}"
        assert Metadata(endpoint).get("instance-id") == ME
        server.shutdown()
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
    with Server(("127.0.0.1", 0), Handler) as server:
        server.service = service
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}", bundle
        server.shutdown()
        thread.join(timeout=5)


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


# Who am I


class Waits(threading.Event):
    """An event whose waiting takes no time; it notes how long it would have been."""

    def __init__(self, set_after: int = 10**6) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._set_after = set_after

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds.append(timeout)
        if len(self.seconds) >= self._set_after:
            self.set()
        return self.is_set()


class Failing:
    """A metadata service that fails some times and then says what it was told to."""

    endpoint = "http://metadata.test"

    def __init__(self, failures: int, **data: str) -> None:
        self.failures = failures
        self.data = {"instance-id": ME, "region-id": "cn-hangzhou", **data}
        self.asked: list[str] = []

    def get(self, path: str) -> str:
        self.asked.append(path)
        if len(self.asked) <= self.failures:
            raise MetadataError("it hangs")
        return self.data[path]


def who(metadata: object, **options: object) -> Instance:
    given = {
        "region": None,
        "instance_id": None,
        "stop": Waits(),
        "patience_seconds": None,
        "on_retry": lambda text: None,
        "on_remark": lambda text: None,
        **options,
    }
    return identify(metadata, **given)  # type: ignore[arg-type]


def test_the_metadata_service_says_who_we_are(metadata):
    assert who(metadata) == Instance(ME, "cn-hangzhou")


@pytest.mark.parametrize("given", [None, ME])
def test_a_given_region_wins_and_one_that_is_not_this_vms_is_remarked_on(given: str | None):
    remarks: list[str] = []

    def found(region: str, **data: str) -> Instance:
        metadata = Failing(0, **data)
        return who(metadata, region=region, instance_id=given, on_remark=remarks.append)

    assert found("cn-hangzhou") == Instance(ME, "cn-hangzhou")
    assert found("cn-beijing", **{"region-id": "no region"}) == Instance(ME, "cn-beijing")
    assert remarks == []
    assert found("cn-beijing") == Instance(ME, "cn-beijing")
    assert remarks == [
        "region: cn-beijing is given, but this VM is in cn-hangzhou: leave it out, unless it is "
        "meant"
    ]


def test_a_given_instance_id_that_is_ours_is_fine():
    assert who(Failing(0), instance_id=ME) == Instance(ME, "cn-hangzhou")


@pytest.mark.parametrize("region", [None, "cn-hangzhou"])
def test_a_given_instance_id_of_another_vm_is_refused_at_once(region):
    stop = Waits()

    with pytest.raises(IdentityError, match=f"instance_id: i-other is given, but this VM is {ME}"):
        who(Failing(0), region=region, instance_id="i-other", stop=stop)

    assert stop.seconds == []


def test_a_service_that_fails_is_asked_again_and_each_time_it_is_said():
    said: list[str] = []
    stop = Waits()

    assert who(Failing(3), stop=stop, on_retry=said.append) == Instance(ME, "cn-hangzhou")

    assert len(said) == 3
    assert all(text.startswith("it hangs; asking again in ") for text in said)
    assert len(stop.seconds) == 3


def test_it_is_asked_without_end_but_never_in_haste_and_never_too_seldom():
    stop = Waits()

    assert who(Failing(200), stop=stop).instance_id == ME

    assert len(stop.seconds) == 200
    assert min(stop.seconds) >= 0.2
    assert 4 < max(stop.seconds) <= AGAIN_SECONDS
    assert len(set(stop.seconds)) > 190  # jitter: a fleet does not ask in step


def test_a_stop_ends_the_asking_at_once():
    stop = Waits(set_after=2)
    metadata = Failing(10**6)

    with pytest.raises(MetadataError, match="told to stop"):
        who(metadata, stop=stop)

    assert len(metadata.asked) == 2


def test_a_stop_is_felt_while_waiting_for_real():
    stop = threading.Event()
    errors = []

    def ask() -> None:
        try:
            who(Failing(10**6), stop=stop, on_retry=lambda text: stop.set())
        except MetadataError as error:
            errors.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout=5)

    assert not thread.is_alive()
    assert len(errors) == 1


def test_a_stop_does_not_let_the_given_values_through():
    stop = Waits(set_after=1)

    with pytest.raises(MetadataError):
        who(Failing(10**6), region="cn-hangzhou", instance_id="i-given", stop=stop)


@pytest.mark.parametrize(
    "given", [{}, {"region": "cn-hangzhou"}, {"instance_id": ME}], ids=["none", "region", "id"]
)
def test_without_both_values_there_is_no_going_on_when_the_patience_ends(given):
    with pytest.raises(MetadataError, match="it hangs"):
        who(Failing(10**6), patience_seconds=0.01, **given)


def test_with_both_values_it_goes_on_when_the_patience_ends_and_says_so():
    said: list[str] = []

    found = who(
        Failing(10**6),
        region="cn-hangzhou",
        instance_id="i-given",
        patience_seconds=0.01,
        on_retry=said.append,
    )

    assert found == Instance("i-given", "cn-hangzhou")
    assert said == ["it hangs; going on as the given instance_id i-given in cn-hangzhou"]


def test_the_patience_ends_before_a_wait_that_would_exceed_it():
    stop = Waits()

    with pytest.raises(MetadataError):
        who(Failing(10**6), stop=stop, patience_seconds=0.1)

    assert stop.seconds == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"instance-id": "<html>\nportal</html>"}, r"'<html>\\nportal</html>', which is no inst"),
        ({"instance-id": ""}, "which is no instance-id"),
        ({"instance-id": "i-" + "x" * 500}, "x…', which is no instance-id"),
        ({"region-id": "cn-hangzhou-h"}, "which is no region-id"),
        ({"region-id": "cn-hangzhou\nx"}, "which is no region-id"),
    ],
)
def test_an_answer_that_looks_like_no_id_is_not_believed(data, said):
    with pytest.raises(MetadataError, match=said) as caught:
        who(Failing(0, **data), patience_seconds=0.01)

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_a_service_that_is_denied_counts_as_not_reached(metadata, service):
    service.token = (403, b"")

    found = who(metadata, region="cn-hangzhou", instance_id="i-given", patience_seconds=0.01)

    assert found == Instance("i-given", "cn-hangzhou")
