"""Puts values in the place of a manifest's `((variables))`.

As the BOSH CLI does it: a text that is nothing but `((x))` becomes the value with its type, inside
a longer text only strings and integers can stand, `((x.y.0))` looks inside the value, `((!x))` is
`((x))`, and keys of maps are looked at too. Values are not looked at again.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bosh_release.errors import ReleaseError
from bosh_release.lookups import find
from bosh_release.pointers import Index, Key, Pointer
from bosh_release.yaml_input import Text, kind_of, place_of

Place = tuple[str | int, ...]  # the keys and positions that lead to a place in the manifest

_REFERENCE = re.compile(r"\(\( ?!?([-/.\w]+) ?\)\)")


@dataclass(frozen=True)
class Unresolved:
    """A `((name))` without a value: where it stands and what is wrong."""

    name: str
    path: Place
    place: str
    problem: str


@dataclass(frozen=True)
class Interpolated:
    """A document with its variables put in; what could not be is still there, and listed."""

    document: Any
    unresolved: tuple[Unresolved, ...]


def interpolate(document: Any, values: Mapping[str, Any]) -> Interpolated:
    """Put the values into a copy of the document; never raises for one that is missing."""
    interpolator = _Interpolator(values)
    return Interpolated(interpolator.copy(document, ()), tuple(interpolator.unresolved))


def expect_all(unresolved: Sequence[Unresolved], document: Any) -> None:
    """Raise one ReleaseError that names every variable without a value, and where it stands."""
    if not unresolved:
        return
    generated = _declared_names(document)
    found = dict.fromkeys(_description(each) + _origin(each, generated) for each in unresolved)
    raise ReleaseError(
        "Expected to find variables:\n"
        + "\n".join(f"  - {description}" for description in found)
        + "\nGive their values in a YAML file with -l FILE (secrets belong there), or with -v."
    )


def _description(found: Unresolved) -> str:
    place = f"{found.place}, " if found.place else ""
    return f"{found.name} ({place}{path_text(found.path)}){found.problem}"


def _origin(found: Unresolved, generated: frozenset[str]) -> str:
    if found.problem or found.name.partition(".")[0] not in generated:
        return ""
    return "; under `variables`: a director would generate it, here it must be given"


def _declared_names(document: Any) -> frozenset[str]:
    declared = document.get("variables") if isinstance(document, dict) else None
    entries = declared if isinstance(declared, list) else []
    return frozenset(
        str(entry["name"]) for entry in entries if isinstance(entry, dict) and "name" in entry
    )


def path_text(path: Place) -> str:
    """Return a place in the manifest in words: instance_groups/0/jobs/0/properties/x."""
    return "/".join(str(part) for part in path)


class _Interpolator:
    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.unresolved: list[Unresolved] = []

    def copy(self, node: Any, path: Place) -> Any:
        if isinstance(node, dict):
            return {
                self._key(key, path): self.copy(value, (*path, key)) for key, value in node.items()
            }
        if isinstance(node, list):
            return [self.copy(item, (*path, number)) for number, item in enumerate(node)]
        if isinstance(node, str):
            return self._text(node, path)
        return node

    def _key(self, key: Any, path: Place) -> Any:
        value = self._text(key, (*path, key)) if isinstance(key, str) else key
        return key if isinstance(value, (dict, list)) else value

    def _text(self, text: str, path: Place) -> Any:
        whole = _REFERENCE.fullmatch(text)
        if whole:
            found, value = self._look_up(whole[1], text, path)
            return value if found else text
        return self._filled(text, path) if "((" in text else text

    def _filled(self, text: str, path: Place) -> str:
        filled = Text(_REFERENCE.sub(lambda reference: self._inside(reference, text, path), text))
        filled.place = place_of(text)
        return filled

    def _inside(self, reference: re.Match[str], text: str, path: Place) -> str:
        found, value = self._look_up(reference[1], text, path)
        if not found:
            return reference[0]
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            problem = f": {kind_of(value)} cannot stand inside a longer text"
            self._report(reference[1], text, path, problem)
            return reference[0]
        return str(value)

    def _look_up(self, name: str, text: str, path: Place) -> tuple[bool, Any]:
        first, *rest = name.split(".")
        if first not in self._values:
            self._report(name, text, path, _nearest(first, self._values))
            return False, None
        try:
            return True, _inside_value(self._values[first], rest)
        except ReleaseError as error:
            self._report(name, text, path, f": {error}")
            return False, None

    def _report(self, name: str, text: str, path: Place, problem: str) -> None:
        self.unresolved.append(Unresolved(name, path, place_of(text), problem))


def _inside_value(value: Any, parts: Sequence[str]) -> Any:
    """Follow a path into a value; digits are an index in a list and a key in a map."""
    for position, part in enumerate(parts):
        token = Index(int(part)) if isinstance(value, list) and part.isdecimal() else Key(part)
        value = find(value, Pointer("/" + "/".join(parts[position:]), (token,)))
    return value


def _nearest(name: str, values: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, list(values), n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near else ""
