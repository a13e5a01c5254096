"""The traps of the SDK, each sprung on purpose: what comes out is an answer or an ApiError."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import re
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
from aliyunsdkcore.vendored.requests import exceptions as transport
from aliyunsdkcore.vendored.requests.packages.urllib3.util import ssl_
from aliyunsdkslb.request.v20140515.DescribeLoadBalancerAttributeRequest import (
    DescribeLoadBalancerAttributeRequest,
)
from tests.paths import SOURCES
from tests.unit.driver import ACCESS_KEY, SECRET_KEY

from mock_slb.account.account import Account
from mock_slb.server import MockServer, serve
from mock_slb.testing import attach
from slb_registration.cloud import client as cloud_module
from slb_registration.cloud.client import Cloud
from slb_registration.cloud.credentials import Credentials, Static
from slb_registration.model.configuration import StaticKeys
from slb_registration.model.errors import ApiError, Kind

TOKEN = "CAIS-a-Security-Token/of+the=test"
SECRETS = (ACCESS_KEY, SECRET_KEY, TOKEN, "CAIS-a-Security-Token%2Fof%2Bthe%3Dtest")
REGION = "cn-hangzhou"


def request() -> DescribeLoadBalancerAttributeRequest:
    one = DescribeLoadBalancerAttributeRequest()
    one.set_LoadBalancerId("lb-1")
    return one


made: list[Cloud] = []


def connect(token: str | None = TOKEN, region: str = REGION, **options) -> Cloud:
    made.append(Cloud(Static(StaticKeys(ACCESS_KEY, SECRET_KEY, token)), region, **options))
    return made[-1]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Connections that the SDK keeps alive are closed: a warning about one is an error here."""
    yield
    while made:
        made.pop().close()


def failing(cloud: Cloud) -> ApiError:
    """The error of a call, which holds no secret."""
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


@pytest.fixture
def answers(sdk: responses.RequestsMock) -> Answers:
    return Answers(sdk)


# Where it goes, and as whom


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("cn-hangzhou", "slb.aliyuncs.com"),
        ("cn-shanghai", "slb.aliyuncs.com"),
        ("cn-zhangjiakou", "slb.cn-zhangjiakou.aliyuncs.com"),
        ("eu-central-1", "slb.eu-central-1.aliyuncs.com"),
    ],
)
def test_public_endpoints_are_spoken_to_by_https(answers: Answers, region: str, host: str):
    connect(region=region).call(request())
    url = urlsplit(answers.sent[-1].url)
    assert (url.scheme, url.netloc) == ("https", host)
    assert answers.query["RegionId"] == region


@pytest.mark.parametrize(
    "endpoint", ["https://slb.example.com", "https://slb.example.com:8443", "http://127.0.0.1:9"]
)
def test_a_given_endpoint_is_used_with_its_own_scheme_and_port(answers: Answers, endpoint: str):
    connect(endpoints={"slb": endpoint}).call(request())
    assert answers.sent[-1].url.startswith(f"{endpoint}/?")


def test_a_region_that_is_not_known_is_asked_for_where_it_would_be_and_nobody_else(
    answers: Answers,
):
    """The SDK would ask its location service, over the internet."""
    answers.answer = transport.ConnectionError(
        f"Max retries exceeded with url: /?AccessKeyId={ACCESS_KEY}&Signature=abc%3D"
    )
    failing(connect(region="xx-nowhere-9"))
    assert [one.url.split("?")[0] for one in answers.sent] == [
        "https://slb.xx-nowhere-9.aliyuncs.com/"
    ]


def test_the_environment_does_not_change_who_we_are_or_how_we_call(
    answers: Answers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    hostile = {
        "ALIYUN_ACCESS_KEY_ID": "someone-else",
        "ALIYUN_ACCESS_KEY_SECRET": "another-secret",
        "http_proxy": "http://127.0.0.1:1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "https_proxy": "http://127.0.0.1:1",
        "ALL_PROXY": "http://127.0.0.1:1",
        "REQUESTS_CA_BUNDLE": "/nowhere",
        "CURL_CA_BUNDLE": "/nowhere",
        "ALIBABA_CLOUD_CA_BUNDLE": "/nowhere",
        "DEBUG": "sdk",
        "HOME": str(tmp_path),
        "NETRC": str(tmp_path / ".netrc"),
    }
    (tmp_path / ".netrc").write_text("default login someone password else\n")
    (tmp_path / ".netrc").chmod(0o600)
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)

    connect().call(request())

    assert answers.query["AccessKeyId"] == ACCESS_KEY
    assert "Authorization" not in answers.sent[-1].headers
    options = answers.sent[-1].req_kwargs
    assert options["verify"] is True
    assert not any((options["proxies"] or {}).values())
    assert os.environ.get("ALIYUN_ACCESS_KEY_ID") is None
    assert os.environ.get("DEBUG") is None


def test_a_call_waits_3_seconds_for_a_connection_and_10_for_an_answer(answers: Answers):
    connect().call(request())
    assert answers.sent[-1].req_kwargs["timeout"] == (3, 10)


def test_a_security_token_is_sent_and_none_where_there_is_none(answers: Answers):
    connect(token=TOKEN).call(request())
    assert answers.query["SecurityToken"] == TOKEN
    connect(token=None).call(request())
    assert "SecurityToken" not in answers.query


def test_renewed_keys_sign_the_next_call_and_the_same_keys_keep_the_client(answers: Answers):
    class Rotating:
        keys = Credentials("id-1", "secret-1", "token-1")

        def current(self) -> Credentials:
            return self.keys

        def renew(self) -> bool:
            raise AssertionError("these keys were not refused")

    source = Rotating()
    cloud = Cloud(source, REGION)
    cloud.call(request())
    session = cloud._session
    cloud.call(request())
    assert cloud._session is session

    source.keys = Credentials("id-2", "secret-2", "token-2")
    cloud.call(request())
    assert answers.query["AccessKeyId"] == "id-2"
    assert answers.query["SecurityToken"] == "token-2"


# What comes back

ODD = {
    "no UTF-8": (500, b'{"Code":"\xff\xfe"}'),
    "null": (500, b"null"),
    "a number": (400, b"42"),
    "a text": (400, b'"Code"'),
    "a list": (502, b'["Code"]'),
    "HTML": (502, b"<html><title>502 Bad Gateway</title></html>"),
    "HTML 404": (404, b"<html><title>Not Found</title></html>"),
    "empty": (503, b""),
    "truncated": (500, b'{"RequestId":"4C2E'),
    "200 empty": (200, b""),
    "200 HTML": (200, b"<html>login to the hotel WLAN</html>"),
    "200 truncated": (200, b'{"RequestId":"4C2E'),
    "200 null": (200, b"null"),
    "200 list": (200, b"[]"),
    "200 no UTF-8": (200, b'{"a":"\xff"}'),
    "200 nested": (200, b"[" * 100_000),
    "nested": (500, b"[" * 100_000),
    "redirect": (302, b""),
    "no colon": (400, b'{"Code":"SignatureDoesNotMatch","Message":"no colon here"}'),
    "no message": (400, b'{"Code":"SignatureDoesNotMatch","Message":null}'),
    "no code": (400, b'{"Code":null,"Message":"m"}'),
    "code of another type": (400, b'{"Code":{"a":1},"Message":["m"],"RequestId":7}'),
    "request id list": (500, b'{"Code":"InternalError","Message":"m","RequestId":["x"]}'),
}


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Let no garbage of other tests be collected: deep in the parser it has no stack to end on."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize(("status", "body"), ODD.values(), ids=ODD.keys())
def test_an_odd_answer_is_an_api_error_after_one_call(answers: Answers, status: int, body: bytes):
    answers.give(status, body, "text/html")
    seen: list[tuple[str, str]] = []
    with uncollected():
        error = failing(connect(on_call=lambda made: seen.append((made.action, made.result))))

    assert len(answers.sent) == 1
    assert seen == [("DescribeLoadBalancerAttribute", error.kind.value)]
    # Whatever stands in between says nothing of our request: it is asked again.
    assert error.kind is not Kind.NOT_FOUND
    if status in (200, 500, 502, 503):
        assert not error.hopeless


@pytest.mark.parametrize("status", [404, 403, 400, 429, 500, 502])
def test_a_gateways_page_is_never_taken_for_the_apis_word(answers: Answers, status: int):
    answers.give(status, b"<html></html>", "text/html")
    error = failing(connect())
    assert error.kind is (Kind.THROTTLED if status == 429 else Kind.UNAVAILABLE)
    assert error.status == status


def test_an_api_error_keeps_code_message_status_and_request_id(answers: Answers):
    body = {"Code": "Forbidden.RAM", "Message": "Not authorized.", "RequestId": "4C2E"}
    answers.give(403, json.dumps(body))
    error = failing(connect())
    assert error.action == "DescribeLoadBalancerAttribute"
    assert (error.code, error.message, error.status) == ("Forbidden.RAM", "Not authorized.", 403)
    assert error.request_id == "4C2E"
    assert error.kind is Kind.DENIED


def test_what_the_api_repeats_of_our_keys_does_not_get_through(answers: Answers):
    for code in ("InvalidSecurityToken.Malformed", "IncompleteSignature", "Some.New"):
        message = f"bad {ACCESS_KEY} {SECRET_KEY} {TOKEN} Signature=abc%3D"
        answers.give(400, json.dumps({"Code": code, "Message": message, "RequestId": TOKEN}))
        failing(connect())


def test_a_code_with_control_characters_stays_on_one_line(answers: Answers):
    body = {"Code": "Bad\nCode\x1b[31m", "Message": "a\nb", "RequestId": "x\ny"}
    answers.give(400, json.dumps(body))
    error = failing(connect())
    assert str(error).isprintable()


def test_a_wrong_secret_is_told_apart_and_shows_nothing(sdk: responses.RequestsMock):
    account = Account()
    account.add_key(ACCESS_KEY, "another-secret")
    attach(sdk, account)
    error = failing(connect(token=None))
    assert error.kind is Kind.DENIED
    assert "check access_key and secret_key" in str(error)


def test_a_refused_signature_shows_nothing_of_what_was_signed(answers: Answers):
    message = f"server string to sign is:POST&%2F&AccessKeyId%3D{ACCESS_KEY}%26Signature%3Dx"
    answers.give(400, json.dumps({"Code": "SignatureDoesNotMatch", "Message": message}))
    error = failing(connect())
    assert error.kind is Kind.DENIED
    assert "%26" not in str(error)


@pytest.mark.parametrize("status", [400, 409, 500, 503])
def test_the_sdk_repeats_nothing_by_itself(answers: Answers, status: int):
    for code in ("Throttling.User", "ServiceUnavailable", "InternalError"):
        answers.give(status, json.dumps({"Code": code, "Message": "m"}))
        before = len(answers.sent)
        failing(connect())
        assert len(answers.sent) == before + 1


def test_answers_are_given_as_they_are(answers: Answers):
    seen: list[tuple[str, str]] = []
    answers.give(200, '{"RequestId": "4C2E", "Name": "前端"}')
    cloud = connect(on_call=lambda made: seen.append((made.action, made.result)))
    assert cloud.call(request()) == {"RequestId": "4C2E", "Name": "前端"}
    assert seen == [("DescribeLoadBalancerAttribute", "ok")]


# The transport

URL = f"/?AccessKeyId={ACCESS_KEY}&Signature=abc%3D&SecurityToken={SECRETS[-1]}"
FAILURES = [
    (
        transport.ConnectTimeout(
            f"HTTPSConnectionPool(host='slb.aliyuncs.com', port=443): Max retries exceeded with "
            f"url: {URL} (Caused by ConnectTimeoutError(<conn>, 'Connection to slb.aliyuncs.com "
            f"timed out. (connect timeout=3)'))"
        ),
        Kind.UNAVAILABLE,
        "no connection within 3 s",
    ),
    (
        transport.ReadTimeout(
            f"HTTPSConnectionPool(host='slb.aliyuncs.com', port=443): Read timed out. "
            f"(read timeout=10) {URL}"
        ),
        Kind.LOST,
        "no answer within 10 s",
    ),
    (
        transport.ConnectionError(f"('Connection aborted.', ConnectionResetError(104)) {URL}"),
        Kind.LOST,
        "closed before the answer came",
    ),
    (
        transport.ConnectionError(f"{URL} [Errno -3] Temporary failure in name resolution"),
        Kind.UNAVAILABLE,
        "name cannot be resolved",
    ),
    (
        transport.ConnectionError(f"{URL} [Errno 101] Network is unreachable"),
        Kind.UNAVAILABLE,
        "cannot be reached",
    ),
    (
        transport.SSLError(f"hostname 'a.example' doesn't match 'slb.aliyuncs.com' {URL}"),
        Kind.UNAVAILABLE,
        "another name",
    ),
    (transport.ChunkedEncodingError(f"IncompleteRead(3 bytes read) {URL}"), Kind.LOST, "cut short"),
    (transport.InvalidURL(f"odd {URL}"), Kind.LOST, "failed"),
]


@pytest.mark.parametrize(("raised", "kind", "said"), FAILURES, ids=lambda one: str(one)[:12])
def test_a_transport_that_fails_says_whether_the_call_may_have_been_made(
    answers: Answers, raised: Exception, kind: Kind, said: str
):
    answers.answer = raised
    error = failing(connect())
    assert error.kind is kind
    assert said in str(error)
    assert error.status is None
    assert len(answers.sent) == 1


def test_a_connection_that_is_closed_without_an_answer_is_a_lost_call(hostile):
    server = hostile(lambda connection: connection.recv(65536) and None)
    error = failing(connect(endpoints={"slb": f"http://127.0.0.1:{server.port}"}))
    assert error.kind is Kind.LOST
    assert "closed before the answer came" in str(error)
    assert server.connections == 1


def test_an_answer_that_never_comes_is_a_lost_call(hostile, monkeypatch):
    monkeypatch.setattr(cloud_module, "READ_TIMEOUT_SECONDS", 0.05)
    end = threading.Event()
    server = hostile(lambda _: end.wait(10) and None)
    error = failing(connect(endpoints={"slb": f"http://127.0.0.1:{server.port}"}))
    end.set()
    assert error.kind is Kind.LOST


def test_a_port_that_refuses_is_no_lost_call(hostile):
    server = hostile(lambda _: None)
    server.close()
    error = failing(connect(endpoints={"slb": f"http://127.0.0.1:{server.port}"}))
    assert error.kind is Kind.UNAVAILABLE
    assert "refuses connections" in str(error)


# The SDK's old urllib3 asks `ssl` for things that Python has deprecated.
old_tls = pytest.mark.filterwarnings("ignore::DeprecationWarning:aliyunsdkcore")


@old_tls
def test_tls_names_the_server_it_wants(hostile, monkeypatch):
    """Without SNI (the SDK on Python 3.12) a host that has several certificates shows the wrong."""
    monkeypatch.setattr(ssl_, "HAS_SNI", False)
    hello: list[bytes] = []
    server = hostile(lambda connection: hello.append(connection.recv(65536)))
    monkeypatch.setattr(socket, "getaddrinfo", _loopback(server.port))
    error = failing(connect(endpoints={"slb": f"https://slb.example.com:{server.port}"}))
    assert error.kind is not Kind.DENIED
    assert hello[0][0] == 0x16  # a TLS handshake, nothing in the clear
    assert b"slb.example.com" in hello[0]
    assert ACCESS_KEY.encode() not in hello[0]


def _loopback(port: int):
    def getaddrinfo(host, asked, *args, **kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    return getaddrinfo


@old_tls
def test_a_certificate_that_nobody_vouches_for_is_refused(hostile, tmp_path: Path):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path))
    got: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as tls:
                got.append(tls.recv(65536))
        except OSError:
            pass

    server = hostile(serve)
    error = failing(connect(endpoints={"slb": f"https://127.0.0.1:{server.port}"}))
    assert error.kind is Kind.UNAVAILABLE
    assert "not trusted" in str(error)
    assert got in ([], [b""])


def _self_signed(folder: Path) -> Path:
    file = folder / "both.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-keyout", str(file), "-out", str(folder / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    file.write_text(file.read_text() + (folder / "cert.pem").read_text())
    return file


# Many calls


def test_threads_share_one_client_and_every_call_is_signed_rightly(sdk: responses.RequestsMock):
    account = Account()
    account.add_key(ACCESS_KEY, SECRET_KEY)
    account.add_load_balancer("lb-1")
    gateway = attach(sdk, account)
    cloud = connect(token=None)
    failed: list[ApiError] = []

    def work() -> None:
        for _ in range(5):
            try:
                cloud.call(request())
            except ApiError as error:
                failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(gateway.calls.all()) == 40


# What the SDK prints


def test_the_sdk_logs_nothing_even_where_nobody_has_told_it_to_be_quiet(answers: Answers):
    seen: list[str] = []

    class Catch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    names = ["aliyunsdkcore", "aliyunsdkcore.client", "aliyunsdkcore.http.http_response"]
    loggers = [logging.getLogger(name) for name in names]
    catch = Catch()
    for logger in loggers:
        logger.addHandler(catch)
    loggers[0].setLevel(logging.DEBUG)
    loggers[2].disabled = False
    root = logging.getLogger()
    root.addHandler(catch)
    try:
        cloud = connect()
        answers.answer = transport.ConnectionError(f"reset by peer {URL}")
        failing(cloud)
        answers.give(400, json.dumps({"Code": "X", "Message": URL}))
        failing(cloud)
    finally:
        for logger in [*loggers, root]:
            logger.removeHandler(catch)
    assert seen == []


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    account = Account()
    account.add_key(ACCESS_KEY, SECRET_KEY, security_token=TOKEN)
    account.add_load_balancer("lb-1")
    with serve(account, probe=False) as server:
        yield server


def test_a_process_without_cryptography_and_with_a_hostile_environment_calls_all_the_same(
    server: MockServer, tmp_path: Path
):
    (tmp_path / ".netrc").write_text("default login someone password else\n")
    script = f"""
        import sys
        sys.modules["cryptography"] = None
        from aliyunsdkslb.request.v20140515.DescribeLoadBalancerAttributeRequest import (
            DescribeLoadBalancerAttributeRequest,
        )
        from slb_registration.cloud.client import Cloud
        from slb_registration.model.configuration import StaticKeys
        from slb_registration.cloud.credentials import Static
        from slb_registration.model.errors import ApiError

        keys = Static(StaticKeys({ACCESS_KEY!r}, {SECRET_KEY!r}, {TOKEN!r}))
        def call(endpoint, balancer):
            request = DescribeLoadBalancerAttributeRequest()
            request.set_LoadBalancerId(balancer)
            try:
                cloud = Cloud(keys, "cn-hangzhou", endpoints={{"slb": endpoint}})
                print(cloud.call(request)["RegionId"])
            except ApiError as error:
                print(error.code)
        call({server.url!r}, "lb-1")
        call({server.url!r}, "lb-none")
        call("http://127.0.0.1:1", "lb-1")
        print("cryptography" in sys.modules and sys.modules["cryptography"] is not None)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SOURCES),
            "HOME": str(tmp_path),
            "DEBUG": "sdk",
            "ALIYUN_ACCESS_KEY_ID": "someone-else",
            "ALIYUN_ACCESS_KEY_SECRET": "another",
            "http_proxy": "http://127.0.0.1:1",
            "HTTP_PROXY": "http://127.0.0.1:1",
        },
    )
    assert done.stderr == ""
    assert done.stdout.split() == [
        REGION,
        "InvalidLoadBalancerId.NotFound",
        "NoConnection",
        "False",
    ]
