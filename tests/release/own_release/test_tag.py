"""`make tag` in a scratch repository: what it tags, and what it refuses."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.paths import ROOT

CHANGELOG = """\
# Changelog

## [Unreleased]

## [1.1.0] - 2026-12-24

### Added

- A second thing.

## [1.0.0] - 2026-11-28

### Added

- The first thing.

## [0.9.0-rc.1] - 2026-11-01

- A candidate.

## [0.8.0] - 2026-10-01

### Added

## [0.7.0]

- Without a day.
"""

Git = Callable[..., str]


@pytest.fixture
def repository(git: Git, tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    (folder / "tools").mkdir(parents=True)
    shutil.copy2(ROOT / "tools/tag", folder / "tools/tag")
    shutil.copy2(ROOT / "Makefile", folder / "Makefile")
    (folder / "CHANGELOG.md").write_text(CHANGELOG)
    (folder / ".gitignore").write_text("/build/\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


def tag(folder: Path, version: str) -> tuple[int, str]:
    done = subprocess.run(
        ["make", "-s", "tag", f"VERSION={version}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_commit_gets_an_annotated_tag_with_the_versions_changes(
    git: Git, repository: Path
) -> None:
    code, said = tag(repository, "1.0.0")
    head = git(repository, "rev-parse", "HEAD")
    assert (code, "git push origin v1.0.0" in said) == (0, True)
    assert git(repository, "cat-file", "-t", "v1.0.0").strip() == "tag"
    assert git(repository, "rev-parse", "v1.0.0^{commit}") == head
    message = git(repository, "tag", "-l", "--format=%(contents)", "v1.0.0")
    assert message.split() == ["1.0.0", "###", "Added", "-", "The", "first", "thing."]


@pytest.mark.parametrize("version", ["1.1.0", "0.9.0-rc.1"])
def test_other_versions_of_the_changelog(git: Git, repository: Path, version: str) -> None:
    assert tag(repository, version)[0] == 0
    assert git(repository, "tag").split() == [f"v{version}"]


@pytest.mark.parametrize(
    "version",
    [
        *("1", "1.0", "1.0.0.0", "v1.0.0", "01.0.0", "-1.0.0", "1.0.0 ", "1,0,0", "1x0x0"),
        *("1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0-é", "1.0.0+", "0+dev.1", "latest"),
    ],
)
def test_what_is_no_semantic_version_is_refused(git: Git, repository: Path, version: str) -> None:
    code, said = tag(repository, version)
    assert code != 0
    assert "is no semantic version" in said
    assert git(repository, "tag") == ""


def test_no_version_is_refused(repository: Path) -> None:
    assert "which version?" in tag(repository, "")[1]


@pytest.mark.parametrize("version", ["1.0.1", "2.0.0", "1.0.0-rc.1", "0.9.0", "0.7.0", "1.0.0+5"])
def test_a_version_that_the_changelog_does_not_have_is_refused(
    git: Git, repository: Path, version: str
) -> None:
    code, said = tag(repository, version)
    assert code != 0
    assert f"CHANGELOG.md has no heading '## [{version}] - " in said
    assert git(repository, "tag") == ""


def test_a_version_of_which_the_changelog_says_nothing_is_refused(repository: Path) -> None:
    code, said = tag(repository, "0.8.0")
    assert (code != 0, "says nothing of 0.8.0" in said) == (True, True)


def change(folder: Path) -> None:
    (folder / "Makefile").write_text((folder / "Makefile").read_text() + "\n# changed\n")


def stage(folder: Path) -> None:
    (folder / "new").write_text("new\n")
    subprocess.run(["git", "add", "new"], cwd=folder, check=True)


def add(folder: Path) -> None:
    (folder / "new").write_text("new\n")


def remove(folder: Path) -> None:
    (folder / ".gitignore").unlink()


@pytest.mark.parametrize("dirty", [change, stage, add, remove])
def test_a_dirty_tree_is_refused(git: Git, repository: Path, dirty: Callable[[Path], None]) -> None:
    dirty(repository)
    code, said = tag(repository, "1.0.0")
    assert (code != 0, "uncommitted changes" in said) == (True, True)
    assert git(repository, "tag") == ""


def test_what_git_ignores_is_no_dirt(repository: Path) -> None:
    (repository / "build").mkdir()
    (repository / "build/e2e-test.tgz").write_text("built")
    assert tag(repository, "1.0.0")[0] == 0


def test_a_version_that_is_there_is_refused_and_stays_where_it_is(
    git: Git, repository: Path
) -> None:
    assert tag(repository, "1.0.0")[0] == 0
    before = git(repository, "rev-parse", "v1.0.0")
    git(repository, "commit", "-q", "--allow-empty", "-m", "second")
    code, said = tag(repository, "1.0.0")
    assert (code != 0, "v1.0.0 is there already" in said) == (True, True)
    assert git(repository, "rev-parse", "v1.0.0") == before


def test_a_repository_without_a_commit_has_nothing_to_tag(git: Git, tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    shutil.copy2(ROOT / "tools/tag", tmp_path / "tools/tag")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    shutil.copy2(ROOT / "Makefile", tmp_path / "Makefile")
    git(tmp_path, "init", "-q")
    assert "there is no commit" in tag(tmp_path, "1.0.0")[1]


def test_the_projects_own_changelog_is_one_that_it_takes(git: Git, repository: Path) -> None:
    """Under the heading of a version, what is under [Unreleased] now."""
    text = (ROOT / "CHANGELOG.md").read_text()
    assert text.count("## [Unreleased]\n") == 1
    released = text.replace("## [Unreleased]", "## [Unreleased]\n\n## [3.0.0] - 2027-01-01", 1)
    (repository / "CHANGELOG.md").write_text(released)
    git(repository, "commit", "-qam", "3.0.0")
    assert tag(repository, "3.0.0")[0] == 0
