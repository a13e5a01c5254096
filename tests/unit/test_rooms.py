"""The agent's rooms, from the ground up: each imports only from those below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import slb_registration

HOUSE = Path(slb_registration.__file__).parent
ROOMS = (
    "model", "pacing", "reconcile", "support", "config", "instance", "probes", "cloud",
    "server_groups", "discovery", "preflight", "reporting", "membership", "agent", "commands",
)  # fmt: skip
PURE = ("model", "pacing", "reconcile")
NO_IO = {
    "__future__", "collections", "dataclasses", "enum", "ipaddress", "random", "types", "typing",
    "pathlib",  # the names of files; whoever opens them is another
}  # fmt: skip


def imported(path: Path) -> Iterator[str]:
    """What a file imports, at its head or later, for use or only for types."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room_of(name: str) -> str | None:
    """The room of a module of ours, None for one of others."""
    package, _, rest = name.partition(".")
    return rest.partition(".")[0] if package == HOUSE.name and rest else None


def test_every_module_is_in_a_room():
    places = {path.relative_to(HOUSE).parts[0] for path in HOUSE.rglob("*.py")}
    assert places == {"__init__.py", "__main__.py", *ROOMS}


def test_a_room_imports_only_from_those_below_it():
    for floor, room in enumerate(ROOMS):
        for path in (HOUSE / room).rglob("*.py"):
            for name in imported(path):
                below = room_of(name)
                assert below is None or below in ROOMS[: floor + 1], (path, name)


def test_what_decides_does_no_io():
    for room in PURE:
        for path in (HOUSE / room).rglob("*.py"):
            others = {name.partition(".")[0] for name in imported(path) if room_of(name) is None}
            assert others - {HOUSE.name} <= NO_IO, path


def test_the_pacing_has_one_door():
    """Nobody outside knows of windows and polls, and the registrar not even of backoff."""
    inside = {f"{HOUSE.name}.pacing.{name}" for name in ("windows", "polls")}
    for path in HOUSE.rglob("*.py"):
        used = {name.rpartition(".")[0] for name in imported(path)}
        assert not used & inside or path.parent.name == "pacing", path
    registrar = imported(HOUSE / "reconcile" / "registrar.py")
    paced = {name.rpartition(".")[0] for name in registrar if room_of(name) == "pacing"}
    assert paced == {f"{HOUSE.name}.pacing.{name}" for name in ("pacer", "quotas")}
