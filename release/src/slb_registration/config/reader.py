"""Typed reading of a parsed JSON document.

A mistake is not raised but collected with its property's name, so that one run shows them all.
What cannot be read becomes its default: a document with problems is never used.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

D = TypeVar("D")
SHORTEST_SECONDS = 0.1
"""An interval or a timeout of less is a slip: it would use up quotas, or let every call fail."""

DAY_SECONDS = 86400
ANY_TEXT = re.compile(r"[\s\S]*")
ABSOLUTE_PATH = re.compile(r"/[^\x00-\x1f]+")
MOST_PROBLEMS = 100
"""The rest is only counted: a file that is none of ours would bring thousands."""

_LONGEST_NAME = 64
_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a character: JSON can hold one, no file name and no request can."""

_PEM = "-----BEGIN "
"""A private key in the place of something else begins with it."""

_PLAIN_NAME = re.compile(r"[\w.-]{1,64}")


class Problems:
    """All that is wrong with a document, each entry starting with its property's name."""

    def __init__(self, secrets: Iterable[object] = ()) -> None:
        # A key can stand in the wrong place: no message repeats one, whatever it is about. Shorter
        # texts are not hidden: no key is so short, and hiding "a" would make messages unreadable.
        texts = (secret.strip() for secret in secrets if isinstance(secret, str))
        self._secrets = tuple(text for text in texts if len(text) >= 8)
        self._found: list[str] = []
        self._more = 0
        self._path_of_more = ""

    @property
    def found(self) -> list[str]:
        """All of them, the last of which may only tell how many more there are."""
        more = [f"{self._path_of_more}: and {self._more} more problems"] if self._more else []
        return [*self._found, *more]

    @property
    def full(self) -> bool:
        """Return whether further problems are only counted."""
        return len(self._found) >= MOST_PROBLEMS

    def add(self, path: str, text: str) -> None:
        """Note that the property at this path is wrong, and what to do about it."""
        if self.full:
            self._more += 1
            self._path_of_more = path
            return
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]").replace(repr(secret)[1:-1], "[redacted]")
        self._found.append(f"{path}: {text}")

    def shown(self, value: object) -> str:
        """Return the value as it may stand in a message: on one line, short, without keys."""
        if isinstance(value, (list, dict)):
            return "a list" if isinstance(value, list) else "a group of properties"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str) and any(secret in value for secret in (*self._secrets, _PEM)):
            return "[redacted]"  # before it is cut: a part of a key is one too
        text = repr(value[:60] if isinstance(value, str) else value)
        return text if len(text) <= 60 else f"{text[:56]}…"


class Section:
    """One group of properties. Names that were never asked for are unknown ones."""

    def __init__(self, values: Mapping[str, object], problems: Problems, path: str = "") -> None:
        self._values = values
        self._problems = problems
        self._path = path
        self._names: dict[str, None] = {}  # a set that keeps its order
        self._children: list[Section] = []

    def problem(self, name: str, text: str) -> None:
        """Note that the property of this name is wrong."""
        self._problems.add(f"{self._path}.{name}" if self._path else name, text)

    def value(self, name: str) -> object:
        """Return the value as it stands; None where it is not given (null is not given)."""
        self._names[name] = None
        return self._values.get(name)

    def given(self, name: str) -> bool:
        """Return whether there is a value of this name."""
        return self.value(name) is not None

    def shown(self, value: object) -> str:
        """Return the value as it may stand in a message."""
        return self._problems.shown(value)

    def section(self, name: str, path: str | None = None) -> Section:
        """Return the group of properties of this name, empty where it is not given."""
        value = self.value(name)
        if value is not None and not isinstance(value, dict):
            # Where all the properties were expected, a text may be one of the keys.
            shown = "text" if isinstance(value, str) else self.shown(value)
            self.problem(name, f"must be a group of properties, not {shown}")
        own_path = f"{self._path}.{name}" if self._path else name
        return self._child(value, own_path if path is None else path)

    def sections(self, name: str) -> list[Section]:
        """Return the list of groups of properties of this name, empty where it is not given."""
        found = []
        for number, value in enumerate(self.items(name, ())):
            path = f"{self._path}.{name}[{number}]" if self._path else f"{name}[{number}]"
            if isinstance(value, dict):
                found.append(self._child(value, path))
            else:
                self._problems.add(path, f"must be a group of properties, not {self.shown(value)}")
        return found

    def items(self, name: str, default: Collection[object]) -> Collection[object]:
        """Return the list of this name."""
        value = self.value(name)
        if value is None:
            return default
        if not isinstance(value, list):
            self.problem(name, f"must be a list, not {self.shown(value)}")
            return default
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Return true or false."""
        value = self.value(name)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.problem(name, f"must be true or false{self.instead(value)}")
        return default

    def integer(self, name: str, default: D, low: int, high: int) -> int | D:
        """Return a whole number within the bounds, which belong to it."""
        value = self.value(name)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.problem(name, f"must be a whole number from {low} to {high}{self.instead(value)}")
        return default

    def seconds(self, name: str, default: float, *, zero: bool = False) -> float:
        """Return a duration: SHORTEST_SECONDS (or 0, where that means something) to a day."""
        value = self.value(name)
        if value is None:
            return default
        # Written so that NaN, which compares as false with everything, is refused as well.
        number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else -1
        least = 0 if zero else SHORTEST_SECONDS
        if least <= number <= DAY_SECONDS:
            return float(number)
        bounds = f"from {least} to {DAY_SECONDS}"
        self.problem(name, f"must be a number of seconds {bounds}{self.instead(value)}")
        return default

    def text(
        self, name: str, default: D, form: re.Pattern[str], described: str, hint: str = ""
    ) -> str | D:
        """Return a text that has the form as a whole; a message describes it and ends in a hint."""
        value = self.value(name)
        if value is None:
            return default
        if isinstance(value, str) and form.fullmatch(value) and is_whole_text(value):
            return value
        if value == "":
            self.problem(name, f"is empty: must be {described}")
        else:
            self.problem(name, f"must be {described}, not {self.shown(value)}{hint}")
        return default

    def secret(self, name: str) -> str | None:
        """Return a key, None where it is not given. No message shows anything of it."""
        value = self.value(name)
        if value is None:
            return None
        problem = _wrong_secret(value)
        if problem:
            self.problem(name, problem)
        return str(value)

    def choice(self, name: str, default: str, choices: Collection[str]) -> str:
        """Return one of the choices."""
        value = self.value(name)
        if value is None:
            return default
        if isinstance(value, str) and value in choices:
            return value
        hint = _nearest(value, choices) if isinstance(value, str) else ""
        self.problem(name, f"must be one of {', '.join(choices)}, not {self.shown(value)}{hint}")
        return default

    def refuse_unknown(self) -> None:
        """Note every name that was not asked for, here and below, with the nearest known one."""
        for name in self._values:
            if name not in self._names:
                shown = self.shown(name)
                shown = name if _PLAIN_NAME.fullmatch(name) and name in shown else shown
                hint = "" if self._problems.full else _nearest(name, self._names)  # takes long
                self.problem(shown, f"there is no such property{hint}")
        for child in self._children:
            child.refuse_unknown()

    def _child(self, value: object, path: str) -> Section:
        child = Section(value if isinstance(value, dict) else {}, self._problems, path)
        self._children.append(child)
        return child

    def instead(self, value: object) -> str:
        """Return the end of a message: what stands there, perhaps in quotes by mistake."""
        shown = self.shown(value)
        if isinstance(value, str) and re.fullmatch(r"\s*(-?\d+(\.\d+)?|true|false)\s*", value):
            return f"; {shown} is text: write it without quotes"
        return f", not {shown}"


def _wrong_secret(value: object) -> str | None:
    if not isinstance(value, str):
        return "must be text: write it in quotes"
    if not value:
        return "is empty"
    if value != value.strip():
        return "has white space or a line end before or after it: remove it"
    if value.startswith("((") and value.endswith("))"):
        return "is still the name of a variable: give the variable a value"
    if not re.fullmatch(r"[!-~]+", value):
        return "has a character that no key has: use printable ASCII without white space"
    return None


def is_whole_text(text: str) -> bool:
    """Return whether it can be written as UTF-8."""
    return _SURROGATE.search(text) is None


def _nearest(name: str, known: Collection[str]) -> str:
    if len(name) > _LONGEST_NAME:
        return ""
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {nearest[0]}?" if nearest else ""
