"""Bringing blobs: with pip from a local folder of wheels, so without any network."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.paths import ROOT

from bosh_release.blobs.bringing import Outcome, bring_blobs
from bosh_release.blobs.progress import shown_on
from bosh_release.blobs.wheels import Wheel, parse_wheel
from bosh_release.support.errors import ReleaseError

MakeRelease = Callable[[dict[str, Any]], Path]
RELEASE_PY = ROOT / "tools" / "release.py"


class Quiet:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.total = 0
        self.outcomes: list[Outcome] = []

    def start(self, total: int) -> None:
        self.total = total

    def done(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


def wheel_bytes(name: str, version: str, text: str = "x = 1\n") -> bytes:
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": text,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    records = [f"{file},sha256={digest(content)},{len(content)}" for file, content in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*records, f"{info}/RECORD,,"]) + "\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file, content in files.items():
            archive.writestr(file, content)
    return buffer.getvalue()


def digest(content: str) -> str:
    raw = hashlib.sha256(content.encode()).digest()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


WHEELS = {
    f"{name}-{version}-py3-none-any.whl": wheel_bytes(name, version)
    for name, version in (("blob_one", "1.0"), ("blob_two", "2.5.1"))
}


def blobs_yml(**changes: dict[str, Any]) -> str:
    lines = ["---"]
    for file, data in WHEELS.items():
        entry = {"size": len(data), "sha": f"sha256:{hashlib.sha256(data).hexdigest()}"}
        entry |= changes.get(file.partition("-")[0], {})
        lines += [f"wheels/{file}:", *(f"  {key}: {value}" for key, value in entry.items())]
    return "\n".join(lines) + "\n"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes wheels from; it is the only one that it knows."""
    folder = tmp_path / "index"
    folder.mkdir()
    for file, data in WHEELS.items():
        (folder / file).write_bytes(data)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@contextmanager
def no_pip(_wheel: Wheel) -> Iterator[Path]:
    raise AssertionError("nothing should have been downloaded")
    yield


def fetching(files: dict[str, bytes], tmp_path: Path) -> Any:
    @contextmanager
    def fetch(wheel: Wheel) -> Iterator[Path]:
        path = tmp_path / "fetched" / wheel.file_name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(files[wheel.file_name])
        yield path

    return fetch


@pytest.mark.parametrize(
    ("path", "name", "version"),
    [
        ("a/jmespath-1.1.0-py3-none-any.whl", "jmespath", "1.1.0"),
        ("aliyun_python_sdk_slb-3.3.22-py2.py3-none-any.whl", "aliyun_python_sdk_slb", "3.3.22"),
        ("x-1.0+local.1-1build-py3-none-any.whl", "x", "1.0+local.1"),
    ],
)
def test_name_and_version_are_read_from_the_file_name(path: str, name: str, version: str) -> None:
    wheel = parse_wheel(path)
    assert (wheel.name, wheel.version) == (name, version)


@pytest.mark.parametrize("path", ["a.tar.gz", "golang/go1.5.linux.tgz", "x-1.0.whl", "x-1-any.whl"])
def test_what_is_no_wheel_is_refused_by_name(path: str) -> None:
    with pytest.raises(ReleaseError, match="is not a Python wheel"):
        parse_wheel(path)


def test_a_wheel_for_one_platform_is_refused() -> None:
    with pytest.raises(ReleaseError, match="made for cp311 on manylinux"):
        parse_wheel("x-1-cp311-cp311-manylinux_2_17_x86_64.whl")


def test_pip_brings_every_wheel_by_name(index: Path, make_release: MakeRelease) -> None:
    folder = make_release({"config/blobs.yml": blobs_yml()})
    progress = Quiet()
    bring_blobs(folder, progress)
    assert {p.name: p.read_bytes() for p in (folder / "blobs" / "wheels").iterdir()} == WHEELS
    assert progress.total == len(progress.outcomes) == 2
    assert all(outcome.brought for outcome in progress.outcomes)


def test_what_is_right_is_left_alone(make_release: MakeRelease) -> None:
    files = {f"blobs/wheels/{file}": data for file, data in WHEELS.items()}
    folder = make_release({"config/blobs.yml": blobs_yml(), **files})
    before = {p: p.stat().st_mtime_ns for p in (folder / "blobs").rglob("*.whl")}
    outcomes = bring_blobs(folder, Quiet(), no_pip)
    assert [outcome.brought for outcome in outcomes] == [False, False]
    assert {p: p.stat().st_mtime_ns for p in (folder / "blobs").rglob("*.whl")} == before


@pytest.mark.parametrize(
    "remains", [b"", b"half of it", WHEELS["blob_one-1.0-py3-none-any.whl"][:-1]]
)
def test_remains_of_another_download_are_replaced(
    remains: bytes, make_release: MakeRelease, tmp_path: Path
) -> None:
    file = "blob_one-1.0-py3-none-any.whl"
    folder = make_release({"config/blobs.yml": blobs_yml(), f"blobs/wheels/{file}": remains})
    bring_blobs(folder, Quiet(), fetching(WHEELS, tmp_path))
    assert (folder / "blobs" / "wheels" / file).read_bytes() == WHEELS[file]


def test_an_interrupted_run_goes_on_with_what_is_missing(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({"config/blobs.yml": blobs_yml()})
    half = {name: data for name, data in WHEELS.items() if name.startswith("blob_one")}
    with pytest.raises(KeyError):  # stands for a run that was ended from outside
        bring_blobs(folder, Quiet(), fetching(half, tmp_path))
    outcomes = bring_blobs(folder, Quiet(), fetching(WHEELS, tmp_path))
    assert [outcome.brought for outcome in outcomes] == [False, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha": f"sha256:{'0' * 64}"}, "but config/blobs.yml says sha256:0000"),
        ({"size": 5}, "bytes, but config/blobs.yml says 5."),
    ],
)
def test_a_file_that_is_not_as_listed_is_refused_and_not_put_in_place(
    change: dict[str, Any], message: str, make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({"config/blobs.yml": blobs_yml(blob_one=change)})
    with pytest.raises(ReleaseError) as caught:
        bring_blobs(folder, Quiet(), fetching(WHEELS, tmp_path))
    assert message in str(caught.value)
    assert "Getting blob 'wheels/blob_one-1.0-py3-none-any.whl'" in str(caught.value)
    assert [p.name for p in (folder / "blobs" / "wheels").iterdir()] == [
        "blob_two-2.5.1-py3-none-any.whl"  # the other one was brought all the same
    ]


def test_other_files_in_blobs_are_never_removed(make_release: MakeRelease, tmp_path: Path) -> None:
    folder = make_release({"config/blobs.yml": blobs_yml(), "blobs/wheels/mine.txt": "mine"})
    bring_blobs(folder, Quiet(), fetching(WHEELS, tmp_path))
    assert (folder / "blobs" / "wheels" / "mine.txt").read_text() == "mine"


@pytest.mark.thorough
def test_a_version_that_the_index_does_not_have_is_told_with_pip_s_reason(
    index: Path, make_release: MakeRelease
) -> None:
    (index / "blob_one-1.0-py3-none-any.whl").unlink()
    folder = make_release({"config/blobs.yml": blobs_yml()})
    with pytest.raises(ReleaseError) as caught:
        bring_blobs(folder, Quiet())
    assert "pip could not download blob_one 1.0" in str(caught.value)
    assert "ERROR:" in str(caught.value)


@pytest.mark.thorough
def test_another_file_of_that_version_is_told(index: Path, make_release: MakeRelease) -> None:
    file = "blob_one-1.0-py3-none-any.whl"
    (index / file).rename(index / "blob_one-1.0-py2.py3-none-any.whl")
    folder = make_release({"config/blobs.yml": blobs_yml()})
    with pytest.raises(ReleaseError, match=r"pip chose blob_one-1\.0-py2\.py3-none-any\.whl"):
        bring_blobs(folder, Quiet())


@pytest.mark.thorough
def test_the_command_says_a_line_for_each_and_a_sum(index: Path, make_release: MakeRelease) -> None:
    folder = make_release({"config/blobs.yml": blobs_yml()})
    first, second = (run_blobs(folder) for _ in range(2))
    assert "[2/2] wheels/blob_" in first
    assert "2 blobs are in place, 2 of them downloaded now." in first
    assert "already there" in second
    assert "2 blobs are in place, 0 of them downloaded now." in second


def run_blobs(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(RELEASE_PY), "blobs", "--release-dir", str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_terminal_sees_a_bar_and_the_same_lines(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    folder = make_release({"config/blobs.yml": blobs_yml()})
    out = Terminal()
    with shown_on(out) as progress:
        bring_blobs(folder, progress, fetching(WHEELS, tmp_path))
    assert "blob_one-1.0-py3-none-any.whl" in out.getvalue()
    assert "2/2" in out.getvalue()
