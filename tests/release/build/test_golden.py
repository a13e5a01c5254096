"""The golden vectors: what the real BOSH CLI made of the same folders."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.paths import ROOT

from bosh_release.build.building import build_release
from bosh_release.support.errors import ReleaseError

GOLDEN = ROOT / "tests/release/golden"
ERRORS: dict[str, dict[str, Any]] = json.loads((GOLDEN / "errors.json").read_text())
SAMPLES = ("alpha", "beta")


@pytest.fixture(params=SAMPLES)
def built(
    request: pytest.FixtureRequest, golden_release: Callable[[str], Path], tmp_path: Path
) -> tuple[Path, dict[str, Any], Any]:
    folder = golden_release(request.param)
    built = build_release(folder, version="9.9.9", output=tmp_path / "out.tgz")
    expected = json.loads((GOLDEN / request.param / "deterministic.json").read_text())
    return built.path, expected, built


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def entries(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {m.name: tar.extractfile(m).read() if m.isfile() else b"" for m in tar}


def test_the_tarball_has_the_cli_s_entries_in_its_order(
    built: tuple[Path, dict[str, Any], Any],
) -> None:
    path, expected, _ = built
    assert list(entries(path)) == expected["order"]


def test_the_archives_inside_have_the_cli_s_bytes(built: tuple[Path, dict[str, Any], Any]) -> None:
    import gzip

    path, expected, _ = built
    found = {n: gzip.decompress(d) for n, d in entries(path).items() if n.endswith(".tgz")}
    assert {name: sha256(tar) for name, tar in found.items()} == {
        name: inner["tar_sha256"] for name, inner in expected["inner"].items()
    }


def test_small_archives_are_compressed_to_gnu_gzip_s_bytes_too(
    built: tuple[Path, dict[str, Any], Any],
) -> None:
    # so even release.MF, which names their digests, is the CLI's to the byte
    path, expected, _ = built
    assert entries(path)["release.MF"].decode() == expected["release_MF"]


def test_fingerprints_are_the_cli_s(built: tuple[Path, dict[str, Any], Any]) -> None:
    _, _, result = built
    expected = json.loads((GOLDEN / result.name / "fingerprints.json").read_text())
    by_kind = {(kind, name): value for kind, name, value in result.fingerprints}
    assert by_kind == {
        **{("job", name): value for name, value in expected["jobs"].items()},
        **{("package", name): value for name, value in expected["packages"].items()},
        ("license", "license"): expected["license"],
    }


def test_modes_outside_are_the_cli_s(built: tuple[Path, dict[str, Any], Any]) -> None:
    path, _, _ = built
    with tarfile.open(path) as tar:
        modes = {member.name: member.mode for member in tar}
    assert modes["release.MF"] == 0o644
    assert modes["jobs"] == modes["packages"] == 0o755
    archives = [mode for name, mode in modes.items() if name.endswith(".tgz")]
    assert set(archives) == {0o600}
    assert modes.get("LICENSE-extra", 0o755) == 0o755


@pytest.mark.parametrize("name", [n for n, case in ERRORS.items() if case["rc"]])
def test_what_the_cli_refuses_is_refused_in_its_words(name: str, tmp_path: Path) -> None:
    folder = write_case(ERRORS[name], tmp_path)
    output = tmp_path / "out.tgz"
    with pytest.raises(ReleaseError) as caught:
        build_release(folder, version="1", output=output)
    expected = ERRORS[name]["stderr"].replace("$REL", str(folder)).removesuffix("\nExit code 1\n")
    said = str(caught.value)
    assert said.startswith(expected)
    hint = said[len(expected) :]
    # one of them gets a hint, as here a command of our own puts it right
    assert ("release.py blobs" in hint) == (name == "blob_absent_no_object_id")
    assert hint == "" or name == "blob_absent_no_object_id"
    assert not output.exists()


@pytest.mark.parametrize("name", [n for n, case in ERRORS.items() if not case["rc"]])
def test_what_the_cli_takes_is_taken(name: str, tmp_path: Path) -> None:
    folder = write_case(ERRORS[name], tmp_path)
    output = tmp_path / "out.tgz"
    assert build_release(folder, version="1", output=output, unverified_blobs=True).path.exists()


def write_case(case: dict[str, Any], tmp_path: Path) -> Path:
    folder = tmp_path / "rel"
    (folder / "config").mkdir(parents=True)
    for name, text in case["files"].items():
        if text is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    return folder
