"""The documented way to a final release, word for word in a fresh clone, with the real BOSH CLI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.paths import ROOT

from bosh_release.build.building import build_release

pytestmark = pytest.mark.skipif(
    shutil.which("bosh") is None, reason="the BOSH CLI (bosh) is not on PATH"
)

Git = Callable[..., str]


def commands_under(heading: str) -> str:
    """The last shell block of a section: what is typed there."""
    text = (ROOT / "docs/build.md").read_text()
    section = re.search(rf"^#+ {heading}$(.*?)^##+ ", text, re.M | re.S)
    assert section is not None
    return re.findall(r"^```sh\n(.*?)^```", section[1], re.M | re.S)[-1]


@pytest.fixture
def origin(git: Git, tmp_path: Path) -> Path:
    """A repository with this checkout's files and a blobstore outside of it."""
    folder = tmp_path / "origin"
    for name in git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split(
        "\0"
    ):
        if name and os.path.lexists(ROOT / name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    final = {
        "name": "e2e-test",
        "blobstore": {
            "provider": "local",
            "options": {"blobstore_path": str(tmp_path / "blobstore")},
        },
    }
    (folder / "release/config/final.yml").write_text(yaml.safe_dump(final))
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    git(folder, "config", "receive.denyCurrentBranch", "updateInstead")
    return folder


@pytest.fixture
def clone(git: Git, origin: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Clone it, and give the clone the blobs: there is no network to bring them over."""
    if not list((ROOT / "release/blobs").rglob("*.whl")):
        pytest.skip("the blobs are not there (tools/release.py blobs)")

    def run(name: str) -> Path:
        git(tmp_path, "clone", "-q", str(origin), name)
        shutil.copytree(ROOT / "release/blobs", tmp_path / name / "release/blobs")
        return tmp_path / name

    return run


@pytest.fixture
def typed(tmp_path: Path) -> Callable[[str, Path], None]:
    """Run what is typed, stopping where something fails."""
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }

    def run(commands: str, folder: Path) -> None:
        done = subprocess.run(
            ["bash", "-eux", "-c", commands],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


@pytest.mark.thorough
def test_the_way_to_final_releases(
    clone: Callable[[str], Path],
    typed: Callable[[str, Path], None],
    git: Git,
    tmp_path: Path,
) -> None:
    commands = commands_under("Final releases")
    assert "--final --version 1.0.0" in commands
    for version in ("1.0.0", "1.0.1"):  # the second uploads no blobs
        folder = clone(f"clone-{version}")
        typed(commands.replace("1.0.0", version), folder)
        assert git(folder, "status", "--porcelain") == ""
        git(folder, "push", "-q")
        tarball = folder / f"build/e2e-test-{version}.tgz"
        listing = subprocess.run(
            ["bosh", "inspect-local-release", tarball], capture_output=True, text=True, check=True
        ).stdout
        assert re.search(rf"^e2e-test\s+{re.escape(version)}\s", listing, re.M), listing

    again = clone("again")
    known = "release/releases/e2e-test/e2e-test-1.0.0.yml"
    typed(
        f"mkdir build; bosh create-release --dir release {known} --tarball build/again.tgz", again
    )
    following = build_release(
        again / "release", commit_version=True, output=tmp_path / "following.tgz"
    )
    assert following.version.startswith("1.0.1+dev.")
