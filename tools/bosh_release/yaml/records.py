"""Decodes YAML nodes where the BOSH CLI wants a text or a record and not just any value."""

from __future__ import annotations

from bosh_release.yaml.nodes import Node
from bosh_release.yaml.values import Values


def node_kind(node: Node) -> str:
    """Name the kind of a node for a message."""
    return {"mapping": "a map", "sequence": "an array"}.get(node.kind, "a scalar")


def text_of(node: Node, values: Values) -> str | None:
    """Return a scalar as the text that was written, None for null; raises ReleaseError."""
    if node.kind != "scalar":
        raise values.error(node, f"{node_kind(node)} where a text belongs")
    value = values.scalar(node)
    if value is None:
        return None
    return value if isinstance(value, str) else node.value


def is_nothing(node: Node) -> bool:
    """Tell whether go-yaml leaves a field as unset.

    That is not what it takes for null: it is also for the quoted "null", but not for Null.
    """
    if node.tag:
        return node.tag == "!!null"
    return node.kind == "scalar" and (
        node.value in ("null", "~") or (not node.value and node.plain)
    )
