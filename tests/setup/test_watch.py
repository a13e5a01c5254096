"""`make watch`: which tests a change concerns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests import watch

TREE = {
    "release/src/agent/__init__.py": "",
    "release/src/agent/core.py": "",
    "release/src/agent/middle.py": "from agent import core\n",
    "release/src/agent/far.py": "def f():\n    import agent.middle\n",
    "release/src/agent/apart.py": "",
    "release/jobs/j/templates/run.erb": "",
    "tests/unit/agent/test_core.py": "from agent.core import x\nimport a, b, c, d\n",
    "tests/unit/agent/test_apart_from_all.py": "",
    "tests/unit/room/test_apart.py": "",
    "tests/unit/test_aaa.py": "from agent.core import x\n",
    "tests/unit/test_zzz.py": "from agent.core import x\nimport a, b\n",
    "tests/unit/room/test_far.py": "from agent.far import f\n",
    "tests/release/test_scripts.py": "RUN = 'run.erb'\n",
    "tests/faults/test_slow.py": "from agent.apart import x\n",
}


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """The names of the tests of a file in TREE."""
    for name, text in TREE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(watch, "ROOT", tmp_path)
    sources = (tmp_path / "release/src", tmp_path / "tools", tmp_path)
    monkeypatch.setattr(watch, "SOURCES", sources)
    return lambda name: [path.name for path in watch.concerned([tmp_path / name]).files]


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        # Of its own name first, then those that import the least besides.
        ("release/src/agent/core.py", ["test_core.py", "test_aaa.py", "test_zzz.py"]),
        # Through what imports it, wherever that does so.
        ("release/src/agent/middle.py", ["test_far.py"]),
        # Of its name alone.
        ("release/src/agent/apart.py", ["test_apart_from_all.py"]),
        ("release/src/agent/gone.py", []),
        ("tests/faults/test_slow.py", ["test_slow.py"]),
        ("tests/unit/test_gone.py", []),
        ("release/jobs/j/templates/run.erb", ["test_scripts.py"]),
    ],
)
def test_the_nearest_tests_are_chosen(
    changed: str, tests: list[str], chosen: Callable[[str], list[str]]
) -> None:
    assert chosen(changed) == tests


def test_what_is_left_out_is_counted(chosen: Callable[[str], list[str]], tmp_path: Path) -> None:
    assert chosen("release/src/agent/core.py")
    for number in range(watch.MOST_FILES):
        path = tmp_path / f"tests/unit/test_more_{number}.py"
        path.write_text("from agent import core\n")

    choice = watch.concerned([tmp_path / "release/src/agent/core.py"])

    assert (len(choice.files), choice.others) == (watch.MOST_FILES, 3)


def test_every_watched_place_is_there() -> None:
    for name in watch.WATCHED:
        assert (watch.ROOT / name).exists()
