"""Faults on demand: a list of rules, each of which says which calls it spoils, and how."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from mock_slb.gateway.shapes import Reshape

HTML_502 = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>Tengine</center>\r\n"
    b"</body>\r\n</html>\r\n"
)


@dataclass(frozen=True)
class Refuse:
    """Answer with an API error."""

    code: str
    status: int = 400
    message: str = "Injected by the mocked cloud."


@dataclass(frozen=True)
class Reply:
    """Answer with these bytes instead of the real answer, e.g. a proxy's HTML page."""

    status: int
    body: bytes
    content_type: str = "text/html"


@dataclass(frozen=True)
class Reset:
    """Cut the connection without an answer."""


@dataclass(frozen=True)
class Cut:
    """Send the real answer's headers and this share of its body, then end the connection."""

    share: float = 0.5


@dataclass(frozen=True)
class Delay:
    """Wait, then go on as usual."""

    seconds: float


Effect = Refuse | Reply | Reset | Cut | Delay | Reshape


def _in_words(effect: Effect) -> str:
    match effect:
        case Refuse(code, status):
            return f"is refused with {status} {code}"
        case Reply(status, body):
            return f"is answered with {status} and {len(body)} bytes of something else"
        case Reset():
            return "is cut off without an answer"
        case Cut(share):
            return f"is cut off after {share:.0%} of the answer's body"
        case Delay(seconds):
            return f"waits for {seconds:g} s"
        case Reshape():
            return f"is answered with {effect.in_words()}"


@dataclass(frozen=True)
class Rule:
    """A choice of calls, and how they are spoilt.

    `action` is a pattern: `Add*`, `*`, or `metadata:token` for the metadata service. `match` names
    parameters that the call must carry with these values; {"Version": "2022-04-30"} is NLB only.
    `skip` lets that many calls pass first, `times` ends the rule after so many calls, `lasts` after
    so many seconds; `probability` spoils some of them at random.
    """

    effect: Effect
    action: str = "*"
    match: Mapping[str, str] = field(default_factory=dict)
    times: int | None = None
    lasts: float | None = None
    skip: int = 0
    probability: float = 1.0
    after_change: bool = False
    """Carry the call out first, then spoil its answer: the caller cannot know."""
    name: str = ""

    def in_words(self) -> str:
        """Tell a person what becomes of a call."""
        words = _in_words(self.effect)
        return f"{words}, after the change was made" if self.after_change else words


@dataclass(frozen=True)
class Fault:
    """A rule that applies to the call at hand."""

    name: str
    effect: Effect
    after_change: bool


@dataclass
class _Entry:
    rule: Rule
    ends_at: float
    passed: int = 0
    hits: int = 0

    def spent(self, now: float) -> bool:
        used_up = self.rule.times is not None and self.hits >= self.rule.times
        return used_up or now >= self.ends_at


class Faults:
    """The rules in force, in the order they were added; all that match apply."""

    def __init__(
        self, chance: random.Random | None = None, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`now` gives seconds, for rules that last a while."""
        self._now = now
        self._lock = threading.Lock()
        self._entries: dict[int, _Entry] = {}
        self._ids = itertools.count(1)
        self._chance = chance or random.Random(0)  # noqa: S311 - repeatable, not secret

    def add(self, rule: Rule) -> int:
        """Put a rule in force; the number is for `remove`."""
        with self._lock:
            id_ = next(self._ids)
            lasts = float("inf") if rule.lasts is None else rule.lasts
            self._entries[id_] = _Entry(rule, self._now() + lasts)
            return id_

    def remove(self, id_: int) -> bool:
        """Lift a rule; False if there is none with this number."""
        with self._lock:
            return self._entries.pop(id_, None) is not None

    def clear(self) -> None:
        """Lift all rules."""
        with self._lock:
            self._entries.clear()

    def take(self, action: str, params: Mapping[str, str]) -> list[Fault]:
        """The faults of one call; counts it for every rule that matches."""
        with self._lock:
            fired = [e for e in self._entries.values() if self._fires(e, action, params)]
        return [
            Fault(e.rule.name or type(e.rule.effect).__name__, e.rule.effect, e.rule.after_change)
            for e in fired
        ]

    def view(self) -> list[dict[str, object]]:
        """The rules with how often each has struck, ready for JSON."""
        with self._lock:
            return [
                {
                    "id": id_,
                    "name": entry.rule.name,
                    "action": entry.rule.action,
                    "match": dict(entry.rule.match),
                    "effect": type(entry.rule.effect).__name__,
                    "does": entry.rule.in_words(),
                    "after_change": entry.rule.after_change,
                    "times": entry.rule.times,
                    "lasts": entry.rule.lasts,
                    "spent": entry.spent(self._now()),
                    "hits": entry.hits,
                }
                for id_, entry in self._entries.items()
            ]

    def _fires(self, entry: _Entry, action: str, params: Mapping[str, str]) -> bool:
        rule = entry.rule
        if entry.spent(self._now()) or not fnmatchcase(action, rule.action):
            return False
        if any(params.get(name) != value for name, value in rule.match.items()):
            return False
        if entry.passed < rule.skip:
            entry.passed += 1
            return False
        if rule.probability < 1.0 and self._chance.random() >= rule.probability:
            return False
        entry.hits += 1
        return True
