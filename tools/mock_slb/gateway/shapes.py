"""Answers in another form: what the API reference leaves open, a client has to bear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

LIST, OBJECT, NULL, ABSENT = "list", "object", "null", "absent"
INNER_OBJECT, INNER_NULL, INNER_ABSENT = "inner_object", "inner_null", "inner_absent"
EMPTY_FORMS = (LIST, OBJECT, NULL, ABSENT, INNER_OBJECT, INNER_NULL, INNER_ABSENT)

_OUTER: Mapping[str, object] = {LIST: [], OBJECT: {}, NULL: None}
_INNER: Mapping[str, object] = {INNER_OBJECT: {}, INNER_NULL: None}


@dataclass(frozen=True)
class Reshape:
    """Answer as usual, but tell it in another form."""

    empty: str | None = None
    """How an empty list looks, one of EMPTY_FORMS; CLB's lists are inside an object of their own
    (`{"BackendServers": {"BackendServer": []}}`), which the first four replace."""
    numbers_as_text: bool = False
    without: tuple[str, ...] = ()
    """Names that the answer does not have, however deep."""
    next_token: str | None = None
    """Told by every answer, paged or not; a call that sends it back is as one without."""

    def in_words(self) -> str:
        """Tell a person what is odd about an answer."""
        odd = [
            f"empty lists as {self.empty}" if self.empty else "",
            "numbers as texts" if self.numbers_as_text else "",
            f"no {', '.join(self.without)}" if self.without else "",
            "a NextToken that repeats" if self.next_token else "",
        ]
        return ", ".join(filter(None, odd))

    def request(self, params: Mapping[str, str]) -> Mapping[str, str]:
        """The parameters of a call without the token that is only told."""
        if self.next_token is None or params.get("NextToken") != self.next_token:
            return params
        return {name: value for name, value in params.items() if name != "NextToken"}

    def answer(self, told: Mapping[str, object]) -> dict[str, object]:
        """The answer that is told instead."""
        value: Any = dict(told)
        if self.empty is not None:
            value = _emptied(value, self.empty)
        if self.without:
            value = _each(value, lambda item: _left(item, self.without))
        if self.numbers_as_text:
            value = _as_text(value)
        reshaped: dict[str, object] = value
        if self.next_token is not None:
            reshaped["NextToken"] = self.next_token
        return reshaped


def _emptied(value: Any, form: str) -> Any:
    if isinstance(value, list):
        return [_emptied(one, form) for one in value]
    if not isinstance(value, dict):
        return value
    changed: dict[str, object] = {}
    for name, one in value.items():
        nested = isinstance(one, dict) and list(one.values()) == [[]]
        if nested and form in _INNER:
            changed[name] = dict.fromkeys(one, _INNER[form])
        elif nested and form == INNER_ABSENT:
            changed[name] = {}
        elif (nested or one == []) and form in _OUTER:
            changed[name] = _OUTER[form]
        elif not ((nested or one == []) and form == ABSENT):
            changed[name] = _emptied(one, form)
    return changed


def _left(item: Mapping[str, object], names: tuple[str, ...]) -> dict[str, object]:
    return {name: value for name, value in item.items() if name not in names}


def _each(value: Any, change: Callable[[dict[str, object]], dict[str, object]]) -> Any:
    """The same with every object in it changed."""
    if isinstance(value, list):
        return [_each(one, change) for one in value]
    if isinstance(value, dict):
        return {name: _each(one, change) for name, one in change(value).items()}
    return value


def _as_text(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_text(one) for one in value]
    if isinstance(value, dict):
        return {name: _as_text(one) for name, one in value.items()}
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value) if is_number else value
