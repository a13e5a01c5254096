"""The mocked cloud's rooms, floor by floor: each imports only from itself and the floors below."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import mock_slb

HOUSE = Path(mock_slb.__file__).parent
FLOORS = (
    {"contract"},
    {"core"},
    {"http"},
    {"clb", "alb_nlb", "sts", "ecs", "signing"},
    {"account"},
    {"data_plane", "health"},
    {"gateway"},
    {"metadata", "page"},
    {"control"},
)
FRONT = {"__init__.py", "__main__.py", "server.py", "testing.py", "example.yml"}
"""What puts the rooms together, and is imported by none of them."""


def rooms_imported(path: Path) -> Iterator[str]:
    """The rooms that a file imports from, at its head or later, for use or only for types."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == HOUSE.name:
                yield rest.partition(".")[0]


def test_every_module_is_in_a_room():
    rooms = set().union(*FLOORS)
    found = {path.name for path in HOUSE.iterdir() if path.name != "__pycache__"}
    assert found == rooms | FRONT


def test_a_room_imports_only_from_itself_and_the_floors_below():
    for number, floor in enumerate(FLOORS):
        below = set().union(*FLOORS[:number])
        for room in floor:
            for path in (HOUSE / room).rglob("*.py"):
                assert set(rooms_imported(path)) <= {room} | below, path
