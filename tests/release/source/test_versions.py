"""Versions as the BOSH CLI counts them, and the state of git."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bosh_release.build.building import build_release
from bosh_release.source.versions import next_dev, parse_version
from bosh_release.support.errors import ReleaseError
from bosh_release.yaml.scalars import needs_quotes

MakeRelease = Callable[[dict[str, Any]], Path]
Git = Callable[..., str]


def index(*versions: str) -> str:
    builds = "".join(f"  k{i}:\n    version: '{v}'\n" for i, v in enumerate(versions))
    return f"builds:\n{builds}format-version: '2'\n"


@pytest.mark.parametrize(
    ("last", "following"),
    [
        (None, "0+dev.1"),
        ("0+dev.1", "0+dev.2"),
        ("1.2", "1.2+dev.1"),
        ("1.2-rc.1", "1.2-rc.1+dev.1"),
        ("3+dev.9", "3+dev.10"),
        ("1+build.4.7", "1+build.4.8"),
    ],
)
def test_the_next_dev_version_counts_the_post_release_up(last: str | None, following: str) -> None:
    assert str(next_dev(parse_version(last) if last else None)) == following


def test_a_post_release_that_does_not_end_in_a_number_has_no_next(
    make_release: MakeRelease,
) -> None:
    with pytest.raises(ReleaseError, match="to have last component 'x' to be an integer"):
        next_dev(parse_version("1+dev.x"))


def test_versions_are_ordered_as_bosh_orders_them() -> None:
    ascending = ["0.9", "1-rc.1", "1-rc.2", "1-rc.10", "1", "1+dev.1", "1+dev.2", "1.1", "1.a", "2"]
    shuffled = sorted(map(parse_version, reversed(ascending)), key=lambda v: v.sort_key())
    assert [str(version) for version in shuffled] == ascending


def test_zeros_at_the_end_do_not_count() -> None:
    assert parse_version("1.0").sort_key() == parse_version("1").sort_key()


@pytest.mark.parametrize("text", ["", "1 2", "1..2", "v1/2", "1+", "-1", "1\n"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ReleaseError, match="Expected"):
        parse_version(text)


def test_leading_zeros_stay(make_release: MakeRelease, tmp_path: Path) -> None:
    built = build_release(make_release({}), version="007.010", output=tmp_path / "o.tgz")
    assert built.version == "007.010"


def test_builds_without_a_version_get_one_number_after_the_other(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({})
    versions = [build_release(folder).version for _ in range(3)]
    assert versions == ["0+dev.1", "0+dev.2", "0+dev.3"]
    assert (folder / "dev_releases" / "t" / "t-0+dev.3.tgz").exists()


def test_dev_and_final_releases_of_the_cli_count_too(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release(
        {
            "releases/t/index.yml": index("1", "2"),
            "dev_releases/t/index.yml": index("1+dev.9", "2+dev.3"),
            "dev_releases/other/index.yml": index("9+dev.9"),
        }
    )
    assert build_release(folder, output=tmp_path / "o.tgz").version == "2+dev.4"


def test_a_timestamp_version_has_the_time_in_seconds(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({"releases/t/index.yml": index("4")})
    built = build_release(
        folder, timestamp_version=True, output=tmp_path / "o.tgz", now=lambda: 1795452000.9
    )
    assert built.version == "4+dev.1795452000"


def test_a_version_that_is_given_can_be_built_again_and_is_not_written_down(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({})
    one = build_release(folder, version="1", output=tmp_path / "o.tgz")
    two = build_release(folder, version="1", output=tmp_path / "o.tgz")
    assert one.sha256 == two.sha256
    assert not (folder / "dev_releases").exists()


def manifest(path: Path) -> str:
    with tarfile.open(path) as tar:
        text = tar.extractfile("release.MF")
        assert text is not None
        return text.read().decode()


def test_a_clean_checkout_gives_its_commit(
    git: Git, make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({".gitignore": "dev_releases\n"})
    commit_all(git, folder)
    build_release(folder, version="1", output=tmp_path / "o.tgz")
    commit = git(folder, "rev-parse", "--short", "HEAD")
    assert f"commit_hash: {quoted(commit)}\nuncommitted_changes: false" in manifest(
        tmp_path / "o.tgz"
    )


def quoted(commit: str) -> str:
    # a hash that looks like a number gets quotes
    return f'"{commit}"' if needs_quotes(commit) else commit


def test_changes_anywhere_in_the_repository_need_force(
    git: Git, make_release: MakeRelease, tmp_path: Path
) -> None:
    top = make_release({"sub/config/final.yml": "name: s\n", "sub/config/blobs.yml": "{}\n"})
    commit_all(git, top)
    (top / "elsewhere").write_text("new")
    folder = top / "sub"
    with pytest.raises(ReleaseError) as caught:
        build_release(folder, version="1", output=tmp_path / "o.tgz")
    assert "Git repository has local modifications:\n\n?? elsewhere" in str(caught.value)
    assert "--force" in str(caught.value)
    built = build_release(folder, version="1", output=tmp_path / "o.tgz", force=True)
    assert built.git.uncommitted_changes
    assert built.git.commit_hash == git(folder, "rev-parse", "--short", "HEAD")


def test_a_repository_without_commits_is_empty(
    git: Git, make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({})
    git(folder, "init", "-q")
    built = build_release(folder, version="1", output=tmp_path / "o.tgz", force=True)
    assert (built.git.commit_hash, built.git.uncommitted_changes) == ("empty", True)


def test_outside_of_git_there_is_no_commit(make_release: MakeRelease, tmp_path: Path) -> None:
    built = build_release(make_release({}), version="1", output=tmp_path / "o.tgz")
    assert (built.git.commit_hash, built.git.uncommitted_changes) == ("non-git", False)


@pytest.mark.parametrize("how", ["a link into it", "GIT_DIR"])
def test_a_repository_is_found_as_git_finds_it(
    git: Git,
    make_release: MakeRelease,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    top = make_release({"sub/config/final.yml": "name: s\n", "sub/config/blobs.yml": "{}\n"})
    commit_all(git, top)
    commit = git(top, "rev-parse", "--short", "HEAD")
    folder = tmp_path / "elsewhere"
    if how == "GIT_DIR":
        shutil.copytree(top / "sub", folder)
        monkeypatch.setenv("GIT_DIR", str(top / ".git"))
    else:
        folder.symlink_to(top / "sub")
    built = build_release(folder, version="1", output=tmp_path / "o.tgz", force=True)
    assert built.git.commit_hash == commit


def test_a_broken_repository_is_told_and_not_taken_for_none(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({".git/HEAD": "rubbish"})
    with pytest.raises(ReleaseError, match="Checking status"):
        build_release(folder, version="1", output=tmp_path / "o.tgz")


def test_without_git_installed_there_is_no_commit(
    make_release: MakeRelease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    built = build_release(make_release({}), version="1", output=tmp_path / "o.tgz")
    assert built.git.commit_hash == "non-git"


def test_building_leaves_a_checkout_as_clean_as_it_was(
    git: Git, make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({".gitignore": "dev_releases\n"})
    commit_all(git, folder)
    built = build_release(folder)
    assert built.path == folder / "dev_releases" / "t" / "t-0+dev.1.tgz"
    assert git(folder, "status", "--porcelain") == ""
    assert build_release(folder).version == "0+dev.2"


def test_nothing_is_written_where_git_would_see_it(
    git: Git, make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({})
    commit_all(git, folder)
    with pytest.raises(ReleaseError, match="git would see the tarball as a new file"):
        build_release(folder)
    notes: list[str] = []
    built = build_release(folder, output=tmp_path / "o.tgz", warn=notes.append)
    assert built.version == "0+dev.1"
    assert len(notes) == 1
    assert "git does not ignore dev_releases/" in notes[0]
    assert git(folder, "status", "--porcelain") == ""


def test_the_index_of_git_is_not_touched(
    git: Git, make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({})
    commit_all(git, folder)
    os.utime(folder / "config" / "final.yml", (1, 1))  # git would now like to refresh its index
    before = (folder / ".git" / "index").stat().st_mtime_ns
    build_release(folder, version="1", output=tmp_path / "o.tgz")
    assert (folder / ".git" / "index").stat().st_mtime_ns == before


def commit_all(git: Git, folder: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
