"""Reads the YAML of a release folder into plain values, with the BOSH CLI's leniency and messages.

Text is taken as it stands (`name: 0x10` is the text "0x10"), unknown keys are skipped, and all
values of a wrong type are told at once. Only the first document of a file counts.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.nodes import Node, first_document
from bosh_release.yaml.scalars import BASE64, BOOLEANS

T = TypeVar("T")

# A few lines of aliases in aliases could stand for any number of values and `<<` keys.
_MOST_VALUES = 1_000_000
_MOST_MERGES = 10_000


class Problems(list[str]):
    """The faults of a document, and how much work its aliases and `<<` keys have made."""

    values = 0
    merges = 0


class Kind(Generic[T]):
    """A type of value: how the CLI names it, its empty value, and how a node becomes one."""

    def __init__(
        self, name: str, empty: Callable[[], T], decode: Callable[[Node, T, Problems], T]
    ) -> None:
        self.name = name
        self.empty = empty
        self.decode = decode

    def read(self, node: Node, into: T, problems: Problems) -> T:
        """Decode `node`; null is the empty value."""
        problems.values += 1
        if problems.values > _MOST_VALUES:
            raise ReleaseError("yaml: document contains excessive aliasing")
        is_null = node.resolved_tag == "!!null"
        return self.empty() if is_null else self.decode(node, into, problems)


def read_typed(source: bytes, kind: Kind[T]) -> T:
    """Decode the first document of `source`.

    Raises ReleaseError, worded `yaml: …`, for bad YAML and for values of a wrong type.
    """
    node = first_document(source)
    problems = Problems()
    try:
        value = kind.empty() if node is None else kind.read(node, kind.empty(), problems)
    except RecursionError as error:
        raise ReleaseError("yaml: an anchor's value contains itself") from error
    if problems:
        raise ReleaseError("yaml: unmarshal errors:\n  " + "\n  ".join(problems))
    return value


def _mismatch(node: Node, wanted: str) -> str:
    what = node.resolved_tag
    if node.kind == "scalar":
        value = node.value.encode(errors="surrogateescape")
        shown = value if len(value) <= 10 else value[:7] + b"..."
        what += f" `{shown.decode(errors='replace')}`"
    return f"line {node.line}: cannot unmarshal {what} into {wanted}"


def _decode_text(node: Node, into: str, problems: Problems) -> str:
    if node.kind == "scalar":
        return _unpacked(node.value) if node.tag == "!!binary" else node.value
    problems.append(_mismatch(node, "string"))
    return into


def _unpacked(base64_text: str) -> str:
    packed = "".join(base64_text.split())
    if not BASE64.fullmatch(packed):
        raise ReleaseError("yaml: !!binary value contains invalid base64 data")
    return base64.b64decode(packed).decode(errors="surrogateescape")


def _decode_flag(node: Node, into: bool, problems: Problems) -> bool:
    if node.resolved_tag == "!!bool" and node.value in BOOLEANS:
        return BOOLEANS[node.value]
    problems.append(_mismatch(node, "bool"))
    return into


def _decode_integer(node: Node, into: int, problems: Problems) -> int:
    if node.resolved_tag in ("!!int", "!!float"):
        try:
            return _whole(node.value.replace("_", ""))
        except (ValueError, OverflowError):  # infinite, or no number whatever its tag says
            pass
    problems.append(_mismatch(node, "int64"))
    return into


def _whole(number: str) -> int:
    try:
        return int(number, 0)
    except ValueError:  # octal without the o, or a float
        return int(number, 8) if number.isdecimal() else int(float(number))


def _skip(node: Node, _into: None, _problems: Problems) -> None:
    """Look only for what no value may have: a map or list as a key."""
    seen, waiting = set[int](), [node]
    while waiting:
        each = waiting.pop()
        if id(each) not in seen:
            seen.add(id(each))
            waiting += each.children
            if each.kind == "mapping" and any(key.kind != "scalar" for key, _ in each.pairs):
                raise ReleaseError(f"yaml: line {each.line}: invalid map key: a list or a map")


TEXT = Kind("string", str, _decode_text)
FLAG = Kind("bool", bool, _decode_flag)
INTEGER = Kind("int64", int, _decode_integer)
ANYTHING: Kind[None] = Kind("interface {}", lambda: None, _skip)


def list_of(item: Kind[T]) -> Kind[list[T]]:
    """Describe a list whose elements are all of one kind."""
    name = f"[]{item.name}"

    def decode(node: Node, into: list[T], problems: Problems) -> list[T]:
        if node.kind == "sequence":
            return [item.read(child, item.empty(), problems) for child in node.children]
        problems.append(_mismatch(node, name))
        return into

    return Kind(name, list, decode)


def map_of(value: Kind[T], name: str | None = None) -> Kind[dict[str, T]]:
    """Describe a map from text to values of one kind."""
    name = name or f"map[string]{value.name}"

    def put(key: str, child: Node, into: dict[str, T], problems: Problems) -> None:
        into[key] = value.read(child, value.empty(), problems)

    return Kind(name, dict, _mapping_decoder(name, put))


def record_of(fields: Mapping[str, Kind[Any]], name: str) -> Kind[dict[str, Any]]:
    """Describe a map with known keys; a key that is missing or null gets its kind's empty value."""

    def empty() -> dict[str, Any]:
        return {key: kind.empty() for key, kind in fields.items()}

    def put(key: str, child: Node, into: dict[str, Any], problems: Problems) -> None:
        if key in fields:
            into[key] = fields[key].read(child, into[key], problems)

    return Kind(name, empty, _mapping_decoder(name, put))


def _mapping_decoder(
    name: str, put: Callable[[str, Node, dict[str, T], Problems], None]
) -> Callable[[Node, dict[str, T], Problems], dict[str, T]]:
    def decode(node: Node, into: dict[str, T], problems: Problems) -> dict[str, T]:
        if node.kind != "mapping":
            problems.append(_mismatch(node, name))
            return into
        for key, child in node.pairs:
            if key.is_merge:
                # like the CLI, also over keys that stand before it
                for source in _merged(child, problems):
                    decode(source, into, problems)
            else:
                put(TEXT.read(key, "", problems), child, into, problems)
        return into

    return decode


def _merged(node: Node, problems: Problems) -> list[Node]:
    """Return the mappings that `<<` brings in; of several, earlier ones win."""
    problems.merges += 1
    if problems.merges > _MOST_MERGES:
        raise ReleaseError("yaml: document contains excessive aliasing")
    sources = node.children[::-1] if node.kind == "sequence" else [node]
    if any(source.kind != "mapping" for source in sources):
        raise ReleaseError("yaml: map merge requires map or sequence of maps as the value")
    return sources
