"""One line per event, whatever happens, and no secret in it."""

from __future__ import annotations

import enum
import io
import json
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from tests.paths import SOURCES

from slb_registration.support.logs.event_log import EventLog

SECRET = "s3cr+t/with=signs&more"
MOMENT = 1795428000.1239  # 2026-11-23T10:00:00.123Z


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(stream) -> EventLog:
    return EventLog(stream, now=lambda: MOMENT)


@pytest.fixture
def text_log(stream) -> EventLog:
    return EventLog(stream, format="text", now=lambda: MOMENT)


class Colour(enum.Enum):
    RED = "red"


class Failing(io.StringIO):
    """Fails as long as it is told to."""

    failure: Exception | None = None

    def write(self, text: str) -> int:
        if self.failure:
            raise self.failure
        return super().write(text)


def test_an_event_is_a_line_of_json_with_time_level_and_message_first(log, stream):
    log.info("registered", group="lb-1", weight=100, new=True, port=None)

    assert stream.getvalue() == (
        '{"time": "2026-11-23T10:00:00.123Z", "level": "info", "message": "registered", '
        '"group": "lb-1", "weight": 100, "new": true, "port": null}\n'
    )


def test_an_event_as_text_is_readable(text_log, stream):
    text_log.warning("weight changed", group="lb-1", why="by a person", was=5, note="", ok=True)

    assert stream.getvalue() == (
        "2026-11-23T10:00:00.123Z WARNING weight changed "
        'group=lb-1 why="by a person" was=5 note="" ok=true\n'
    )


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_events_below_the_level_are_left_out(stream, level, expected):
    log = EventLog(stream, level=level)

    log.debug("x")
    log.info("x")
    log.warning("x")
    log.error("x")

    assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == expected


@pytest.mark.parametrize("wrong", [{"level": "warn"}, {"format": "xml"}])
def test_a_level_or_format_that_does_not_exist_is_refused(wrong):
    with pytest.raises(ValueError, match="no such level or format"):
        EventLog(**wrong)


@pytest.mark.parametrize("format", ["json", "text"])
@pytest.mark.parametrize(
    "evil",
    ["a\nb", "a\r\nb", "a\x0bb", "a\x85b", "a\u2028b", "a\u2029b", "a\x1b[2Jb", "a\x00b", "\udcff"],
)
def test_nothing_in_a_field_or_message_makes_a_second_line(stream, format, evil):
    log = EventLog(stream, format=format)

    log.info(evil, field=evil, deep={evil: [evil]})

    assert len(stream.getvalue().splitlines()) == 1
    assert stream.getvalue()[:-1].isprintable()
    if format == "json":
        record = json.loads(stream.getvalue())
        assert (record["message"], record["field"], record["deep"]) == (evil, evil, {evil: [evil]})


def test_any_value_can_be_a_field(log, stream):
    log.info(
        "x",
        error=OSError(2, "gone"),
        colour=Colour.RED,
        path=Path("/x"),
        numbers=(1, 2.5, float("nan")),
        one=frozenset({1}),
        table={1: Colour.RED, ("a", "b"): None},
    )

    record = json.loads(stream.getvalue(), parse_constant=pytest.fail)
    assert record["error"] == "[Errno 2] gone"
    assert record["colour"] == "red"
    assert record["path"] == "/x"
    assert record["numbers"] == [1, 2.5, "nan"]
    assert record["one"] == [1]
    assert record["table"] == {"1": "red", "('a', 'b')": None}


def test_a_field_cannot_replace_time_level_or_message(log, stream):
    log.info("told", message="other", level="none", time=0)

    record = json.loads(stream.getvalue())
    assert (record["message"], record["level"]) == ("told", "info")
    assert (record["message_"], record["level_"], record["time_"]) == ("other", "none", 0)


@pytest.mark.parametrize("format", ["json", "text"])
@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        f"before{SECRET}after",
        quote(SECRET, safe=""),
        quote(SECRET),
        quote(SECRET, safe="").lower(),
        quote(quote(SECRET, safe=""), safe=""),
        urlencode({"x": SECRET}),
        f"{SECRET}{SECRET}",
    ],
)
def test_a_secret_is_nowhere_in_a_line_in_any_encoding(stream, format, written):
    log = EventLog(stream, format=format)
    log.add_secret(SECRET)

    log.error(
        f"m {written}",
        field=written,
        deep={"list": [{written: (written,)}]},
        error=ValueError(written),
        raw=written.encode(),
        path=Path(written),
    )

    line = stream.getvalue()
    for part in ("s3cr", "signs", "more"):
        assert part not in line
    assert line.count("[redacted]") >= 7


@pytest.mark.parametrize("secret", ['quo"te\\back', 'it\'s \\ "both"', "new\nline", "ümlaut"])
@pytest.mark.parametrize("format", ["json", "text"])
def test_a_secret_is_redacted_before_it_is_escaped(stream, format, secret):
    log = EventLog(stream, format=format)
    log.add_secret(secret)

    log.info(f"a {secret} b", field=secret, shown=repr(secret), dumped=json.dumps(secret))

    line = stream.getvalue()
    for part in ("quo", "back", "both", "line", "mlaut"):
        assert part not in line


def test_a_secret_that_contains_another_one_disappears_as_a_whole(log):
    log.add_secret("abcdef")
    log.add_secret("abcdefgh")

    assert log.redact("x abcdefgh abcdef x") == "x [redacted] [redacted] x"


def test_an_empty_secret_changes_nothing(log):
    log.add_secret("")

    assert log.redact("untouched") == "untouched"


@pytest.mark.parametrize(
    "text",
    [
        "GET https://slb.aliyuncs.com/?AccessKeyId=hunter2&Action=X",
        "/?Action=X&Signature=hunter2%2B%3D&SignatureMethod=HMAC-SHA1",
        "url: /?SecurityToken=hunter2 HTTP/1.1",
        "server string to sign is:GET&%2F&AccessKeyId%3Dhunter2%26Action%3DX",
        "SecurityToken%3Dhunter2%252B%26SignatureNonce%3D1",
        "{'AccessKeyId': 'hunter2', 'AccessKeySecret': 'hunter2', 'Action': 'X'}",
        '{"SecurityToken" : "hunter2", "Action": "X"}',
        "accesskeyid=hunter2",
    ],
)
def test_what_looks_like_a_key_in_a_url_is_redacted_though_nobody_named_it(log, text):
    redacted = log.redact(text)

    assert "hunter2" not in redacted
    assert "[redacted]" in redacted


@pytest.mark.parametrize(
    "text",
    [
        "InvalidAccessKeyId.NotFound: Specified access key is not found.",
        "SignatureDoesNotMatch",
        "/?SignatureNonce=1&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0",
    ],
)
def test_what_only_sounds_like_a_key_stays(log, text):
    assert log.redact(text) == text


def test_a_failing_stream_loses_lines_but_stops_nobody_and_a_line_says_how_many():
    stream, other = Failing(), io.StringIO()
    log = EventLog(stream, other, level="error")

    stream.failure = OSError(28, "No space left on device")
    log.error("one")
    log.error("two")
    assert log.dropped == 2
    stream.failure = None
    log.error("three")
    log.error("four")

    records = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(r["level"], r["message"], r.get("dropped")) for r in records] == [
        ("warning", "2 lines dropped", 2),
        ("error", "three", None),
        ("error", "four", None),
    ]
    assert len(other.getvalue().splitlines()) == 4
    assert log.dropped == 2


def test_missing_lines_are_told_as_text_where_the_log_is_text():
    stream = Failing()
    log = EventLog(stream, format="text", now=lambda: MOMENT)
    stream.failure = ValueError("closed")
    log.info("one")
    stream.failure = None
    log.info("two")
    assert stream.getvalue() == (
        "2026-11-23T10:00:00.123Z WARNING 1 line dropped dropped=1\n"
        "2026-11-23T10:00:00.123Z INFO two\n"
    )


def test_a_full_disk_is_survived_and_leaves_nothing_behind_for_the_exit():
    # What stays in the buffer of stdout would make Python exit with 120.
    code = (
        "import sys; from slb_registration.support.logs.event_log import EventLog; "
        "log = EventLog(sys.stdout); log.info('x' * 10000); log.info('y'); log.finish(); "
        "sys.exit(log.dropped)"
    )
    source = str(SOURCES)
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", code],
            stdout=full,
            stderr=subprocess.PIPE,
            env={"PYTHONPATH": source},
            check=False,
        )

    assert (ended.returncode, ended.stderr) == (2, b"")


def test_logging_from_inside_logging_does_not_lock_up(stream):
    # As a signal handler does that interrupts the write.
    class Interrupted(io.StringIO):
        def write(self, text: str) -> int:
            if "outer" in text:
                log.info("inner")
            return super().write(text)

    log = EventLog(Interrupted(), stream)
    thread = threading.Thread(target=log.info, args=("outer",), daemon=True)
    thread.start()
    thread.join(timeout=5)

    assert not thread.is_alive()


def test_the_sdk_prints_nothing_whether_imported_before_or_after():
    code = """
import logging, os, sys
from slb_registration.support.logs.event_log import quiet_sdk
if sys.argv[1] == "before":
    quiet_sdk()
import aliyunsdkcore.client, aliyunsdkcore.http.http_response
if sys.argv[1] == "after":
    quiet_sdk()
    quiet_sdk()
logging.basicConfig(level=logging.DEBUG)
for name in list(logging.root.manager.loggerDict):
    if name.startswith("aliyunsdkcore"):
        logging.getLogger(name).critical("Signature=%s", name)
logging.getLogger("mine").critical("still heard")
"""
    source = str(SOURCES)
    for when in ("before", "after"):
        ended = subprocess.run(
            [sys.executable, "-c", code, when],
            capture_output=True,
            text=True,
            env={"PYTHONPATH": source, "DEBUG": "sdk"},
            check=True,
        )
        assert (ended.stdout, ended.stderr) == ("", "CRITICAL:mine:still heard\n")


def test_a_secret_that_is_out_of_use_is_forgotten_and_the_others_are_not():
    log = EventLog(io.StringIO())
    log.add_secret("secret-of-before")
    log.add_secret("secret-of-now")
    log.forget_secret("secret-of-before")
    log.forget_secret("never-heard-of")
    assert log.redact("secret-of-before secret-of-now") == "secret-of-before [redacted]"
