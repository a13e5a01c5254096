"""The page as the server gives it; what a browser makes of it is in tests/page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

import mock_slb.page
from mock_slb.gateway.fault_presets import PRESETS
from mock_slb.gateway.faults import Cut, Delay, Refuse, Reply, Reset, Rule
from mock_slb.gateway.shapes import Reshape
from mock_slb.page.overview import MAX_CALLS, MAX_TEXT
from mock_slb.server import MockServer

FOLDER = Path(mock_slb.page.__file__).parent
FILES = sorted(path.name for path in FOLDER.iterdir() if path.is_file() and path.suffix != ".py")
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@pytest.fixture
def http(server: MockServer) -> Iterator[HTTPConnection]:
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=5)) as connection:
        yield connection


def get(
    http: HTTPConnection, path: str, method: str = "GET", **headers: str
) -> tuple[HTTPResponse, str]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    http.request(method, path, headers=names)
    answer = http.getresponse()
    return answer, answer.read().decode()


def overview(http: HTTPConnection) -> Any:
    return json.loads(get(http, "/_mock/overview")[1])


class Tags(HTMLParser):
    """The elements of a page, and whatever scripts or styles stand in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.urls += [value for name, value in attrs if name in {"href", "src"} and value]
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)


@pytest.mark.parametrize("name", FILES)
def test_each_of_the_pages_files_is_served_as_it_is(http: HTTPConnection, name: str) -> None:
    answer, body = get(http, f"/_mock/page/{name}")
    assert (answer.status, body) == (200, (FOLDER / name).read_text(encoding="utf-8"))
    assert answer.headers["Content-Type"] == TYPES[Path(name).suffix]


def test_the_page_is_all_that_the_root_shows(http: HTTPConnection) -> None:
    answer, body = get(http, "/")
    assert (answer.status, body) == (200, (FOLDER / "index.html").read_text(encoding="utf-8"))
    head, body = get(http, "/", "HEAD")
    assert (head.status, body) == (200, "")
    assert head.headers["Content-Length"] == answer.headers["Content-Length"]
    assert head.headers["Content-Type"] == "text/html; charset=utf-8"


def test_the_page_needs_nothing_that_is_not_there_and_nothing_from_elsewhere(
    http: HTTPConnection,
) -> None:
    urls = [url for url in Tags(get(http, "/")[1]).urls if not url.startswith("#")]
    for name in (name for name in FILES if name.endswith(".js")):
        imported = re.findall(r' from "(.*?)"', (FOLDER / name).read_text(encoding="utf-8"))
        urls += [f"/_mock/page/{url.removeprefix('./')}" for url in imported]
    assert "/_mock/page/main.js" in urls
    assert {url: get(http, url)[0].status for url in urls} == dict.fromkeys(urls, 200)
    style = (FOLDER / "page.css").read_text(encoding="utf-8")
    assert not re.search(r"@import|url\(", style)


def test_no_script_and_no_style_stands_in_the_page(http: HTTPConnection) -> None:
    answer, body = get(http, "/")
    assert Tags(body).inline == []
    policy = {
        name: rest
        for name, *rest in (
            one.split() for one in answer.headers["Content-Security-Policy"].split(";")
        )
    }
    assert policy["default-src"] == policy["form-action"] == policy["frame-ancestors"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
    assert policy["require-trusted-types-for"] == ["'script'"]


@pytest.mark.parametrize("path", ["/", "/_mock/page/main.js", "/_mock/account", "/_mock/x"])
def test_no_page_elsewhere_may_embed_or_read_what_is_there(http: HTTPConnection, path: str) -> None:
    answer, _ = get(http, path)
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "name",
    [
        *("files.py", "__init__.py", "../server.py", "..%2Fserver.py", "%2e%2e/tls.py", "x.js"),
        *("", ".", "..", "main.js/", "main.js%00.css", "/etc/passwd", "%2fetc%2fpasswd"),
    ],
)
def test_nothing_but_the_pages_files_is_served(http: HTTPConnection, name: str) -> None:
    answer, body = get(http, f"/_mock/page/{name}")
    assert answer.status == 404
    assert "not found" in body.lower()


def test_a_file_cannot_be_changed_over_http(http: HTTPConnection) -> None:
    assert get(http, "/_mock/page/main.js", "DELETE")[0].status == 404
    assert get(http, "/_mock/page/main.js", "HEAD")[0].status == 200


def test_a_name_that_leads_here_by_dns_alone_gets_no_file(http: HTTPConnection) -> None:
    assert get(http, "/_mock/page/main.js", Host="elsewhere.example.org")[0].status == 403


def test_what_has_not_changed_is_not_sent_again(server: MockServer, http: HTTPConnection) -> None:
    first, _ = get(http, "/_mock/overview")
    same, body = get(http, "/_mock/overview", If_None_Match=first.headers["ETag"])
    assert (same.status, body) == (304, "")
    server.account.load_balancer("lb-1").default_group.add_server("i-self")
    other, body = get(http, "/_mock/overview", If_None_Match=first.headers["ETag"])
    assert (other.status, other.headers["ETag"] == first.headers["ETag"]) == (200, False)
    assert "i-self" in body


def test_the_overview_is_what_the_control_api_tells_in_one(
    server: MockServer, http: HTTPConnection
) -> None:
    server.faults.add(Rule(Refuse("Odd"), name="odd"))
    server.account.force_health("eni-of-none", "abnormal")
    told = overview(http)
    assert told["account"] == json.loads(get(http, "/_mock/account")[1])
    assert told["account"]["forced_health"] == {"eni-of-none": "abnormal"}
    assert told["faults"] == json.loads(get(http, "/_mock/faults")[1])
    assert told["calls"] == told["failed_calls"] == []
    assert "sdk-secret" not in json.dumps(told)


def test_the_newest_calls_come_first_and_those_that_failed_are_not_pushed_out(
    server: MockServer, http: HTTPConnection
) -> None:
    server.calls.add(0.0, "Refused", {}, status=400, code="No")
    server.calls.add(0.0, "Slowed", {}, status=200, fault="slow")
    for number in range(MAX_CALLS):
        server.calls.add(0.0, f"Call{number}", {}, status=200)
    told = overview(http)
    assert [call["action"] for call in told["calls"]] == [
        f"Call{number}" for number in reversed(range(MAX_CALLS))
    ]
    assert [call["action"] for call in told["failed_calls"]] == ["Slowed", "Refused"]


def test_a_call_with_texts_without_end_is_shortened(
    server: MockServer, http: HTTPConnection
) -> None:
    endless = "<" * 100_000
    server.calls.add(0.0, endless, {endless: endless}, status=400)
    (call,) = overview(http)["calls"]
    shortened = "<" * MAX_TEXT + "…"
    assert (call["action"], call["params"]) == (shortened, {shortened: shortened})


def test_what_a_form_can_offer_is_what_the_control_api_takes(
    server: MockServer, http: HTTPConnection
) -> None:
    offered = json.loads(get(http, "/_mock/choices")[1])
    assert [one["name"] for one in offered["presets"]] == list(PRESETS)
    headers = {"Content-Type": "application/json"}
    for action in offered["actions"]:
        body = json.dumps({"preset": "slow", "action": action})
        http.request("POST", "/_mock/faults", body, headers)
        answer = http.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
    assert len(server.faults.view()) == len(offered["actions"]) > 20


@pytest.mark.parametrize(
    ("rule", "does"),
    [
        (Rule(Refuse("Busy", 409)), "is refused with 409 Busy"),
        (Rule(Reply(502, b"<html>")), "is answered with 502 and 6 bytes of something else"),
        (Rule(Reset(), after_change=True), "is cut off without an answer, after the change was"),
        (Rule(Cut(0.25)), "is cut off after 25% of the answer's body"),
        (Rule(Delay(1.5)), "waits for 1.5 s"),
        (Rule(Reshape(empty="null")), "is answered with empty lists as null"),
        (
            Rule(Reshape(numbers_as_text=True, without=("A", "B"), next_token="x")),
            "is answered with numbers as texts, no A, B, a NextToken that repeats",
        ),
    ],
)
def test_what_a_fault_does_is_said_in_words(rule: Rule, does: str) -> None:
    assert rule.in_words().startswith(does)
