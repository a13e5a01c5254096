"""Dev versions from the commit: what `make release` gives, in every checkout of it."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from bosh_release.build.building import Built, build_release
from bosh_release.source.git_state import Commit
from bosh_release.source.versions import commit_version, parse_version
from bosh_release.support.errors import ReleaseError

MakeRelease = Callable[[dict[str, Any]], Path]
Git = Callable[..., str]

NOON = 1_764_244_800
BUILT_AT = NOON + 86_400.25


@pytest.fixture
def commit(git: Git, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Commit all there is, at a given time; returns the whole hash."""

    def run(folder: Path, *, seconds: int = NOON, message: str = "change") -> str:
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{seconds} +0200")
        if not (folder / ".git").exists():
            git(folder, "init", "-q")
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "--allow-empty", "-m", message)
        return git(folder, "rev-parse", "HEAD")

    return run


def build(folder: Path, output: Path, **options: Any) -> Built:
    options = {"now": lambda: BUILT_AT, "force": True, **options}
    return build_release(folder, commit_version=True, output=output, **options)


def key(built: Built) -> tuple[object, ...]:
    return parse_version(built.version).sort_key()


def test_a_commit_has_one_version_and_one_tarball_in_every_checkout_of_it(
    git: Git, commit: Callable[..., str], make_release: MakeRelease, tmp_path: Path
) -> None:
    origin = make_release({"src/a": "1"})
    commit(origin)
    (origin / "src/a").write_text("2")
    whole = commit(origin)
    url = origin.as_uri()
    git(tmp_path, "clone", "-q", url, "clone")
    git(tmp_path, "clone", "-q", "--depth", "1", url, "shallow")
    git(tmp_path / "clone", "worktree", "add", "-q", "--detach", str(tmp_path / "worktree"))
    git(tmp_path / "shallow", "config", "core.abbrev", "20")
    git(tmp_path / "clone", "config", "log.showSignature", "true")
    before = os.umask(0o077)
    git(tmp_path, "clone", "-q", url, "private")
    os.umask(before)
    (tmp_path / "private/ignored").write_text("")
    (tmp_path / "private/.git/info/exclude").write_text("ignored\n")

    places = [origin, *(tmp_path / name for name in ("clone", "shallow", "worktree", "private"))]
    built = [build(place, tmp_path / f"{place.name}.tgz") for place in places]

    assert {one.version for one in built} == {f"0+dev.{NOON}.g{whole[:12]}"}
    assert len({one.sha256 for one in built}) == 1
    assert git(origin, "status", "--porcelain") == ""


def test_the_folder_may_be_in_a_bigger_repository(
    git: Git, commit: Callable[..., str], make_release: MakeRelease, tmp_path: Path
) -> None:
    top = make_release({"deep/r/config/final.yml": "name: s\n", "deep/r/config/blobs.yml": "{}\n"})
    whole = commit(top)
    built = build(top / "deep/r", tmp_path / "o.tgz")
    assert built.version == f"0+dev.{NOON}.g{whole[:12]}"
    (top / "elsewhere").write_text("as for the CLI, a change anywhere counts")
    assert ".dirty." in build(top / "deep/r", tmp_path / "o.tgz").version


def test_the_commit_is_told_as_the_cli_tells_it(
    git: Git, commit: Callable[..., str], make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({})
    commit(folder)
    build(folder, tmp_path / "o.tgz")
    with tarfile.open(tmp_path / "o.tgz") as tar:
        file = tar.extractfile("release.MF")
        assert file is not None
        manifest = yaml.load(file.read(), yaml.BaseLoader)
    assert manifest["commit_hash"] == git(folder, "rev-parse", "--short", "HEAD")
    assert manifest["uncommitted_changes"] == "false"


def test_later_commits_sort_later_and_no_two_are_the_same(
    commit: Callable[..., str], make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({})
    built = []
    # Over a power of ten: as text, the later one would come first.
    for seconds in (999_999_999, 1_000_000_000, 1_000_000_060):
        commit(folder, seconds=seconds)
        built.append(build(folder, tmp_path / "o.tgz"))
    assert sorted(built, key=key) == built
    versions = set()
    for number in range(3):
        commit(folder, message=str(number))
        versions.add(build(folder, tmp_path / "o.tgz").version)
    assert len(versions) == 3


@pytest.mark.parametrize("digits", ["1234567890123456", "0012345678901234", "12e4567890123456"])
def test_a_hash_is_never_read_as_a_number(digits: str) -> None:
    """A director drops the zeros at the start of 0012, and could not order 12 and a1."""
    for changed in (False, True):
        version = commit_version(None, Commit(digits, NOON), changed=changed, now=1, token="0")
        assert all(isinstance(part, int) or part[0].isalpha() for part in version.post)
        assert parse_version(str(version)) == version


def test_uncommitted_changes_have_a_version_that_is_never_given_twice(
    commit: Callable[..., str], make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({})
    commit(folder)
    clean = build(folder, tmp_path / "o.tgz")
    (folder / "new").write_text("")
    changed = [build(folder, tmp_path / "o.tgz") for _ in range(20)]
    later = build(folder, tmp_path / "o.tgz", now=lambda: BUILT_AT + 1)
    (folder / "new").unlink()
    commit(folder, seconds=NOON + 1)
    following = build(folder, tmp_path / "o.tgz")

    assert len({one.version for one in changed}) == 20
    assert all(f"{clean.version}.dirty." in one.version for one in changed)
    assert all(key(clean) < key(one) < key(later) < key(following) for one in changed)


def test_changes_need_force_here_too(
    commit: Callable[..., str], make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({})
    commit(folder)
    (folder / "new").write_text("")
    with pytest.raises(ReleaseError, match="Git repository has local modifications"):
        build(folder, tmp_path / "o.tgz", force=False)


def test_a_packed_file_that_git_ignores_is_a_change(
    git: Git, commit: Callable[..., str], make_release: MakeRelease, tmp_path: Path
) -> None:
    """It is in no other checkout of the commit; `git status` does not show it."""
    package = {"packages/p/spec": "name: p\nfiles: ['p/*']\n", "packages/p/packaging": "true\n"}
    folder = make_release({**package, "src/p/a": "1", "src/p/.skipped": "", "src/other": ""})
    commit(folder)
    (folder / ".git/info/exclude").write_text("local\n")
    (folder / "src/local").write_text("not packed")
    assert ".dirty." not in build(folder, tmp_path / "o.tgz").version

    (folder / "src/p/local").write_text("packed")
    notes: list[str] = []
    assert ".dirty." in build(folder, tmp_path / "o.tgz", warn=notes.append).version
    assert [note for note in notes if "src/p/local" in note]


@pytest.mark.parametrize("repository", [False, True])
def test_without_a_commit_the_time_counts(
    repository: bool, git: Git, make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({})
    if repository:
        git(folder, "init", "-q")
    clock = iter([BUILT_AT, BUILT_AT, BUILT_AT + 1, BUILT_AT + 1])
    built = [build(folder, tmp_path / "o.tgz", now=lambda: next(clock)) for _ in range(4)]
    assert all(one.version.startswith("0+dev.") for one in built)
    assert all(".nocommit." in one.version for one in built)
    assert len({one.version for one in built}) == 4
    assert max(map(key, built[:2])) < min(map(key, built[2:]))


@pytest.mark.parametrize(
    ("final", "base"),
    [("1.2.3", "1.2.3+"), ("2-rc.1", "2-rc.1+"), ("1+build.4", "1+build.4.")],
)
def test_a_dev_version_follows_the_last_final_release(
    final: str,
    base: str,
    git: Git,
    commit: Callable[..., str],
    make_release: MakeRelease,
    tmp_path: Path,
) -> None:
    builds = f"builds:\n  k:\n    version: '{final}'\nformat-version: '2'\n"
    dev = builds.replace(final, "9+dev.x")  # only in this checkout: of no account
    folder = make_release({"releases/t/index.yml": builds, ".gitignore": "dev_releases\n"})
    (folder / "dev_releases/t").mkdir(parents=True)
    (folder / "dev_releases/t/index.yml").write_text(dev)
    whole = commit(folder)
    built = build(folder, tmp_path / "o.tgz")
    assert built.version == f"{base}dev.{NOON}.g{whole[:12]}"
    assert key(built) > parse_version(final).sort_key()
    assert (folder / "dev_releases/t/index.yml").read_text() == dev
