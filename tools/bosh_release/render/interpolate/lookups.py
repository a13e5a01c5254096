"""Follows paths into a YAML document, and says in go-patch's words where one does not lead on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bosh_release.render.interpolate.pointers import AfterLast, Index, Key, Match, Pointer
from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.values import kind_of


class MissingError(ReleaseError):
    """A map key or an index that the document does not have."""

    def __init__(self, message: str, place: str) -> None:
        super().__init__(message)
        self.place = place


def key_position(token: Key, node: dict[Any, Any], place: str) -> str:
    """Return the key of an existing entry; raises MissingError with the keys there are."""
    if token.name in node:
        return token.name
    keys = sorted(key for key in node if isinstance(key, str))
    others = "found map keys: '" + "', '".join(keys) + "'" if keys else "found no other map keys"
    raise MissingError(
        f"Expected to find a map key '{token.name}' for path '{place}' ({others})", place
    )


def item_position(
    token: Index | Match, items: list[Any], place: str, moves: Sequence[str] | None = None
) -> int:
    """Return the position of an existing item, moved by `:prev` and `:next`.

    `moves` are the token's modifiers, unless the last of them inserts.
    """
    moves = token.modifiers if moves is None else moves
    for move in moves:
        if move not in ("prev", "next"):
            raise ReleaseError(
                f"Expected to find '{move}' only at the end of the path of a replace operation, "
                f"but found it at path '{place}'"
            )
    number = token.number if isinstance(token, Index) else _the_match(token, items, place)
    number += moves.count("next") - moves.count("prev")
    if not -len(items) <= number < len(items):
        raise MissingError(
            f"Expected to find array index '{number}' but found array of length "
            f"'{len(items)}' for path '{place}'",
            place,
        )
    return number % len(items)


def matches(token: Match, items: list[Any]) -> list[int]:
    """Return the positions of the items that a `key=value` names."""
    return [
        position
        for position, item in enumerate(items)
        if isinstance(item, dict) and item.get(token.key) == token.value
    ]


def _the_match(token: Match, items: list[Any], place: str) -> int:
    found = matches(token, items)
    if len(found) != 1:
        raise ReleaseError(
            f"Expected to find exactly one matching array item for path '{place}' "
            f"but found {len(found)}"
        )
    return found[0]


def expect_map(node: Any, place: str) -> dict[Any, Any]:
    """Return `node` if it is a map, else raise ReleaseError."""
    if isinstance(node, dict):
        return node
    raise ReleaseError(f"Expected to find a map at path '{place}' but found {kind_of(node)}")


def expect_list(node: Any, place: str) -> list[Any]:
    """Return `node` if it is a list, else raise ReleaseError."""
    if isinstance(node, list):
        return node
    raise ReleaseError(f"Expected to find an array at path '{place}' but found {kind_of(node)}")


def find(document: Any, pointer: Pointer) -> Any:
    """Return what a path leads to; optional parts that are missing lead to None or empty ones."""
    node = document
    for position, token in enumerate(pointer.tokens):
        place = pointer.upto(position)
        if isinstance(token, AfterLast):
            raise ReleaseError(f"Expected not to find after last index token in path '{place}'")
        if isinstance(token, Key):
            node = _find_key(token, expect_map(node, place), pointer, position)
        else:
            node = _find_item(token, expect_list(node, place), place)
    return node


def _find_key(token: Key, node: dict[Any, Any], pointer: Pointer, position: int) -> Any:
    if token.name not in node and token.optional:
        is_last = position == len(pointer.tokens) - 1
        return None if is_last else empty_for(pointer, position + 1)
    return node[key_position(token, node, pointer.upto(position))]


def _find_item(token: Index | Match, items: list[Any], place: str) -> Any:
    if isinstance(token, Match) and token.optional and not matches(token, items):
        return {token.key: token.value}
    return items[item_position(token, items, place)]


def empty_for(pointer: Pointer, position: int) -> dict[Any, Any] | list[Any]:
    """Return the empty map or list that the token at `position` can go into."""
    token = pointer.tokens[position]
    if isinstance(token, Key):
        return {}
    if isinstance(token, (Match, AfterLast)):
        return []
    raise ReleaseError(
        "Expected to find key, matching index or after last index token at path "
        f"'{pointer.upto(position)}'"
    )
