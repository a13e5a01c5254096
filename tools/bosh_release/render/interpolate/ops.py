"""Applies ops files: the go-patch operations `replace`, `remove` and `test`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bosh_release.render.interpolate.lookups import (
    MissingError,
    empty_for,
    expect_list,
    expect_map,
    find,
    item_position,
    key_position,
    matches,
)
from bosh_release.render.interpolate.ops_files import Operation, parse_operations
from bosh_release.render.interpolate.pointers import AfterLast, Index, Key, Match, Pointer
from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.round_trip import as_written_and_read
from bosh_release.yaml.untyped import read_text


def apply_ops_files(document: Any, files: Sequence[Path]) -> Any:
    """Return the document with the operations of the files applied, in order.

    All files are read before the first operation is done. Raises ReleaseError with the file, the
    operation's number and the path that fails.
    """
    operations = [(file, parse_operations(read_text(file), str(file))) for file in files]
    for file, of_file in operations:
        document = apply_operations(document, of_file, str(file))
    return document


def apply_operations(document: Any, operations: Sequence[Operation], name: str) -> Any:
    """Return a changed copy of the document; `name` is the ops file's, for messages."""
    document = copy.deepcopy(document)
    for number, operation in enumerate(operations):
        try:
            document = _apply(document, operation)
        except ReleaseError as error:
            raise ReleaseError(f"operation [{number}] in {name} failed: {error}") from error
    return document


def _apply(document: Any, operation: Operation) -> Any:
    if operation.kind == "replace":
        return _replace(document, operation.path, as_written_and_read(operation.value))
    if operation.kind == "remove":
        return remove(document, operation.path)
    _test(document, operation)
    return document


class _Walk:
    """A way into a document: `node` is where it leads, `put` changes what stands there.

    As in go-patch, what stands behind a `key=value` is no place to put anything: it is a map, in
    which the next part changes an entry. Only `:prev` and `:next` lead to others.
    """

    def __init__(self, document: Any) -> None:
        self._root = [document]
        self._holder: Any = self._root
        self._where: Any = 0
        self.node = document

    @property
    def document(self) -> Any:
        """The document as it is by now."""
        return self._root[0]

    def put(self, value: Any) -> None:
        """Put a value in the place of the node."""
        self._holder[self._where] = value

    def enter(self, holder: Any, where: Any, token: Key | Index | Match) -> None:
        """Go on to an entry of a map or an item of a list."""
        self.node = holder[where]
        if not isinstance(token, Match):
            self._holder, self._where = holder, where


def _replace(document: Any, pointer: Pointer, value: Any) -> Any:
    if not pointer.tokens:
        return value
    walk = _Walk(document)
    for position, token in enumerate(pointer.tokens):
        is_last = position == len(pointer.tokens) - 1
        if isinstance(token, Key):
            entries = expect_map(walk.node, pointer.upto(position))
            _replace_entry(walk, entries, pointer, position, value)
            continue
        items = expect_list(walk.node, pointer.upto(position))
        if isinstance(token, AfterLast):
            walk.put([*items, value])
        elif isinstance(token, Match) and token.optional and not matches(token, items):
            walk.node = value if is_last else {token.key: token.value}
            walk.put([*items, walk.node])
        elif is_last:
            walk.put(_with_item(items, token, value, pointer.upto(position)))
        else:
            walk.enter(items, item_position(token, items, pointer.upto(position)), token)
    return walk.document


def _replace_entry(
    walk: _Walk, entries: dict[Any, Any], pointer: Pointer, position: int, value: Any
) -> None:
    token = pointer.tokens[position]
    if not isinstance(token, Key):
        raise TypeError(token)
    if not token.optional:
        key_position(token, entries, pointer.upto(position))
    if position == len(pointer.tokens) - 1:
        entries[token.name] = value
        return
    if token.name not in entries:
        entries[token.name] = empty_for(pointer, position + 1)
    walk.enter(entries, token.name, token)


def _with_item(items: list[Any], token: Index | Match, value: Any, place: str) -> list[Any]:
    """Return the list with the item replaced, or one more before or after it."""
    last = token.modifiers[-1] if token.modifiers else ""
    if last in ("before", "after"):
        found = item_position(token, items, place, token.modifiers[:-1]) + (last == "after")
        return [*items[:found], value, *items[found:]]
    found = item_position(token, items, place)
    items[found] = value
    return items


def remove(document: Any, pointer: Pointer) -> Any:
    """Return the document without what the path names; raises ReleaseError."""
    if not pointer.tokens:
        raise ReleaseError("Cannot remove entire document")
    walk = _Walk(document)
    for position, token in enumerate(pointer.tokens):
        place = pointer.upto(position)
        is_last = position == len(pointer.tokens) - 1
        if isinstance(token, AfterLast):
            raise ReleaseError(f"Expected to not find token '-' at path '{place}'")
        if isinstance(token, Key):
            entries = expect_map(walk.node, place)
            if token.optional and token.name not in entries:
                return walk.document
            key = key_position(token, entries, place)
            if is_last:
                del entries[key]
            else:
                walk.enter(entries, key, token)
            continue
        items = expect_list(walk.node, place)
        if isinstance(token, Match) and token.optional and not matches(token, items):
            return walk.document
        number = item_position(token, items, place)
        if is_last:
            walk.put([*items[:number], *items[number + 1 :]])
        else:
            walk.enter(items, number, token)
    return walk.document


def _test(document: Any, operation: Operation) -> None:
    if operation.absent:
        _check_absent(document, operation.path)
    elif not _is_same(find(document, operation.path), operation.value):
        raise ReleaseError("Found value does not match expected value")


def _is_same(one: Any, other: Any) -> bool:
    """Compare with types: 1, 1.0 and true are three values."""
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)


def _check_absent(document: Any, pointer: Pointer) -> None:
    try:
        find(document, pointer)
    except MissingError as error:
        if error.place == pointer.text:
            return
        raise
    raise ReleaseError(f"Expected to not find '{pointer.text}'")
