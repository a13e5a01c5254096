"""The properties of a manifest that a job sees: those its spec declares, with their defaults."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bosh_release.render.ruby.values import Symbol
from bosh_release.support.errors import ReleaseError
from bosh_release.support.spelling import nearest
from bosh_release.yaml.values import OtherKey, kind_of, place_of, scalar_of


def bind(defaults: Mapping[str, Any], given: Any, place: str = "") -> dict[str, Any]:
    """Return the nested properties a director hands to templates.

    `defaults` has every declared name, dotted. null in the manifest means the default; false is
    kept. Raises ReleaseError where something else stands in the place of a map; `place` is where
    the job stands.
    """
    bound: dict[str, Any] = {}
    for name, default in defaults.items():
        value = _look_up(given, name, place)
        _put(bound, name, sorted_maps(default if value is None else value))
    return bound


def _look_up(given: Any, name: str, place: str) -> Any:
    node = given
    for key in name.split("."):
        if not isinstance(node, dict):
            raise ReleaseError(
                f"{_at(place_of(node) or place)}Property '{name}' expects a hash, "
                f"but received '{_ruby_class(node)}'"
            )
        node = node.get(key)
        if node is None:
            return None
    return node


def _ruby_class(node: Any) -> str:
    """Name the class as the director's message does."""
    if isinstance(node, bool):
        return "TrueClass" if node else "FalseClass"
    classes = {str: "String", int: "Integer", float: "Float", list: "Array", Symbol: "Symbol"}
    return next(name for kind, name in classes.items() if isinstance(node, kind))


def _at(place: str) -> str:
    return f"{place}: " if place else ""


def _put(bound: dict[str, Any], name: str, value: Any) -> None:
    *parents, last = name.split(".")
    holder = bound
    for parent in parents:
        below = holder.get(parent)
        if below is None:
            below = holder[parent] = {}
        if not isinstance(below, dict):
            raise ReleaseError(f"The spec declares '{name}' inside a property that is not a map")
        holder = below
    holder[last] = value


def sorted_maps(value: Any) -> Any:
    """Return a copy with the keys of maps in order, but not of maps in lists, as the director."""
    if not isinstance(value, dict):
        return value
    return {key: sorted_maps(value[key]) for key in _in_ruby_order(value)}


def _in_ruby_order(entries: Mapping[Any, Any]) -> list[Any]:
    """Sort keys, if Ruby can compare them: texts with one another, Symbols and numbers as well."""
    if all(isinstance(key, str) for key in entries):
        return sorted(entries)
    keys = {key: scalar_of(key) for key in entries}
    kinds = {"number" if type(key) in (int, float) else type(key) for key in keys.values()}
    if len(keys) > 1 and (len(kinds) > 1 or kinds <= {bool, type(None)}):
        raise ReleaseError(
            f"A director cannot sort the keys {', '.join(sorted(map(str, keys)))} of one map: "
            "they are not all texts; quote them"
        )
    return sorted(keys, key=lambda key: str(key) if isinstance(key, Symbol) else keys[key] or 0)


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both maps in one; where both have a map these are merged, else `above` wins."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = merge(old, value) if both and isinstance(old, dict) else value
    return merged


def undeclared(job: str, defaults: Mapping[str, Any], given: Any) -> list[str]:
    """Return a sentence for every property that the spec does not declare, with the nearest name.

    A director passes over these in silence.
    """
    parents = _parents(defaults)
    known = [*defaults, *sorted(parents)]
    return [
        f"{_at(place)}Job '{job}' does not declare the property '{name}' in the release spec"
        f"{nearest(name, known)}"
        for name, place in _outside(given, "", frozenset(defaults), parents)
    ]


def _parents(declared: Iterable[str]) -> frozenset[str]:
    return frozenset(
        name.rsplit(".", levels)[0] for name in declared for levels in range(1, name.count(".") + 1)
    )


def _outside(
    node: Any, prefix: str, declared: frozenset[str], parents: frozenset[str]
) -> Iterator[tuple[str, str]]:
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        name = f"{prefix}{key}"
        if name in declared:
            continue
        if name in parents:
            yield from _outside(value, f"{name}.", declared, parents)
        else:
            yield name, place_of(key)


def check_keys(node: Any, path: str = "") -> None:
    """Raise ReleaseError for a key that is not a string.

    create-env refuses these, and in a director's templates `properties` cannot be made of them.
    """
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(key, OtherKey):
                raise ReleaseError(
                    f"Property '{path}' has the key {key}, which YAML reads as "
                    f"{kind_of(key.value)}; quote it"
                )
            check_keys(value, f"{path}.{key}" if path else key)
    elif isinstance(node, list):
        for item in node:
            check_keys(item, path)
