"""Paths into a YAML document, as ops files write them (go-patch): `/groups/name=web/jobs/0/a?/b`.

A part is a map key, an index, `-` (behind the last item), or `key=value` (the one item of a list
that has this). `?` makes the part and those behind it optional; `:before`, `:after`, `:prev` and
`:next` move an index; `~0 ~1 ~7` stand for `~ / :`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bosh_release.support.errors import ReleaseError

_ESCAPES = {"~0": "~", "~1": "/", "~7": ":"}
_MODIFIERS = ("prev", "next", "before", "after")


@dataclass(frozen=True)
class Key:
    """A key of a map."""

    name: str
    optional: bool = False


@dataclass(frozen=True)
class Index:
    """A position in a list; negative counts from the end."""

    number: int
    modifiers: tuple[str, ...] = ()


@dataclass(frozen=True)
class AfterLast:
    """`-`: behind the last item of a list."""


@dataclass(frozen=True)
class Match:
    """The one item of a list whose `key` is `value`."""

    key: str
    value: str
    optional: bool = False
    modifiers: tuple[str, ...] = ()


Token = Key | Index | AfterLast | Match


@dataclass(frozen=True)
class Pointer:
    """A parsed path; `upto(n)` names the place in messages."""

    text: str
    tokens: tuple[Token, ...]

    def upto(self, position: int) -> str:
        """Return the path up to and including the token at `position`."""
        return "/".join(self.text.split("/")[: position + 2])


def parse_pointer(text: str) -> Pointer:
    """Parse a path; raises ReleaseError in go-patch's words."""
    if not text:
        return Pointer(text, ())
    if not text.startswith("/"):
        raise ReleaseError("Expected to start with '/'")
    parts = text.split("/")[1:]
    tokens: list[Token] = []
    optional = False
    for position, part in enumerate(parts):
        name, *modifiers = part.split(":")
        _check_modifiers(modifiers)
        name = re.sub("~[017]", lambda found: _ESCAPES[found[0]], name)
        optional = optional or (name.endswith("?") and not _is_index(name))
        tokens.append(_token(name, tuple(modifiers), optional, position == len(parts) - 1))
    return Pointer(text, tuple(tokens))


def _check_modifiers(modifiers: Sequence[str]) -> None:
    for modifier in modifiers:
        if modifier not in _MODIFIERS:
            raise ReleaseError(
                "Expected to find one of the following modifiers: 'prev', 'next', 'before', "
                f"or 'after' but found '{modifier}'"
            )


def _token(name: str, modifiers: tuple[str, ...], optional: bool, is_last: bool) -> Token:
    if is_last and name == "-":
        if modifiers:
            raise ReleaseError("Expected not to find any modifiers with after last index token")
        return AfterLast()
    if _is_index(name):
        return Index(int(name), modifiers)
    key, equals, value = name.partition("=")
    if equals:
        return Match(key, value.removesuffix("?"), optional, modifiers)
    if modifiers:
        raise ReleaseError("Expected not to find any modifiers with key token")
    return Key(name.removesuffix("?"), optional)


def _is_index(name: str) -> bool:
    # 64 bits have 19 digits; what is no integer to Go is a key
    number = re.fullmatch(r"[-+]?0*[0-9]{1,19}", name, re.ASCII)
    return number is not None and -(2**63) <= int(name) < 2**63
