"""What unpacks archives, as root: nothing is written outside of the folder that was named."""

from __future__ import annotations

import contextlib
import gzip
import io
import stat
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis import strategies as st
from tests.fuzz.release import Item, archive, items, names
from tests.fuzz.target import Target

from demo.compilation import unpack
from demo.sandbox import SandboxError


@contextlib.contextmanager
def _watched() -> Iterator[Path]:
    """A folder in a folder, where nothing else may appear."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "outside"
        folder.mkdir()
        (folder / "kept").write_text("as it was")
        yield folder
        assert {path.name for path in folder.iterdir()} <= {"kept", "archive", "into"}
        assert (folder / "kept").read_text() == "as it was"
        assert [path.name for path in Path(name).iterdir()] == ["outside"]


escapes = st.sampled_from(
    (
        [Item("up", kind=b"2", target="../.."), Item("up/evil", b"x")],
        [Item("a", kind=b"2", target="b"), Item("b", kind=b"2", target=".."), Item("a/b/evil")],
        [Item("a/b", b"x"), Item("a", kind=b"2", target=".."), Item("a/evil", b"x")],
        [Item("one", b"x"), Item("./two", kind=b"1", target="one"), Item("three", kind=b"5")],
    )
)


def tarball_stays_inside(groups: list[list[Item]]) -> None:
    """The demo's compilation VM."""
    members = [one for group in groups for one in group]
    with _watched() as folder:
        path = folder / "archive"
        path.write_bytes(gzip.compress(archive(members), 1))
        with contextlib.suppress(SandboxError):
            unpack(path, folder / "into")
        for one in (folder / "into").rglob("*"):
            mode = one.lstat().st_mode
            assert not stat.S_ISBLK(mode), one
            assert not stat.S_ISCHR(mode), one
            assert not mode & (stat.S_ISUID | stat.S_ISGID) or stat.S_ISDIR(mode), one


def wheel_stays_inside(members: list[tuple[str, bytes, int]]) -> None:
    """zipfile's extraction of all, with which install_wheels.py unpacks wheels."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as wheel:
        warnings.simplefilter("ignore")  # names that are there twice
        for name, content, mode in members:
            info = zipfile.ZipInfo("x")
            info.filename, info.external_attr = name, mode << 16
            wheel.writestr(info, content)
    with _watched() as folder:
        path, into = folder / "archive", folder / "into"
        path.write_bytes(buffer.getvalue())
        with contextlib.suppress(OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
            zipfile.main(["-e", str(path), str(into)])
        assert not any(one.is_symlink() for one in into.rglob("*"))


archives = st.lists(escapes | items.map(lambda one: [one]), max_size=3)


def _can_be_in_a_zip(name: str) -> bool:
    """And makes CPython's own zipfile stumble over nothing but what it says."""
    return 0 < len(name.partition("\0")[0]) < 1000 and not any(
        "\ud800" <= c <= "\udfff" for c in name
    )


members = st.lists(
    st.tuples(
        names.filter(_can_be_in_a_zip),
        st.binary(max_size=10),
        st.sampled_from((0o644, stat.S_IFLNK | 0o777, stat.S_IFCHR | 0o666, 0o104755)),
    ),
    max_size=4,
)

TARGETS = (
    Target("unpacking", archives, tarball_stays_inside),
    Target("wheel", members, wheel_stays_inside, examples=60),
)
