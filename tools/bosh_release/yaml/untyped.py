"""Reads the YAML that operators write, as the BOSH CLI reads it: yaml.values has the rules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.nodes import Node, YamlSyntaxError, first_document
from bosh_release.yaml.values import Values


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds, None for an empty one; raises ReleaseError with the line."""
    return parse_yaml(read_text(path), str(path))


def read_text(path: Path) -> str:
    """Return the content of a file in UTF-8; raises ReleaseError with the line."""
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise ReleaseError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ReleaseError(f"{path}:{line}: not UTF-8 text") from error


def parse_yaml(text: str, name: str) -> Any:
    """Return what YAML text holds; `name` stands in messages where a path would.

    Only the first document counts. Messages quote keys but never values: those may be secrets.
    """
    return parse_with_notes(text, name)[0]


def parse_with_notes(text: str, name: str) -> tuple[Any, Sequence[str]]:
    """Return what YAML text holds, and what a person should know of it."""
    node = parse_nodes(text, name)
    values = Values(name)
    return (None if node is None else values.of(node)), values.notes


def parse_nodes(text: str, name: str) -> Node | None:
    """Return the root of the first document, None where there is none."""
    try:
        return first_document(text.encode())
    except YamlSyntaxError as error:
        line = f":{error.line}" if error.line else ""
        raise ReleaseError(f"{name}{line}: not valid YAML: {error.problem}") from None
