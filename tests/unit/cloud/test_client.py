"""The traps of the SDK, each sprung on purpose: where a call goes, as whom, what it leaves."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import responses
from aliyunsdkcore.vendored.requests import exceptions as transport
from tests.paths import SOURCES
from tests.unit.cloud.calling import REGION, TOKEN, URL, Answers, connect, failing, request
from tests.unit.driver import ACCESS_KEY, SECRET_KEY

from mock_slb.account.account import Account
from mock_slb.server import MockServer, serve
from mock_slb.testing import attach
from slb_registration.cloud.client import Cloud
from slb_registration.cloud.credentials import Credentials
from slb_registration.model.errors import ApiError

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
