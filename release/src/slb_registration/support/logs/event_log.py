"""One line per event, in JSON or as text; secrets cannot get through."""

from __future__ import annotations

import json
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TextIO
from urllib.parse import quote, quote_plus

from slb_registration.support.logs.outlet import Outlet, dropped_text, outlet_of
from slb_registration.support.logs.printable import printable
from slb_registration.support.logs.timestamps import precise_timestamp

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("json", "text")
REDACTED = "[redacted]"

_NAMES = r"\b(?:Signature|AccessKeyId|AccessKeySecret|SecurityToken)"
# In a URL; in the string to sign, which SLB repeats where a signature is wrong, and which is a URL
# encoded once more (the value then ends at an encoded &).
_IN_URL = re.compile(rf"({_NAMES}(?:=|%3D))(?:(?!%26)[^&\s\"'<>])+", re.IGNORECASE)
# In a dict or JSON that was put into a message.
_IN_DICT = re.compile(rf"""({_NAMES}["']\s*:\s*u?["'])[^"']*""", re.IGNORECASE)


class EventLog:
    """Writes each event as one line to every stream, from any thread, and never waits for one.

    What a stream does not take is dropped there and counted, see `Outlet`. Before the process ends,
    `finish` gives what is left a moment.
    """

    def __init__(
        self,
        *streams: TextIO | Outlet,
        level: str = "info",
        format: str = "json",
        now: Callable[[], float] = time.time,
    ) -> None:
        if level not in LEVELS or format not in FORMATS:
            raise ValueError(f"no such level or format: {level}, {format}")
        self._outlets = [outlet_of(stream) for stream in streams]
        for outlet in self._outlets:
            outlet.tell_dropped = self._dropped_line
        self._levels = LEVELS[LEVELS.index(level) :]
        self._line = _json_line if format == "json" else _text_line
        self._now = now
        self._forms: dict[str, set[str]] = {}  # of each secret, how it may be written
        self._secrets: tuple[str, ...] = ()
        self._lock = threading.Lock()

    @property
    def dropped(self) -> int:
        """Return how many lines were dropped since the start, summed over the streams."""
        return sum(outlet.dropped for outlet in self._outlets)

    @property
    def stuck(self) -> int:
        """Return how many lines wait for a stream that takes nothing, summed over the streams."""
        return sum(outlet.stuck for outlet in self._outlets)

    def add_secret(self, value: str) -> None:
        """Replace this value from now on wherever it would appear, also as a part of a URL."""
        if value:
            with self._lock:
                self._forms[value] = _written_forms(value)
                self._sort_secrets()

    def forget_secret(self, value: str) -> None:
        """Stop replacing a value that is good for nothing any more: every one costs time."""
        with self._lock:
            self._forms.pop(value, None)
            self._sort_secrets()

    def _sort_secrets(self) -> None:
        # The longest first: a secret may be a part of another one.
        forms = {form for forms in self._forms.values() for form in forms}
        self._secrets = tuple(sorted(forms, key=len, reverse=True))

    def redact(self, text: str) -> str:
        """Return the text without secrets: those it was told of, and what looks like one."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return _IN_DICT.sub(rf"\1{REDACTED}", _IN_URL.sub(rf"\1{REDACTED}", text))

    def debug(self, message: str, /, **fields: object) -> None:
        """Log what only someone who looks for a mistake wants to know."""
        self._log("debug", message, fields)

    def info(self, message: str, /, **fields: object) -> None:
        """Log what was done."""
        self._log("info", message, fields)

    def warning(self, message: str, /, **fields: object) -> None:
        """Log what an operator should look at."""
        self._log("warning", message, fields)

    def error(self, message: str, /, **fields: object) -> None:
        """Log what does not work."""
        self._log("error", message, fields)

    def finish(self) -> None:
        """Wait, though not for long, until all is written."""
        for outlet in self._outlets:
            outlet.finish()

    def _log(self, level: str, message: str, fields: Mapping[str, object]) -> None:
        if level not in self._levels:
            return
        record: dict[str, object] = {
            "time": precise_timestamp(self._now()),
            "level": level,
            "message": self.redact(message),
        }
        for name, value in fields.items():
            record[f"{name}_" if name in record else name] = self._plain(value)
        line = self._line(record) + "\n"
        for outlet in self._outlets:
            outlet.put(line)

    def _dropped_line(self, lines: int) -> str:
        record = {
            "time": precise_timestamp(self._now()),
            "level": "warning",
            "message": dropped_text(lines),
            "dropped": lines,
        }
        return self._line(record) + "\n"

    def _plain(self, value: object) -> object:
        """Return what JSON can say of the value, without secrets at any depth."""
        if value is None or isinstance(value, (bool, int)):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, Enum):
            return self._plain(value.value)
        if isinstance(value, Mapping):
            return {self.redact(str(name)): self._plain(item) for name, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._plain(item) for item in value]
        return self.redact(str(value))


def quiet_sdk() -> None:
    """Keep the SDK from printing: its messages hold signed URLs. Before or after its import."""
    sdk = logging.getLogger("aliyunsdkcore")
    sdk.propagate = False
    sdk.setLevel(logging.CRITICAL + 1)
    if not sdk.handlers:
        sdk.addHandler(logging.NullHandler())  # without one, logging prints by itself
    # This module gives its own logger a level and a handler for stderr when it is imported.
    logging.getLogger("aliyunsdkcore.http.http_response").disabled = True


def _written_forms(secret: str) -> set[str]:
    """Return how a secret may be written: as it is, in a literal, URL-encoded once or twice."""
    plain = {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]}
    once = {quote(form, safe=safe) for form in plain for safe in ("", "/")}
    once |= {quote_plus(form) for form in plain}
    twice = {quote(form, safe="") for form in once}
    lower = {re.sub("%..", lambda m: m[0].lower(), form) for form in once | twice}
    return plain | once | twice | lower


def _json_line(record: Mapping[str, object]) -> str:
    return json.dumps(record)  # ASCII only, so that nothing in it can end a line


def _text_line(record: Mapping[str, object]) -> str:
    rest = [f"{name}={_text_value(value)}" for name, value in list(record.items())[3:]]
    message = printable(str(record["message"]))
    return " ".join([str(record["time"]), str(record["level"]).upper(), message, *rest])


def _text_value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if text and not re.search(r"[\s\"=\\]", text):
        return printable(text)
    return printable(json.dumps(text, ensure_ascii=False))
