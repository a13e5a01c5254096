"""Reads the operations of an ops file as the BOSH CLI does.

Keys that go-patch does not know are passed over, a file without content has no operations, and
`value: null` is no value (though `value: Null` is one: go-yaml tells them apart).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bosh_release.render.interpolate.pointers import Pointer, parse_pointer
from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.nodes import Node
from bosh_release.yaml.records import is_nothing, node_kind, text_of
from bosh_release.yaml.untyped import parse_nodes
from bosh_release.yaml.values import Values

_KINDS = ("replace", "remove", "test")


@dataclass(frozen=True)
class Operation:
    """One operation; `value` is None where none is given, which only `test` with absent may."""

    kind: str
    path: Pointer
    value: Any = None
    absent: bool = False


def parse_operations(text: str, name: str) -> list[Operation]:
    """Return the operations of an ops file's text; `name` is the file's.

    Raises ReleaseError with the file and the line or the operation's number.
    """
    root = parse_nodes(text, name)
    values = Values(name)
    if root is None or (root.kind == "scalar" and values.scalar(root) is None):
        return []
    if root.kind != "sequence":
        kind = node_kind(root)
        raise ReleaseError(f"{name}: an ops file is a list of operations, this is {kind}")
    operations = []
    for number, node in enumerate(root.children):
        try:
            operations.append(_operation(node, values))
        except _FaultyError as error:
            raise ReleaseError(f"operation [{number}] in {name} failed: {error}") from error
    return operations


class _FaultyError(ReleaseError):
    """An operation that makes no sense, wherever it stands."""


@dataclass
class _Fields:
    """The fields of an operation as they are read, the last to be given last."""

    kind: str = ""
    path: str | None = None
    has_value: bool = False
    value: Any = None
    absent: bool | None = None

    def set(self, name: str, node: Node, values: Values) -> None:
        """Read a field; others than go-patch's are passed over."""
        if name == "type":
            self.kind = text_of(node, values) or ""
        elif name == "path":
            self.path = _path(node, values)
        elif name == "value":
            self.has_value = not _is_unset(node, values)
            self.value = values.of(node) if self.has_value else None
        elif name == "absent":
            self.absent = None if _is_unset(node, values) else _flag(node, values)
        elif name == "error":
            text_of(node, values)


def _operation(node: Node, values: Values) -> Operation:
    found = _read_fields(node, values)
    if found.kind not in _KINDS:
        raise _FaultyError(f"Unknown type '{found.kind}'; known are replace, remove and test")
    if found.path is None:
        raise _FaultyError("Missing path")
    if found.kind == "replace" and not found.has_value:
        raise _FaultyError("Missing value")
    if found.kind == "remove" and found.has_value:
        raise _FaultyError("Cannot specify value")
    if found.kind == "test" and not found.has_value and found.absent is None:
        raise _FaultyError("Missing value or absent")
    try:
        path = parse_pointer(found.path)
    except ReleaseError as error:
        raise _FaultyError(f"Invalid path: {error}") from error
    return Operation(found.kind, path, found.value, found.absent or False)


def _read_fields(node: Node, values: Values) -> _Fields:
    fields = _Fields()
    if node.kind == "mapping":
        for key, value in values.entries(node):
            fields.set(text_of(key, values) or "", value, values)
    elif node.kind != "scalar" or values.scalar(node) is not None:
        raise _FaultyError(f"Expected an operation to be a map but found {node_kind(node)}")
    return fields


def _path(node: Node, values: Values) -> str | None:
    found = text_of(node, values)
    return None if found is None and is_nothing(node) else found or ""


def _flag(node: Node, values: Values) -> bool:
    found = values.of(node)
    if found is None or isinstance(found, bool):
        return bool(found)
    raise values.error(node, "absent is true or false")


def _is_unset(node: Node, values: Values) -> bool:
    """Tell whether a field counts as not given.

    Of the texts "null" and "~" go-yaml makes neither nothing nor a value.
    """
    if not is_nothing(node):
        return False
    if values.scalar(node) is not None:
        raise values.error(node, f'the text "{node.value}" cannot stand here')
    return True
