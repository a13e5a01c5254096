"""Parses the first document of a YAML file into nodes that remember how they were written.

Without recursion, so that a deeply nested file from somewhere else cannot overflow the stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.scalars import tag_of

# libyaml, where PyYAML has it, is faster and words its errors as the CLI's library does
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 1_000  # libyaml's time grows with the square of the depth
_STAND_IN = "\uf8ff"  # for a colon; no one writes this character
_MOST_STAND_INS = 1_000  # the text is scanned anew for each
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
        self.aliases: set[int] = set()  # which of the children were written as `*name`

    def add(self, child: Node, *, is_alias: bool = False) -> None:
        """Add a child, which may be that of another node as well."""
        if is_alias:
            self.aliases.add(len(self.children))
        self.children.append(child)

    @property
    def resolved_tag(self) -> str:
        """The tag that was written, or else the one that the value has."""
        if self.kind != "scalar":
            return "!!seq" if self.kind == "sequence" else "!!map"
        return self.tag or (tag_of(self.value) if self.plain else "!!str")

    @property
    def is_merge(self) -> bool:
        """Tell whether this key stands for the entries of other mappings."""
        written = self.plain or self.tag == "!!merge"
        return self.kind == "scalar" and self.value == "<<" and written

    @property
    def pairs(self) -> Iterator[tuple[Node, Node]]:
        """Keys and values of a mapping."""
        return zip(self.children[::2], self.children[1::2], strict=True)


class YamlSyntaxError(ReleaseError):
    """Text that is not YAML; the message is the CLI's, `line` (from 1) what a person looks for."""

    def __init__(self, message: str, problem: str, line: int | None = None) -> None:
        super().__init__(message)
        self.problem = problem
        self.line = line


def first_document(source: bytes) -> Node | None:
    """Return the root of the first document, or None if there is none.

    Raises YamlSyntaxError, worded `yaml: line N: …` as in the CLI.
    """
    try:
        return _parse(source)
    except yaml.MarkedYAMLError as error:
        problem = error.problem or "it ends too early"
        message = f"yaml: {_where(error)}{error.problem}"
        raise YamlSyntaxError(message, problem, _line_to_look_at(error, source)) from error
    except yaml.reader.ReaderError as error:
        line = source[: error.position].count(b"\n") + 1
        problem = error.reason
        if isinstance(error.character, int):
            problem = f"the character U+{error.character:04X} is not allowed"
        raise YamlSyntaxError(f"yaml: {error.reason}", problem, line) from error


def _parse(source: bytes) -> Node | None:
    """Parse with libyaml, which refuses the text `a:` in `[a:]`; go-yaml v2 reads it."""
    if _STAND_IN in source.decode(errors="replace"):
        return _compose(source)
    for _ in range(_MOST_STAND_INS):
        try:
            return _compose(source)
        except yaml.MarkedYAMLError as error:
            if error.problem != "found unexpected ':'" or error.problem_mark is None:
                raise
            text, at = source.decode(), error.problem_mark.index
            source = (text[:at] + _STAND_IN + text[at + 1 :]).encode()
    return _compose(source)


def _compose(source: bytes) -> Node | None:
    loader = _Loader(source)
    try:
        return _root(loader, source)
    finally:
        loader.dispose()


def _root(loader: Any, source: bytes) -> Node | None:
    top = Node("sequence", 0)
    open_nodes = [top]
    flow_level = 0
    anchors: dict[str, Node] = {}
    while True:
        event = loader.get_event()
        _check_as_go_does(event, source, in_flow=flow_level > 0)
        if isinstance(event, (yaml.DocumentEndEvent, yaml.StreamEndEvent)):
            return top.children[0] if top.children else None
        if isinstance(event, yaml.CollectionEndEvent):
            open_nodes.pop()
            flow_level -= flow_level > 0
        elif isinstance(event, yaml.NodeEvent):
            node = _node(event, anchors)
            open_nodes[-1].add(node, is_alias=isinstance(event, yaml.AliasEvent))
            if isinstance(event, yaml.CollectionStartEvent):
                flow_level += bool(flow_level or event.flow_style)
                open_nodes.append(node)
                if len(open_nodes) > _DEEPEST:
                    raise _fault(f"exceeded max depth of {_DEEPEST} levels", event)


def _check_as_go_does(event: Any, source: bytes, *, in_flow: bool) -> None:
    r"""Refuse what libyaml has learnt and go-yaml v2 has not.

    That is version 1.2, the escape `\/`, and a `?` in `{path: /a?}`.
    """
    if getattr(event, "version", None) not in (None, (1, 1)):
        raise _fault("found incompatible YAML document", event)
    if not isinstance(event, yaml.ScalarEvent):
        return
    if in_flow and event.style in (None, "") and "?" in event.value:
        raise _fault("found ? in a text without quotes inside [] or {}", event)
    if event.style == '"' and "/" in event.value:
        start: Any = event.start_mark
        end: Any = event.end_mark
        written = source.decode()[start.index : end.index]
        if any(escape[0] == r"\/" for escape in re.finditer(r"\\.", written, re.DOTALL)):
            raise _fault("found unknown escape character", event)


def _fault(problem: str, event: Any) -> YamlSyntaxError:
    mark: Any = event.start_mark
    line = int(mark.line) + 1
    return YamlSyntaxError(f"yaml: line {line}: {problem}", problem, line)


def _node(event: Any, anchors: dict[str, Node]) -> Node:
    mark: Any = event.start_mark
    line = int(mark.line) + 1
    if isinstance(event, yaml.AliasEvent):
        if event.anchor not in anchors:
            message = f"yaml: unknown anchor '{event.anchor}' referenced"
            problem = "unknown alias (quote a text that begins with *)"
            raise YamlSyntaxError(message, problem, line)
        return anchors[event.anchor]
    tag = (event.tag or "").replace(_STANDARD, "!!")
    if isinstance(event, yaml.ScalarEvent):
        value = event.value.replace(_STAND_IN, ":")
        node = Node("scalar", line, tag, value, plain=event.implicit[0])
    else:
        kind = "sequence" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
        node = Node(kind, line, tag)
    if event.anchor is not None:
        anchors[event.anchor] = node
    return node


def _line_to_look_at(error: yaml.MarkedYAMLError, source: bytes) -> int | None:
    """Return where the problem is, or where what is never closed begins."""
    mark: Any = error.problem_mark or error.context_mark
    if mark is None:
        return None
    if error.context_mark is not None and mark.index >= len(source.decode().rstrip()):
        mark = error.context_mark
    return int(mark.line) + 1


def _where(error: yaml.MarkedYAMLError) -> str:
    """Name the line as go-yaml does: the parser's counts from 0, the scanner's from 1."""
    line = 0
    if error.problem_mark is not None and error.problem_mark.line:
        line = error.problem_mark.line + isinstance(error, yaml.scanner.ScannerError)
    elif error.context_mark is not None:
        line = error.context_mark.line
    return f"line {line}: " if line else ""
