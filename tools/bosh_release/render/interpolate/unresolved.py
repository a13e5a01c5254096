"""`((variables))` that have no value, and how a person is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bosh_release.support.errors import ReleaseError

Place = tuple[str | int, ...]  # the keys and positions that lead to a place in the manifest


@dataclass(frozen=True)
class Unresolved:
    """A `((name))` without a value: where it stands and what is wrong."""

    name: str
    path: Place
    place: str
    problem: str

    def __str__(self) -> str:
        place = f"{self.place}, " if self.place else ""
        return f"{self.name} ({place}{path_text(self.path)}){self.problem}"


def expect_all(unresolved: Sequence[Unresolved], document: Any) -> None:
    """Raise one ReleaseError that names every variable without a value, and where it stands."""
    if not unresolved:
        return
    generated = _declared_names(document)
    found = dict.fromkeys(f"{each}{_origin(each, generated)}" for each in unresolved)
    raise ReleaseError(
        "Expected to find variables:\n"
        + "\n".join(f"  - {description}" for description in found)
        + "\nGive their values in a YAML file with -l FILE (secrets belong there), or with -v."
    )


def _origin(found: Unresolved, generated: frozenset[str]) -> str:
    if found.problem or found.name.partition(".")[0] not in generated:
        return ""
    return "; under `variables`: a director would generate it, here it must be given"


def _declared_names(document: Any) -> frozenset[str]:
    declared = document.get("variables") if isinstance(document, dict) else None
    entries = declared if isinstance(declared, list) else []
    return frozenset(
        str(entry["name"]) for entry in entries if isinstance(entry, dict) and "name" in entry
    )


def path_text(path: Place) -> str:
    """Return a place in the manifest in words: instance_groups/0/jobs/0/properties/x."""
    return "/".join(str(part) for part in path)
