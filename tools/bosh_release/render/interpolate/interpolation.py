"""Puts values in the place of a manifest's `((variables))`, as the BOSH CLI does it.

A text that is nothing but `((x))` becomes the value with its type, inside a longer text only
strings and integers can stand, `((x.y.0))` looks inside the value, `((!x))` is `((x))`, and keys of
maps are looked at too. Values are not looked at again, but where a longer text has several
variables, the value of one may hold the next.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bosh_release.render.interpolate.lookups import find
from bosh_release.render.interpolate.pointers import Index, Key, Pointer, parse_pointer
from bosh_release.render.interpolate.unresolved import Place, Unresolved
from bosh_release.render.interpolate.variable_definitions import Definition, definitions_of, without
from bosh_release.render.interpolate.variable_names import nested
from bosh_release.support.errors import ReleaseError
from bosh_release.support.spelling import nearest
from bosh_release.yaml.values import Text, key_of, kind_of, place_of

_REFERENCE = re.compile(r"\(\( ?(!?[-/.\w]+) ?\)\)")
_LIKENESS = 0.75  # nearer than for other names: those of variables are often alike


@dataclass(frozen=True)
class Interpolated:
    """A document with its variables put in; what could not be is still there, and listed."""

    document: Any
    unresolved: tuple[Unresolved, ...]
    filled: frozenset[Place] = frozenset()  # where values were put in, or keys of the map there


def interpolate(document: Any, values: Mapping[str, Any]) -> Interpolated:
    """Put the values into a copy of the document; one that is missing is no error.

    Raises ReleaseError for every value that cannot stand where it should.
    """
    scope = _Scope(_Values(values), definitions_of(document))
    for definition in scope.definitions:
        if definition.type:
            scope.get(definition.name)
    interpolator = _Interpolator(scope)
    filled = interpolator.copy(document, ())
    _raise_all(interpolator.problems)
    declared = [each.name for each in scope.definitions if scope.get(each.name)[0]]
    return Interpolated(
        without(filled, declared),
        tuple(interpolator.unresolved),
        frozenset(interpolator.filled),
    )


def _raise_all(problems: Sequence[Unresolved]) -> None:
    if problems:
        lines = dict.fromkeys(f"  - {problem}" for problem in problems)
        raise ReleaseError("\n".join(["Variables that cannot be put in:", *lines]))


class _Values:
    """The values that were given, by the first part of their names; bad names matter when used."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    @functools.cached_property
    def by_name(self) -> Mapping[str, Any]:
        """Names and values; raises ReleaseError."""
        return nested(self._given)


@dataclass
class _Scope:
    """A lookup of values; `inside` are the variables whose options are being filled in."""

    values: _Values
    definitions: Sequence[Definition]
    inside: frozenset[str] = frozenset()
    missing: set[str] = field(default_factory=set)

    def get(self, name: str) -> tuple[bool, Any]:
        """Return whether there is a value, and the value; raises ReleaseError for a circle."""
        if name in self.inside:
            raise ReleaseError(f"the options of variable '{name}' need the variable itself")
        if not self._has_options(name):
            return False, None
        values = self.values.by_name
        if name not in values:
            self.missing.add(name)
            return False, None
        return True, values[name]

    def _has_options(self, name: str) -> bool:
        """Fill in the declared options of a variable; tell whether none is missing."""
        inner = _Scope(self.values, self.definitions, self.inside | {name})
        definition = next((each for each in self.definitions if each.name == name), None)
        if definition is None:
            return True
        interpolator = _Interpolator(inner)
        options = interpolator.copy(definition.options, ("variables", name, "options"))
        _raise_all(interpolator.problems)
        if not isinstance(options, str):
            definition.options = options
        return not inner.missing


class _Interpolator:
    def __init__(self, scope: _Scope) -> None:
        self._scope = scope
        self.unresolved: list[Unresolved] = []
        self.problems: list[Unresolved] = []
        self.filled: set[Place] = set()

    def copy(self, node: Any, path: Place) -> Any:
        if isinstance(node, dict):
            return self._map(node, path)
        if isinstance(node, list):
            return [self.copy(item, (*path, number)) for number, item in enumerate(node)]
        if isinstance(node, str):
            return self._text(node, path)
        return node

    def _map(self, node: dict[Any, Any], path: Place) -> dict[Any, Any]:
        filled: dict[Any, Any] = {}
        from_variables: set[Any] = set()
        for key, value in node.items():
            name = self._key(key, path)
            is_changed = name != key
            if is_changed and name in from_variables:
                self._problem(str(key), key, path, ": another variable gives the same key")
            below = (*path, str(key))
            if is_changed or name not in from_variables:  # it wins over one that was written
                filled[name] = self.copy(value, below)
            if is_changed:
                from_variables.add(name)
                self.filled.add(path)
        return filled

    def _key(self, key: Any, path: Place) -> Any:
        if not isinstance(key, str):
            return key
        value = self._text(key, (*path, key))
        if isinstance(value, (dict, list)):
            self._problem(key, key, path, f": {kind_of(value)} cannot be a key")
            return key
        return key_of(value)

    def _text(self, text: str, path: Place) -> Any:
        filled = text
        for name in _names(text):
            found, value = self._look_up(name, text, path)
            if not found:
                continue
            self.filled.add(path)
            if _is_reference(filled):
                return value
            if isinstance(value, bool) or not isinstance(value, (str, int)):
                problem = f": {kind_of(value)} cannot stand inside a longer text"
                self._problem(name, text, path, problem)
                continue
            for reference in (f"(({name}))", f"((!{name}))"):
                filled = filled.replace(reference, str(value))
        return _placed_as(filled, text)

    def _look_up(self, name: str, text: str, path: Place) -> tuple[bool, Any]:
        first, *rest = name.split(".")
        try:
            found, value = self._scope.get(first)
            if found:
                return True, _inside_value(value, rest)
        except ReleaseError as error:
            self._problem(name, text, path, f": {error}")
            return False, None
        known = self._scope.values.by_name
        problem = nearest(first, known, _LIKENESS)
        if first in known:
            problem = "; its options, under `variables`, have variables without values"
        self.unresolved.append(Unresolved(name, path, place_of(text), problem))
        return False, None

    def _problem(self, name: str, text: str, path: Place, problem: str) -> None:
        self.problems.append(Unresolved(name, path, place_of(text), problem))


def _names(text: str) -> Iterator[str]:
    if "((" not in text:
        return
    for reference in _REFERENCE.finditer(text):
        if _is_name(reference[1]):
            yield reference[1].removeprefix("!")


def _is_reference(text: str) -> bool:
    whole = _REFERENCE.fullmatch(text)
    return whole is not None and _is_name(whole[1])


def _is_name(name: str) -> bool:
    r"""Tell whether all characters are for names: \w has numbers that are none to Go's."""
    return name.isascii() or all(
        character.isascii() or unicodedata.category(character).startswith("L") for character in name
    )


def _placed_as(filled: str, text: str) -> str:
    if filled is text or not place_of(text):
        return filled
    placed = Text(filled)
    placed.place = place_of(text)
    return placed


def _inside_value(value: Any, parts: Sequence[str]) -> Any:
    """Follow a path into a value; digits are an index, or where that fails all of them keys."""
    if not parts:
        return value
    pointer = parse_pointer("/" + "/".join(parts))
    try:
        return find(value, pointer)
    except ReleaseError:
        as_keys = tuple(
            Key(str(token.number)) if isinstance(token, Index) else token
            for token in pointer.tokens
        )
        return find(value, Pointer(pointer.text, as_keys))
