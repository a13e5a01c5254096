"""Our tar and gzip streams next to those of GNU tar and gzip."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bosh_release.build.staging import _real_tree
from bosh_release.build.tar_format import FILE, Entry, gzip_stream, stored_gzip_stream, tar_stream
from bosh_release.support.errors import ReleaseError

NAMES = ["a", "a-b", "a.b", "A", "größe", "sp ace", *("f" * n for n in (97, 98, 99, 150))]


def is_gnu_tar() -> bool:
    if shutil.which("tar") is None:
        return False
    done = subprocess.run(["tar", "--version"], capture_output=True, text=True, check=False)
    return "GNU tar" in done.stdout


@pytest.mark.skipif(not is_gnu_tar(), reason="tar is not GNU tar")
@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux")
def test_the_bytes_are_gnu_tar_s(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number, name in enumerate(NAMES):
        (tree / name).write_bytes(b"x" * (number * 300))
    (tree / "a-folder").mkdir(mode=0o700)
    (tree / "a-folder" / ("d" * 120)).mkdir()
    (tree / "a-folder" / ("d" * 120) / os.fsdecode(b"\xff")).write_text("1")
    (tree / "hard").hardlink_to(tree / "a")
    (tree / "l").symlink_to("./a")
    (tree / "l100").symlink_to("t" * 100)
    (tree / ("l" * 101)).symlink_to("t" * 101)
    os.mkfifo(tree / "pipe")
    expected = subprocess.run(
        [
            *("tar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"),
            *("-cf", "-", "-C", str(tree), "."),
        ],
        check=True,
        capture_output=True,
        env={**os.environ, "TAR_OPTIONS": ""},
    )
    assert b"".join(tar_stream(_real_tree(tree))) == expected.stdout


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65535 * 3 + 7])
def test_a_stored_stream_is_gzip(size: int) -> None:
    data = os.urandom(size)
    pieces = [data[i : i + 1000] for i in range(0, size, 1000)]
    assert gzip.decompress(b"".join(stored_gzip_stream(pieces))) == data


def test_a_gzip_stream_names_no_file_and_no_time() -> None:
    packed = b"".join(gzip_stream([b"data"]))
    assert packed[:10] == bytes.fromhex("1f8b0800000000000003")
    assert gzip.decompress(packed) == b"data"


@pytest.mark.parametrize("now", [b"longer than before", b""])
def test_a_file_that_changes_while_it_is_packed_is_refused(now: bytes, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"before")
    stream = tar_stream([Entry(b"f", FILE, 0o644, path)])
    next(stream)  # the header, with the size
    path.write_bytes(now)
    with pytest.raises(ReleaseError, match="changed while it was being packed"):
        list(stream)


def test_a_file_larger_than_8_gib_has_its_size_in_gnu_s_binary_form(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(8**11 + 5)
    header = next(tar_stream([Entry(b"huge", FILE, 0o644, path)]))
    assert header[124:136] == b"\x80" + (8**11 + 5).to_bytes(11, "big")
