"""The section `variables` of a manifest, where values are declared for a director to generate.

It also matters to values that are given: the CLI takes the declaration out of the manifest, and
passes over the value of a variable whose declared options have variables without values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bosh_release.render.interpolate.ops import remove
from bosh_release.render.interpolate.pointers import Key, Match, Pointer
from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.nodes import Node
from bosh_release.yaml.records import node_kind, text_of
from bosh_release.yaml.untyped import parse_nodes
from bosh_release.yaml.values import Values
from bosh_release.yaml.writing import write_interpolated

_NAME = "the section variables"


@dataclass
class Definition:
    """A declared variable; `options` change as variables in them are replaced."""

    name: str
    type: str
    options: Any


def definitions_of(document: Any) -> list[Definition]:
    """Return what a manifest declares; raises ReleaseError where the CLI cannot read it.

    The CLI reads the section from the manifest as it writes it.
    """
    if not isinstance(document, dict):
        return []
    root = parse_nodes(write_interpolated(document).decode(), _NAME)
    values = Values(_NAME)
    found: Node | None = None
    for key, value in values.entries(root) if root is not None else ():
        if text_of(key, values) == "variables":
            found = value
    if found is None or (found.kind == "scalar" and values.scalar(found) is None):
        return []
    if found.kind != "sequence":
        raise ReleaseError(f"variables must be a list, this is {node_kind(found)}")
    return [_definition(node, values) for node in found.children]


def _definition(node: Node, values: Values) -> Definition:
    if node.kind == "scalar" and values.scalar(node) is None:
        return Definition("", "", None)
    if node.kind != "mapping":
        raise ReleaseError(f"each of the variables must be a map, this is {node_kind(node)}")
    fields = {text_of(key, values) or "": value for key, value in values.entries(node)}
    name, kind = (
        (text_of(fields[key], values) or "") if key in fields else "" for key in ("name", "type")
    )
    return Definition(name, kind, values.of(fields["options"]) if "options" in fields else None)


def without(document: Any, names: Sequence[str]) -> Any:
    """Return the document without the declarations of these variables; raises ReleaseError."""
    for name in names:
        tokens = (Key("variables"), Match("name", name))
        document = remove(document, Pointer(f"/variables/name={name}", tokens))
    return document
