"""Sample release folders, made outside the repository so that its git state does not matter."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parent / "golden"
MINIMAL = {"config/final.yml": "name: t\n", "config/blobs.yml": "--- {}\n", "src/.keep": ""}

# text, or bytes, or (text, mode), or a Link, or None for "not there"
Files = Mapping[str, Any]
MakeRelease = Callable[[Files], Path]


@dataclass(frozen=True)
class Link:
    """A link in a sample folder."""

    target: str


def write_files(root: Path, files: Files) -> Path:
    for name, content in files.items():
        path = root / name
        if content is None:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            path.symlink_to(content.target)
            continue
        text, mode = content if isinstance(content, tuple) else (content, 0o644)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
    return root


@pytest.fixture
def make_release(tmp_path: Path) -> MakeRelease:
    """Make a release folder from a minimal one and more files."""

    def make(files: Files) -> Path:
        return write_files(tmp_path / "sample", {**MINIMAL, **files})

    return make


@pytest.fixture
def golden_release(tmp_path: Path) -> Callable[[str], Path]:
    """Copy one of the golden sample folders."""

    def copy(name: str) -> Path:
        target = tmp_path / name
        shutil.copytree(GOLDEN / name / "release", target, symlinks=True)
        return target

    return copy


@pytest.fixture(autouse=True)
def _umask_022() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run git without anybody's own settings."""
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n name = T\n email = t@example.com\n[init]\n defaultBranch = main\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)

    def run(folder: Path, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    return run


@pytest.fixture
def link() -> Callable[[str], Link]:
    """Stand for a link in the files of a sample folder."""
    return Link
