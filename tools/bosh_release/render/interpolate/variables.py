"""The values of a manifest's `((variables))`: files, single assignments, and which one wins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.records import node_kind, text_of
from bosh_release.yaml.untyped import parse_nodes, parse_yaml, read_text
from bosh_release.yaml.values import Values


def collect(
    vars_files: Sequence[Path], var_files: Sequence[str], assignments: Sequence[str]
) -> dict[str, Any]:
    """Return the values of -l, --var-file and -v; later ones win, in this order, as in the CLI.

    Names may have dots (see variable_names). `var_files` are `name=path`, `assignments` are
    `name=value`. Raises ReleaseError; its message never holds a value.
    """
    given: dict[str, Any] = {}
    for file in vars_files:
        given.update(_parse_vars_file(read_text(file), str(file)))
    for assignment in var_files:
        name, path = _split(assignment, "--var-file", "name=path")
        given[name] = _read_value(Path(path))
    for assignment in assignments:
        name, value = _split(assignment, "-v", "name=value")
        given[name] = _parse_value(name, value)
    return given


def _parse_vars_file(content: str, file: str) -> dict[str, Any]:
    """Return names and values; a name is the text that was written, also where it is `y` or 1."""
    root = parse_nodes(content, file)
    values = Values(file)
    if root is None or (root.kind == "scalar" and values.scalar(root) is None):
        return {}
    if root.kind != "mapping":
        raise ReleaseError(f"{file}: a file of variables is a map, this is {node_kind(root)}")
    return {text_of(name, values) or "": values.of(value) for name, value in values.entries(root)}


def _read_value(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except OSError as error:
        raise ReleaseError(f"--var-file: {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ReleaseError(f"--var-file: {file}: not UTF-8 text") from error


def _split(assignment: str, option: str, form: str) -> tuple[str, str]:
    name, equals, value = assignment.partition("=")
    if not equals:  # what was given may be a value, so it is not repeated
        raise ReleaseError(f"{option} expects {form}; there is no = in what was given")
    if not name:
        raise ReleaseError(f"{option} expects {form}; the name is empty")
    if not value:
        raise ReleaseError(f"{option} {name}= is empty; for an empty string write {name}='\"\"'")
    return name, value


def _parse_value(name: str, value: str) -> Any:
    parsed = parse_yaml(value, f"-v {name}")
    if not isinstance(parsed, str):
        return parsed
    # YAML would fold the lines of a plain text, so the text is taken as it stands
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value
