"""Names of variables with dots: what they stand for, and which the BOSH CLI gets wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bosh_release.support.errors import ReleaseError


def nested(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return `a.b: 1` as `a: {b: 1}`, which `((a.b))` and `((a))` find."""
    _check_names(given)
    nested: dict[str, Any] = {}
    for name, value in given.items():
        *parents, last = name.split(".")
        holder = nested
        for parent in parents:
            holder = holder.setdefault(parent, {})
        holder[last] = value
    return nested


def _check_names(names: Mapping[str, Any]) -> None:
    """Refuse names of which the CLI takes one by chance, or at which it crashes by chance.

    It looks for each part of a name that has dots among the first parts of all names.
    """
    first = {name.partition(".")[0]: name for name in names}
    taken: dict[tuple[str, ...], str] = {}
    for name in names:
        parts = name.split(".")
        if len(parts) == 1:
            continue
        others = [first[part] for part in parts[1:-1] if part in first]
        if parts[0] in names:
            others.append(parts[0])
        if tuple(parts[:2]) in taken:
            others.append(taken[tuple(parts[:2])])
        if others:
            raise _clash(name, others[0])
        taken[tuple(parts[:2])] = name


def _clash(name: str, other: str) -> ReleaseError:
    return ReleaseError(
        f"the BOSH CLI cannot take the variables '{name}' and '{other}' side by side: which one "
        f"it sees is chance; give '{name.partition('.')[0]}' as one map"
    )
