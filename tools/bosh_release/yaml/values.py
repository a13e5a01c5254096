"""Decodes YAML nodes into values as the BOSH CLI does, and remembers where each text stood.

Later entries of a map win over earlier ones, `<<` among them; tags that YAML itself does not know
are passed over; an alias becomes a copy, so that changing one leaves the other.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.nodes import Node
from bosh_release.yaml.scalars import BASE64, Scalar, resolve

# As Ruby's JSON, by default; it also keeps everything that walks a document from running deep.
_DEEPEST = 100
# A few lines of YAML with aliases can stand for gigabytes. go-yaml allows 99 % of the values to
# come from aliases in small documents, 10 % in large ones.
_FEW, _MANY = 400_000, 4_000_000
_NEWLINES = str.maketrans("", "", "\r\n")


class Text(str):
    """A string that knows the file and line it comes from; `place` is `manifest.yml:7`."""

    place: str = ""


@dataclass(frozen=True)
class OtherKey:
    """A key of a map that is no text: to Python 1, 1.0 and True would be one."""

    value: Scalar

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OtherKey):
            return NotImplemented
        return type(self.value) is type(other.value) and self.value == other.value

    def __str__(self) -> str:
        names = {None: "null", True: "true", False: "false"}
        is_word = self.value is None or isinstance(self.value, bool)
        return names[self.value] if is_word else str(self.value)  # type: ignore[index]


def key_of(value: Scalar) -> str | OtherKey:
    """Return what stands for a scalar as the key of a map."""
    return value if isinstance(value, str) else OtherKey(value)


def scalar_of(key: str | OtherKey) -> Scalar:
    """Return the scalar that a key of a map stands for."""
    return key.value if isinstance(key, OtherKey) else key


def text(value: str, place: str) -> Text:
    """Return a string that knows its place."""
    placed = Text(value)
    placed.place = place
    return placed


def place_of(value: Any) -> str:
    """Return where a key or text stood, or "" for what does not come from a file."""
    return value.place if isinstance(value, Text) else ""


def kind_of(value: Any) -> str:
    """Name the kind of a value for a message: "a map", "a string"."""
    # bool before int, of which it is a kind
    kinds = {dict: "a map", list: "an array", bool: "a boolean", int: "an integer"}
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return "a string"
    named = next((name for kind, name in kinds.items() if isinstance(value, kind)), None)
    return named or ("a number" if isinstance(value, float) else f"a {type(value).__name__}")


class Values:
    """Decodes the nodes of one document; `name` is its file's, for messages."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._decoded = 0
        self._aliased = 0
        self._seen: set[int] = set()
        self._open: set[int] = set()
        self.notes: list[str] = []  # what the CLI passes over in silence

    def of(self, node: Node, depth: int = 0) -> Any:
        """Return the value of a node; raises ReleaseError, which quotes keys but never values."""
        self._count(node)
        if depth > _DEEPEST:
            raise self.error(node, f"nested more than {_DEEPEST} levels deep")
        if node.kind == "scalar":
            return self.scalar(node)
        if id(node) in self._open:
            raise self.error(node, "an anchor's value contains itself")
        self._open.add(id(node))
        try:
            if node.kind == "sequence":
                return [self.of(item, depth + 1) for item in node.children]
            return self._map(node, depth)
        finally:
            self._open.remove(id(node))

    def scalar(self, node: Node) -> Any:
        """Return the value of a scalar node."""
        if not node.tag and not node.plain:
            return text(node.value, self.place(node))
        try:
            tag, value = resolve(node.value, node.tag)
        except ValueError as error:
            raise self.error(node, f"{error}, whatever its tag says") from None
        if tag == "!!binary":
            return text(self._unpacked(node), self.place(node))
        return text(value, self.place(node)) if isinstance(value, str) else value

    def entries(self, node: Node) -> Iterator[tuple[Node, Node]]:
        """Yield keys and values of a mapping with what `<<` brings in, the last to count last."""
        for position, (key, value) in enumerate(node.pairs):
            if not key.is_merge:
                yield key, value
                continue
            # a list may not be an alias, its items may; of several, earlier ones win
            is_list = value.kind == "sequence" and 2 * position + 1 not in node.aliases
            for source in value.children[::-1] if is_list else [value]:
                if source.kind != "mapping":
                    raise self.error(value, "<< needs a map or a list of maps")
                self._count(source)
                if id(source) in self._open:
                    raise self.error(source, "an anchor's value contains itself")
                self._open.add(id(source))
                yield from self.entries(source)
                self._open.remove(id(source))

    def place(self, node: Node) -> str:
        """Return file and line of a node."""
        return f"{self._name}:{node.line}"

    def error(self, node: Node, problem: str) -> ReleaseError:
        """Return what is wrong with a node, as an error."""
        return ReleaseError(f"{self.place(node)}: not valid YAML: {problem}")

    def _map(self, node: Node, depth: int) -> dict[Any, Any]:
        entries: dict[Any, Any] = {}
        self._note_repeated_keys(node)
        for key_node, value_node in self.entries(node):
            if key_node.kind != "scalar":
                raise self.error(key_node, "a list or map cannot be a key")
            key = key_of(self.of(key_node, depth + 1))
            if isinstance(key, OtherKey) and key.value != key.value:
                raise self.error(key_node, "NaN cannot be a key, it is not even equal to itself")
            value = self.of(value_node, depth + 1)
            entries.pop(key, None)  # so that the key, too, is the last one's, with its place
            entries[key] = value
        return entries

    def _note_repeated_keys(self, node: Node) -> None:
        own = [key for key, _ in node.pairs if key.kind == "scalar" and not key.is_merge]
        if len({key.value for key in own}) == len(own):
            return
        seen = set[Any]()
        for each in own:
            key = key_of(self.scalar(each))
            if key in seen:
                self.notes.append(
                    f"{self.place(each)}: the key '{key}' is given twice, this counts"
                )
            seen.add(key)

    def _unpacked(self, node: Node) -> str:
        """Decode base64 as strictly as Go, which lets only line ends pass."""
        packed = node.value.translate(_NEWLINES)
        if not BASE64.fullmatch(packed):
            raise self.error(node, "not base64, whatever its !!binary says")
        return base64.b64decode(packed).decode(errors="surrogateescape")

    def _count(self, node: Node) -> None:
        self._decoded += 1
        self._aliased += id(node) in self._seen
        self._seen.add(id(node))
        share = min(max((self._decoded - _FEW) / (_MANY - _FEW), 0.0), 1.0)
        if self._decoded > 1000 and self._aliased > (0.99 - 0.89 * share) * self._decoded:
            raise ReleaseError(f"{self._name}: its aliases stand for too much to be read")
