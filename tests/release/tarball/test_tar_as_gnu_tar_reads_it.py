"""What our reader lists is what GNU tar lists and unpacks, or the archive is refused.

Longer: TAR_CASES=20000 TAR_SEED=7 python -m pytest tests/release/test_tar_as_gnu_tar_reads_it.py
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.release.tarball import hostile_tars as tars

from bosh_release.support.errors import ReleaseError
from bosh_release.tarball.archive_content import Content, read_content
from bosh_release.tarball.inflating import Budget, unpacked
from bosh_release.tarball.tar_reader import Member, read_tar
from demo.compilation import unpack

SEED = os.environ.get("TAR_SEED", "1")
CASES = int(os.environ.get("TAR_CASES", "400"))
LETTERS = {"-": "file", "h": "hard link", "l": "link", "d": "folder", "p": "pipe"}
QUOTED = r'"((?:[^"\\]|\\.)*)"'
LINE = re.compile(
    r"(?P<mode>\S{10})\+?\s+\S+/\S+\s+(?P<size>\S+) \S+ \S+ +"
    rf"{QUOTED}(?: (?:->|link to) {QUOTED})?"
)


def is_gnu_tar() -> bool:
    if shutil.which("tar") is None:
        return False
    done = subprocess.run(["tar", "--version"], capture_output=True, text=True, check=False)
    return "GNU tar" in done.stdout


pytestmark = pytest.mark.skipif(not is_gnu_tar(), reason="tar is not GNU tar")


def tar(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["tar", "--numeric-owner", "--quoting-style=c", *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
        timeout=20,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        **options,
    )


def unescaped(text: str) -> str:
    """Names as GNU tar escapes them."""
    special = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

    def one(match: re.Match[str]) -> str:
        found = match[1]
        if found.isdigit():
            return os.fsdecode(bytes([int(found, 8)]))
        return special.get(found, found)

    decoded = re.sub(r"\\([0-7]{3}|.)", one, text, flags=re.DOTALL)
    return os.fsdecode(os.fsencode(decoded))  # bytes that were escaped one by one join again


def listed_by_gnu_tar(path: Path) -> list[tuple[str, ...]] | None:
    done = tar("--full-time", "-P", "-tvf", path)
    if done.returncode != 0:
        return None
    return [_entry(line) for line in done.stdout.splitlines()]


def _entry(line: str) -> tuple[str, ...]:
    match = LINE.fullmatch(line)
    assert match is not None, line
    kind = LETTERS.get(match["mode"][0], "device")
    name, target = unescaped(match[3]), unescaped(match[4] or "")
    size = match["size"] if kind == "file" else ""
    return kind, match["mode"][1:], size, name.rstrip("/") or "/", target


def listed_by_us(path: Path) -> list[tuple[str, ...]] | None:
    budget = Budget()
    try:
        members = read_tar(unpacked([path.read_bytes()], budget), budget)
        return [_our_entry(member) for member in members]
    except ReleaseError:
        return None


def _our_entry(member: Member) -> tuple[str, ...]:
    target = member.target if "link" in member.kind else ""
    size = str(member.size) if member.kind == "file" else ""
    mode = stat.filemode(member.mode)[1:]
    return member.kind, mode, size, member.name.rstrip("/") or "/", target


def content_of(path: Path) -> Content | None:
    try:
        content = read_content([path.read_bytes()], Budget())
    except ReleaseError:
        return None
    return None if content.problems else content


def unpacked_by_gnu_tar(path: Path, into: Path) -> dict[str, tuple[bool, int, str]]:
    into.mkdir()
    done = tar("--no-same-owner", "-p", "-xf", path, "-C", into)
    assert done.returncode == 0, done.stderr
    return tree(into)


def tree(folder: Path) -> dict[str, tuple[bool, int, str]]:
    found = {}
    for one in folder.rglob("*"):
        mode = one.lstat().st_mode
        if stat.S_ISDIR(mode):
            continue
        assert stat.S_ISREG(mode) or stat.S_ISLNK(mode), one
        is_link = stat.S_ISLNK(mode)
        data = os.readlink(os.fsencode(one)) if is_link else one.read_bytes()  # noqa: PTH115
        digest = hashlib.sha256(data).hexdigest()
        found[str(one.relative_to(folder))] = (is_link, 0 if is_link else mode & 0o7777, digest)
    return found


def with_packed_modes(files: dict[str, tuple[bool, int, str]]) -> dict[str, tuple[bool, int, str]]:
    return {
        name: (is_link, 0 if is_link else 0o755 if mode & 0o100 else 0o644, digest)
        for name, (is_link, mode, digest) in files.items()
    }


def check(path: Path, into: Path) -> str:
    """How it was: refused, listed, or unpacked, too."""
    ours = listed_by_us(path)
    if ours is None:
        return "refused"
    assert ours == listed_by_gnu_tar(path)
    content = content_of(path)
    if content is None:
        return "listed"
    expected = {
        file.name: (file.is_link, 0 if file.is_link else file.mode, file.sha256)
        for file in content.files.values()
    }
    assert unpacked_by_gnu_tar(path, into / "gnu") == expected
    assert tree(unpack(path, into / "demo")) == with_packed_modes(expected)
    return "unpacked"


def check_all(cases: Iterator[tuple[str, bytes]], folder: Path) -> dict[str, int]:
    outcomes = {"refused": 0, "listed": 0, "unpacked": 0}
    path = folder / "case"
    for name, data in cases:
        path.write_bytes(data)
        with tempfile.TemporaryDirectory(dir=folder) as into:
            try:
                outcomes[check(path, Path(into))] += 1
            except AssertionError as error:
                raise AssertionError(f"case {name}: {error}") from error
    print(f"TAR_SEED={SEED}: {outcomes}")
    return outcomes


def test_hostile_archives_are_read_as_gnu_tar_reads_them_or_refused(tmp_path: Path) -> None:
    names = [f"{SEED}/{number}" for number in range(CASES)]
    outcomes = check_all(((name, tars.Maker(name).archive()) for name in names), tmp_path)
    assert min(outcomes.values()) > CASES / 50, outcomes


@pytest.mark.parametrize("form", ["gnu", "posix", "ustar", "oldgnu"])
def test_spoilt_archives_of_gnu_tar_are_read_as_it_reads_them_or_refused(
    form: str, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    (tree / "sub" / "größe").mkdir(parents=True)
    (tree / "run").write_text("#!/bin/sh\n")
    (tree / "run").chmod(0o755)
    (tree / "sub" / ("n" * 90)).write_bytes(b"x" * 700)
    (tree / "sub" / "größe" / "soft").symlink_to("../../run")
    (tree / "hard").hardlink_to(tree / "run")
    if form != "ustar":
        (tree / "sub" / ("l" * 200)).write_text("long")
    whole = tmp_path / "whole.tar"
    made = tar(f"--format={form}", "-b1", "-cf", whole, "-C", tree, ".")
    assert made.returncode == 0, made.stderr
    data = whole.read_bytes()
    names = [f"{SEED}/{form}/{number}" for number in range(CASES // 4)]
    cases = ((name, tars.Maker(name).spoilt(data, number % 3)) for number, name in enumerate(names))
    outcomes = check_all(cases, tmp_path)
    assert outcomes["unpacked"] > CASES / 20, outcomes
