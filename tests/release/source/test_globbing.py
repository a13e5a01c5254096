"""Patterns of package specs; each expectation is what the BOSH CLI packs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bosh_release.source import globbing
from bosh_release.source.globbing import glob
from bosh_release.support.errors import ReleaseError

FILES = (
    "a",
    "b/a",
    "b/.hidden",
    "b/c/d.txt",
    "b/c/e.md",
    "[x]/f",
    "st*r",
    "back\\slash",
    "größe",
    "z1.h",
)


@pytest.fixture
def src(tmp_path: Path) -> Path:
    root = tmp_path / "rel[1]" / "src"
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    (root / "link").symlink_to("b")
    return root


def files(src: Path, pattern: str) -> set[str]:
    found = glob(src, pattern)
    return {str(p.relative_to(src)) for p in found if p.is_file()}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a", {"a"}),
        ("./a", {"a"}),
        ("b//a", {"b/a"}),
        ("b/../a", {"a"}),
        ("*", {"a", "st*r", "back\\slash", "größe", "z1.h"}),
        ("b/*", {"b/a", "b/.hidden"}),
        ("**/a", {"a", "b/a", "link/a"}),
        ("b/**", {"b/a", "b/.hidden", "b/c/d.txt", "b/c/e.md"}),
        ("b/**/*.txt", {"b/c/d.txt"}),
        ("**/c/*", {"b/c/d.txt", "b/c/e.md", "link/c/d.txt", "link/c/e.md"}),
        ("b**/a", {"b/a"}),
        ("?", {"a"}),
        ("gr?ße", {"größe"}),
        ("[ab]", {"a"}),
        ("[^b]", {"a"}),
        ("[a-c]", {"a"}),
        ("{a,b/a}", {"a", "b/a"}),
        ("{a,b/**}", {"a", "b/a", "b/.hidden", "b/c/d.txt", "b/c/e.md"}),
        ("b/{c/{d,e}.*,a}", {"b/a", "b/c/d.txt", "b/c/e.md"}),
        ("z{,1}.h", {"z1.h"}),
        ("\\[x\\]/f", {"[x]/f"}),
        ("st\\*r", {"st*r"}),
        ("back\\\\slash", {"back\\slash"}),
        ("nope", set()),
        ("b", set()),
        ("", set()),
    ],
)
def test_a_pattern_finds_what_doublestar_finds(src: Path, pattern: str, expected: set[str]) -> None:
    assert files(src, pattern) == expected


@pytest.mark.parametrize("pattern", ["[x", "b/[]", "b/[a-", "{a", "\\", "**/[", "b/[-a]"])
def test_a_malformed_pattern_is_refused_where_a_name_meets_it(src: Path, pattern: str) -> None:
    with pytest.raises(ReleaseError, match="syntax error in pattern"):
        glob(src, pattern)


def test_a_malformed_pattern_that_meets_no_name_finds_nothing(src: Path) -> None:
    assert files(src, "nowhere/[x") == set()


def test_the_last_comparison_decides_about_a_malformed_pattern(src: Path) -> None:
    # "[x]" holds an "f", for which the bad part is never looked at; the CLI takes that
    assert "[x]/f" in files(src, "{b,[[]x]}/{f,a[}")


def test_linked_folders_in_circles_are_refused_and_not_followed_for_ever(
    src: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(globbing, "_MOST_LINKS", 200)
    (src / "b" / "up").symlink_to("..")
    (src / "b" / "here").symlink_to(".")
    with pytest.raises(ReleaseError, match="lead round in circles"):
        glob(src, "**/*")


def test_special_characters_in_the_release_s_own_path_are_not_patterns(src: Path) -> None:
    assert "[1]" in str(src)
    assert files(src, "a") == {"a"}
