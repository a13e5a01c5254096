"""The release tools' rooms: each imports only from those below it, and no command from another."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import bosh_release

HOUSE = Path(bosh_release.__file__).parent
SHARED = ("support", "yaml", "source", "tarball", "command_line")
COMMANDS = ("blobs", "build", "render", "sbom", "verify")
OF_RENDER = ("interpolate", "ruby", "manifest", "jobs", "output")
MOST_FILES = 15


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield the names that a file imports of the tools, at its head or later, split at the dots."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (tuple(name.split("."))[1:] for name in names if name.startswith(HOUSE.name))


def test_every_module_is_in_a_room():
    outside = {"__init__.py", "cli.py", "__pycache__", *SHARED, *COMMANDS}
    assert {path.name for path in HOUSE.iterdir()} <= outside


def test_a_room_imports_only_from_those_below_it():
    below = {room: SHARED[: floor + 1] for floor, room in enumerate(SHARED)}
    below |= {command: (*SHARED, command) for command in COMMANDS}
    for room, allowed in below.items():
        for path in (HOUSE / room).rglob("*.py"):
            for name in imported(path):
                assert name[0] in allowed, (path, name)


def test_a_room_of_render_imports_only_from_those_below_it():
    for floor, room in enumerate(OF_RENDER):
        allowed = [("render", one) for one in OF_RENDER[: floor + 1]]
        for path in (HOUSE / "render" / room).rglob("*.py"):
            for name in imported(path):
                assert name[0] != "render" or name[:2] in allowed, (path, name)


def test_no_room_is_crowded():
    for folder in {path.parent for path in HOUSE.rglob("*.py")}:
        assert sum(path.is_file() for path in folder.iterdir()) <= MOST_FILES, folder
