"""Applies ops files: the go-patch operations `replace`, `remove` and `test`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bosh_release.errors import ReleaseError
from bosh_release.lookups import (
    MissingError,
    empty_for,
    expect_list,
    expect_map,
    find,
    item_position,
    key_position,
    matches,
)
from bosh_release.pointers import AfterLast, Index, Key, Match, Pointer, parse_pointer
from bosh_release.yaml_input import kind_of, read_yaml

_FIELDS = frozenset(("type", "path", "value", "absent", "error"))


def apply_ops_files(document: Any, files: Sequence[Path]) -> Any:
    """Return the document with the operations of the files applied, in order.

    Raises ReleaseError with the file, the operation's number and the path that fails.
    """
    for file in files:
        operations = read_yaml(file)
        if not isinstance(operations, list):
            raise ReleaseError(
                f"{file}: an ops file is a list of operations, this is {kind_of(operations)}"
            )
        document = apply_operations(document, operations, str(file))
    return document


def apply_operations(document: Any, operations: Sequence[Any], name: str) -> Any:
    """Return a changed copy of the document; `name` is the ops file's, for messages."""
    document = copy.deepcopy(document)
    for number, operation in enumerate(operations):
        try:
            document = _apply(document, operation)
        except ReleaseError as error:
            raise ReleaseError(f"operation [{number}] in {name} failed: {error}") from error
    return document


def _apply(document: Any, operation: Any) -> Any:
    if not isinstance(operation, dict):
        raise ReleaseError(f"Expected an operation to be a map but found {kind_of(operation)}")
    kind, path = operation.get("type"), operation.get("path")
    if kind not in ("replace", "remove", "test"):
        raise ReleaseError(f"Unknown type '{kind}'; known are replace, remove and test")
    unknown = sorted(str(key) for key in operation if key not in _FIELDS)
    if unknown:
        raise ReleaseError(f"Unknown key '{unknown[0]}' in an operation")
    if not isinstance(path, str):
        raise ReleaseError("Missing path")
    try:
        pointer = parse_pointer(path)
    except ReleaseError as error:
        raise ReleaseError(f"Invalid path: {error}") from error
    if kind == "replace":
        return _replace_operation(document, pointer, operation)
    if kind == "remove":
        return _remove_operation(document, pointer, operation)
    return _test(document, pointer, operation)


def _replace_operation(document: Any, pointer: Pointer, operation: dict[str, Any]) -> Any:
    if "value" not in operation:
        raise ReleaseError("Missing value")
    return _replace(document, pointer, 0, copy.deepcopy(operation["value"]))


def _remove_operation(document: Any, pointer: Pointer, operation: dict[str, Any]) -> Any:
    if "value" in operation:
        raise ReleaseError("Cannot specify value")
    if not pointer.tokens:
        raise ReleaseError("Cannot remove entire document")
    _remove(document, pointer, 0)
    return document


def _replace(node: Any, pointer: Pointer, position: int, value: Any) -> Any:
    """Return what stands in the place of `node` once the tokens from `position` on are done."""
    if position == len(pointer.tokens):
        return value
    token, place = pointer.tokens[position], pointer.upto(position)
    if isinstance(token, Key):
        entries = expect_map(node, place)
        if token.optional and token.name not in entries:
            is_last = position == len(pointer.tokens) - 1
            below = None if is_last else empty_for(pointer, position + 1)
        else:
            below = entries[key_position(token, entries, place)]
        entries[token.name] = _replace(below, pointer, position + 1, value)
        return entries
    return _replace_in_list(expect_list(node, place), pointer, position, value)


def _replace_in_list(items: list[Any], pointer: Pointer, position: int, value: Any) -> list[Any]:
    token, place = pointer.tokens[position], pointer.upto(position)
    is_last = position == len(pointer.tokens) - 1
    if isinstance(token, AfterLast):
        return [*items, value]
    if isinstance(token, Match) and token.optional and not matches(token, items):
        return [*items, _replace({token.key: token.value}, pointer, position + 1, value)]
    if isinstance(token, Key):  # the caller takes keys to maps
        raise TypeError(token)
    found = item_position(token, items, place)
    moves = _insertion(token, place) if is_last else None
    if moves is not None:
        return [*items[: found + moves], value, *items[found + moves :]]
    items[found] = _replace(items[found], pointer, position + 1, value)
    return items


def _insertion(token: Index | Match, place: str) -> int | None:
    """Return 0 for `:before`, 1 for `:after`, None where the item itself is replaced."""
    inserts = [modifier for modifier in token.modifiers if modifier in ("before", "after")]
    if not inserts:
        return None
    if len(inserts) > 1 or token.modifiers[-1] != inserts[0]:
        raise ReleaseError(
            f"Expected to not find any modifiers after '{inserts[0]}' modifier at path '{place}'"
        )
    return 1 if inserts[0] == "after" else 0


def _remove(node: Any, pointer: Pointer, position: int) -> None:
    token, place = pointer.tokens[position], pointer.upto(position)
    is_last = position == len(pointer.tokens) - 1
    if isinstance(token, AfterLast):
        raise ReleaseError(f"Expected to not find token '-' at path '{place}'")
    if isinstance(token, Key):
        entries = expect_map(node, place)
        if token.name not in entries and token.optional:
            return
        key = key_position(token, entries, place)
        _delete_or_descend(entries, key, pointer, position, is_last)
        return
    items = expect_list(node, place)
    if isinstance(token, Match) and token.optional and not matches(token, items):
        return
    _delete_or_descend(items, item_position(token, items, place), pointer, position, is_last)


def _delete_or_descend(
    holder: Any, where: str | int, pointer: Pointer, position: int, is_last: bool
) -> None:
    if is_last:
        del holder[where]
    else:
        _remove(holder[where], pointer, position + 1)


def _test(document: Any, pointer: Pointer, operation: dict[str, Any]) -> Any:
    if "value" not in operation and "absent" not in operation:
        raise ReleaseError("Missing value or absent")
    if operation.get("absent") is True:
        _check_absent(document, pointer)
    elif find(document, pointer) != operation.get("value"):
        raise ReleaseError("Found value does not match expected value")
    return document


def _check_absent(document: Any, pointer: Pointer) -> None:
    try:
        find(document, pointer)
    except MissingError as error:
        if error.place == pointer.text:
            return
        raise
    raise ReleaseError(f"Expected to not find '{pointer.text}'")
