"""A manifest as it arrives where its values are used, after BOSH has written and read it again.

The CLI writes what it has interpolated with Go's YAML, which needs fewer quotes than other
readers do. A director reads that with Ruby's, to which `::1` and `1,000` are no texts; create-env
reads it with Go's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bosh_release.render.interpolate.unresolved import Place
from bosh_release.render.ruby.director_yaml import read_as_director
from bosh_release.render.ruby.erb import CREATE_ENV
from bosh_release.render.ruby.values import Symbol
from bosh_release.yaml.key_order import in_order
from bosh_release.yaml.round_trip import as_written_and_read
from bosh_release.yaml.values import OtherKey, place_of
from bosh_release.yaml.writing import write_interpolated


@dataclass(frozen=True)
class Change:
    """A value or key that arrives as another one; `place` is the file and line, if known."""

    path: Place
    place: str
    before: Any
    after: Any


def arrive(document: Any, context: str) -> Any:
    """Return the document as it arrives; raises ReleaseError where it is refused."""
    if context == CREATE_ENV:
        return as_written_and_read(document)
    advice = "the BOSH CLI takes quotes away, so write it otherwise"
    return read_as_director(write_interpolated(document), document, advice)


def changes(before: Any, after: Any, path: Place = ()) -> Iterator[Change]:
    """Yield what is not the same any more, in the order of the document."""
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _changes_in_map(before, after, path)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from changes(old, new, (*path, number))
    elif not _is_same(before, after):
        yield Change(path, place_of(before), before, after)


def _changes_in_map(before: dict[Any, Any], after: dict[Any, Any], path: Place) -> Iterator[Change]:
    # in the order in which they were written, which is Ruby's, too
    lost = [key for key in in_order(before) if key not in after]
    come = [key for key in after if key not in before]
    for key in lost:
        name = come.pop(0) if come else None
        yield Change((*path, str(key)), place_of(key), key, name)
    for key, value in before.items():
        if key in after:
            yield from changes(value, after[key], (*path, str(key)))


def _is_same(before: Any, after: Any) -> bool:
    if isinstance(before, str) and isinstance(after, str):
        return before == after
    # NaN, for one, is not equal to itself
    return type(before) is type(after) and (before == after or str(before) == str(after))


def in_ruby(value: Any) -> str:
    """Return a scalar as Ruby and a person would write it."""
    if isinstance(value, OtherKey):
        return str(value)
    if isinstance(value, Symbol):
        is_word = value.name.isidentifier() and value.name.isascii()
        return f":{value.name}" if is_word else f":{json.dumps(value.name, ensure_ascii=False)}"
    return json.dumps(value, ensure_ascii=False)
