"""The values of a manifest's `((variables))`: files, single assignments, and which one wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bosh_release.errors import ReleaseError
from bosh_release.yaml_input import kind_of, parse_yaml, read_yaml


def collect(
    vars_files: Sequence[Path], var_files: Sequence[str], assignments: Sequence[str]
) -> dict[str, Any]:
    """Return the values of -l, --var-file and -v; later ones win, in this order, as in the CLI.

    `var_files` are `name=path`, `assignments` are `name=value`. Raises ReleaseError; its message
    never holds a value.
    """
    given: dict[str, Any] = {}
    for file in vars_files:
        given.update(_read_vars_file(file))
    for assignment in var_files:
        name, path = _split(assignment, "--var-file", "name=path")
        given[name] = _read_text(Path(path))
    for assignment in assignments:
        name, value = _split(assignment, "-v", "name=value")
        given[name] = _parse_value(name, value)
    return _nested(given)


def _read_vars_file(file: Path) -> dict[str, Any]:
    content = read_yaml(file)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ReleaseError(f"{file}: a file of variables is a map, this is {kind_of(content)}")
    for name in content:
        if not isinstance(name, str):
            raise ReleaseError(f"{file}: the variable name {name!r} is not a string; quote it")
    return content


def _read_text(file: Path) -> str:
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


def _nested(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return `a.b: 1` as `a: {b: 1}`, which `((a.b))` and `((a))` find."""
    nested: dict[str, Any] = {}
    for name, value in given.items():
        *parents, last = name.split(".")
        holder = nested
        for parent in parents:
            below = holder.get(parent)
            holder[parent] = dict(below) if isinstance(below, dict) else {}
            holder = holder[parent]
        holder[last] = value
    return nested
