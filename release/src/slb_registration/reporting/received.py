"""The status as it came over the socket, made fit for use: an agent of another version may not tell
all of it, or otherwise, and what answers there need not be an agent at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from slb_registration.reporting.overall import although
from slb_registration.support.logs.printable import printable

Document = dict[str, Any]
LARGEST = 1e15
"""A number beyond that is none of ours: times are in seconds since 1970."""

Reader = Callable[[object], Any]
"""Makes something of a field's value, whatever it is; None stands for a field that is not there."""


def read(document: Mapping[str, Any]) -> Document:
    """All fields that are read anywhere, each of its type, with texts that may be shown.

    What is not there or of another type says nothing: no text, no number, an empty list, false.
    """
    known = _each(document, _WHOLE)
    if "although" not in document:
        known["although"] = although(known)
    return known


def _each(value: object, readers: Mapping[str, Reader]) -> Document:
    fields = value if isinstance(value, dict) else {}
    return {name: reader(fields.get(name)) for name, reader in readers.items()}


def _text(value: object) -> str | None:
    return printable(value) if isinstance(value, str) else None


def _word(value: object) -> str:
    return _text(value) or "unknown"


def _flag(value: object) -> bool:
    return value is True


def _true_unless_false(value: object) -> bool:
    return value is not False


def _number(value: object) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if -LARGEST < value < LARGEST else None  # NaN is not either


def _whole(value: object) -> int | None:
    number = _number(value)
    return number if isinstance(number, int) else None


def _count(value: object) -> int:
    return _whole(value) or 0


def _list(readers: Mapping[str, Reader]) -> Reader:
    """A list of objects; what is none is left out."""

    def items(value: object) -> list[Document]:
        found = value if isinstance(value, list) else []
        return [_each(item, readers) for item in found if isinstance(item, dict)]

    return items


def _part(readers: Mapping[str, Reader]) -> Reader:
    return lambda value: _each(value, readers)


def _part_or_none(readers: Mapping[str, Reader]) -> Reader:
    return lambda value: _each(value, readers) if isinstance(value, dict) else None


_HEALTH = {
    "listener": _word,
    "port": _whole,
    "status": _word,
    "reason": _text,
    "told_apart": _true_unless_false,
}
_WARNING = {"code": _word, "listener": _text, "text": _word, "advice": _word}
_NEXT = {
    "step": _word,
    "weight": _whole,
    "of_predecessor": _flag,
    "at_seconds": _number,
    "waits_for": _word,
}
_GROUP = {
    "name": _word,
    "product": _word,
    "because_of": _text,
    "wanted": _true_unless_false,
    "state": _word,
    "in_service": _flag,
    "weight": _whole,
    "wanted_weight": _whole,
    "configured_weight": _whole,
    "out": _flag,
    "read_only": _text,
    "health_known": _flag,
    "health": _list(_HEALTH),
    "warnings": _list(_WARNING),
    "reason": _text,
    "kept": _text,
    "last_error": _text,
    "last_error_code": _text,
    "needs_repair": _flag,
    "barred": _text,
    "begun": _flag,
    "last_change": _text,
    "last_change_seconds": _number,
    "last_asked": _text,
    "last_asked_seconds": _number,
    "last_read": _text,
    "last_read_seconds": _number,
    "next": _part_or_none(_NEXT),
    "calls": _count,
    "would": _part_or_none({"text": _word}),
}
_DRAIN = {"stage": _word, "since": _word, "connections": _whole, "seconds_left": _number}
_READINESS = {
    "address": _text,
    "port": _whole,
    "answer": _whole,
    "because": _text,
    "error": _text,
}
_BACKEND = {
    "port": _whole,
    "port_from": _word,
    "path": _text,
    "path_from": _word,
    "ignored": _text,
}
_CREDENTIALS = {"source": _word, "good_until": _text, "error": _text}
_CHECK = {"check": _word, "health": _word, "detail": _text}
_DISCOVERED = {"product": _word, "id": _word, "joined": _flag, "because_of": _text}
_PART = {
    "name": _word,
    "silent_seconds": _number,
    "may_be_silent_seconds": _number,
    "stuck": _flag,
    "error": _text,
}
_FILE = {"file": _word, "problem": _text}
_WHOLE: Mapping[str, Reader] = {
    "state": _word,
    "although": _text,
    "time_seconds": _number,
    "version": _word,
    "package": _text,
    "register": _true_unless_false,
    "mode": _text,
    "instance_id": _text,
    "region": _word,
    "remark": _text,
    "error": _text,
    "under_way": _text,
    "complete": _flag,
    "barred": _flag,
    "needs_repair": _flag,
    "held_since": _text,
    "held_until": _text,
    "held_reason": _text,
    "drain": _part_or_none(_DRAIN),
    "readiness": _part_or_none(_READINESS),
    "backend": _part_or_none(_BACKEND),
    "credentials": _part(_CREDENTIALS),
    "local_checks": _list(_CHECK),
    "groups": _list(_GROUP),
    "discovered": _list(_DISCOVERED),
    "dynamic_configs": _list(_FILE),
    "log_lines_dropped": _count,
    "log_lines_stuck": _count,
    "parts": _list(_PART),
}
