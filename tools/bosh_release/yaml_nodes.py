"""Parses the first document of a YAML file into nodes that remember how they were written.

Without recursion, so that a deeply nested file from somewhere else cannot overflow the stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from bosh_release.errors import ReleaseError
from bosh_release.yaml_scalars import tag_of

# libyaml, where PyYAML has it, is faster and words its errors as the CLI's library does
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 1_000  # libyaml's time grows with the square of the depth
_STANDARD = "tag:yaml.org,2002:"


class Node:
    """A scalar, sequence or mapping; a mapping's children are keys and values by turns."""

    def __init__(
        self, kind: str, line: int, tag: str = "", value: str = "", *, plain: bool = False
    ) -> None:
        self.kind = kind
        self.line = line  # counted from 1
        self.tag = tag  # as written, short: `!!str`
        self.value = value
        self.plain = plain  # a scalar without quotes
        self.children: list[Node] = []

    @property
    def resolved_tag(self) -> str:
        """The tag that was written, or else the one that the value has."""
        if self.kind != "scalar":
            return "!!seq" if self.kind == "sequence" else "!!map"
        return self.tag or (tag_of(self.value) if self.plain else "!!str")

    @property
    def pairs(self) -> Iterator[tuple[Node, Node]]:
        """Keys and values of a mapping."""
        return zip(self.children[::2], self.children[1::2], strict=True)


def first_document(source: bytes) -> Node | None:
    """Return the root of the first document, or None if there is none.

    Raises ReleaseError, worded `yaml: line N: …` as in the CLI.
    """
    loader = None
    try:
        loader = _Loader(source)
        return _compose(loader)
    except yaml.MarkedYAMLError as error:
        raise ReleaseError(f"yaml: {_where(error)}{error.problem}") from error
    except yaml.YAMLError as error:
        reason = getattr(error, "reason", None) or str(error).splitlines()[0]
        raise ReleaseError(f"yaml: {reason}") from error
    finally:
        if loader is not None:
            loader.dispose()


def _compose(loader: Any) -> Node | None:
    top = Node("sequence", 0)
    open_nodes = [top]
    anchors: dict[str, Node] = {}
    while True:
        event = loader.get_event()
        if isinstance(event, (yaml.DocumentEndEvent, yaml.StreamEndEvent)):
            return top.children[0] if top.children else None
        if isinstance(event, yaml.CollectionEndEvent):
            open_nodes.pop()
        elif isinstance(event, yaml.NodeEvent):
            node = _node(event, anchors)
            open_nodes[-1].children.append(node)
            if isinstance(event, yaml.CollectionStartEvent):
                open_nodes.append(node)
                if len(open_nodes) > _DEEPEST:
                    raise ReleaseError(f"yaml: exceeded max depth of {_DEEPEST}")


def _node(event: Any, anchors: dict[str, Node]) -> Node:
    if isinstance(event, yaml.AliasEvent):
        if event.anchor not in anchors:
            raise ReleaseError(f"yaml: unknown anchor '{event.anchor}' referenced")
        return anchors[event.anchor]
    line = event.start_mark.line + 1
    tag = (event.tag or "").replace(_STANDARD, "!!")
    if isinstance(event, yaml.ScalarEvent):
        node = Node("scalar", line, tag, event.value, plain=event.implicit[0])
    else:
        kind = "sequence" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
        node = Node(kind, line, tag)
    if event.anchor is not None:
        anchors[event.anchor] = node
    return node


def _where(error: yaml.MarkedYAMLError) -> str:
    """Name the line as go-yaml does: the parser's counts from 0, the scanner's from 1."""
    line = 0
    if error.problem_mark is not None and error.problem_mark.line:
        line = error.problem_mark.line + isinstance(error, yaml.scanner.ScannerError)
    elif error.context_mark is not None:
        line = error.context_mark.line
    return f"line {line}: " if line else ""
