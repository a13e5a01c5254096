"""What comes back and is no answer: each such thing is an ApiError, which shows nothing secret."""

from __future__ import annotations

import contextlib
import gc
import json
from collections.abc import Iterator

import pytest
import responses
from tests.unit.cloud.calling import TOKEN, Answers, connect, failing
from tests.unit.driver import ACCESS_KEY, SECRET_KEY

from mock_slb.account.account import Account
from mock_slb.testing import attach
from slb_registration.model.errors import Kind

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
