"""Our tarballs next to those of the real BOSH CLI, where `bosh` is on PATH."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.paths import ROOT
from tests.release.build.sample_trees import make_tree

from bosh_release.build.building import build_release
from bosh_release.source.git_state import Commit
from bosh_release.source.versions import Version, commit_version, parse_version
from bosh_release.support.errors import ReleaseError
from bosh_release.tarball.part_checks import Exceptions
from bosh_release.tarball.release_checks import verify_tarball

pytestmark = pytest.mark.skipif(
    shutil.which("bosh") is None, reason="the BOSH CLI (bosh) is not on PATH"
)

OWN_RELEASE = ROOT / "release"
DETERMINISTIC = "--sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner"
SEEDS = range(24)
CLEAN: Any = {"changed": False, "now": 1_100_000_000.0, "token": "12"}
CHANGED: Any = {"changed": True, "now": 1_200_000_000.0, "token": "12"}

MakeRelease = Callable[[dict[str, Any]], Path]
Bosh = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def bosh(tmp_path: Path) -> Bosh:
    home = tmp_path / "home"
    home.mkdir()

    def run(*arguments: object, tar_options: str = DETERMINISTIC, ok: bool = True) -> Any:
        environment = {
            **os.environ,
            "HOME": str(home),  # its cache would bring back archives of an earlier run
            "TAR_OPTIONS": tar_options,
            "LC_ALL": "C.UTF-8",
        }
        done = subprocess.run(
            ["bosh", "--non-interactive", *map(str, arguments)],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
            env=environment,
            timeout=60,
        )
        assert not ok or done.returncode == 0, done.stderr
        return done

    return run


def create(bosh: Bosh, folder: Path, output: Path, **options: Any) -> Any:
    return bosh(
        *("create-release", "--force", "--dir", folder),
        *("--version", "1.2", "--tarball", output),
        **options,
    )


def inside(path: Path) -> dict[str, Any]:
    """What must be the same: entries, modes, links, the tars inside, release.MF but its digests."""
    found: dict[str, Any] = {"entries": []}
    with tarfile.open(path) as tar:
        for member in tar:
            found["entries"].append((member.name, member.type, member.mode, member.linkname))
            if not member.isfile():
                continue
            file = tar.extractfile(member)
            assert file is not None
            data = file.read()
            if member.name.endswith(".tgz"):
                plain = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
                found[member.name] = hashlib.sha256(plain).hexdigest()
            elif member.name == "release.MF":
                found[member.name] = re.sub(rb"sha1: sha256:[0-9a-f]{64}", b"sha1: X", data)
            else:
                found[member.name] = data
    return found


@pytest.mark.parametrize("sample", ["alpha", "beta"])
def test_the_golden_samples_come_out_the_same(
    sample: str, bosh: Bosh, golden_release: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = golden_release(sample)
    ours = build_release(folder, version="1.2", output=tmp_path / "ours.tgz")
    create(bosh, folder, tmp_path / "cli.tgz")
    assert inside(ours.path) == inside(tmp_path / "cli.tgz")


@pytest.mark.parametrize("name", ["1234567", "0123456", "1234e56", "12e4567", "1e308", "1e309"])
def test_text_that_looks_like_a_number_gets_quotes_alike(
    name: str, bosh: Bosh, make_release: MakeRelease, tmp_path: Path
) -> None:
    """The short hash of a commit can be any of these."""
    folder = make_release({"config/final.yml": f"name: '{name}'\n"})
    ours = build_release(folder, version="1.2", output=tmp_path / "ours.tgz")
    create(bosh, folder, tmp_path / "cli.tgz")
    assert inside(ours.path)["release.MF"] == inside(tmp_path / "cli.tgz")["release.MF"]


@pytest.mark.parametrize("seed", SEEDS)
def test_odd_folders_come_out_the_same_or_are_refused_alike(
    seed: int, bosh: Bosh, tmp_path: Path
) -> None:
    folder = make_tree(seed, tmp_path / "tree")
    refusal = ""
    try:
        build_release(folder, version="1.2", output=tmp_path / "ours.tgz", unverified_blobs=True)
    except ReleaseError as error:
        refusal = str(error)
    done = create(bosh, folder, tmp_path / "cli.tgz", ok=False)
    if done.returncode == 0:
        assert refusal == ""
        assert inside(tmp_path / "ours.tgz") == inside(tmp_path / "cli.tgz")
    elif "Constructing" in done.stderr:
        assert refusal == done.stderr.removesuffix("\nExit code 1\n")
    else:  # it failed while packing, which the CLI does in an order of its own
        assert refusal.startswith("Building a release from directory")


@pytest.fixture
def own_release(tmp_path: Path) -> Path:
    """A copy, as the CLI writes into the folder and deletes what it does not know."""
    if not list((OWN_RELEASE / "blobs").rglob("*.whl")):
        pytest.skip("the blobs are not there (tools/release.py blobs)")
    copy = tmp_path / "own"
    ignored = shutil.ignore_patterns("dev_releases", ".dev_builds", "__pycache__")
    shutil.copytree(OWN_RELEASE, copy, symlinks=True, ignore=ignored)
    return copy


def test_our_release_comes_out_the_same(bosh: Bosh, own_release: Path, tmp_path: Path) -> None:
    ours = build_release(own_release, version="1.2", output=tmp_path / "ours.tgz")
    create(bosh, own_release, tmp_path / "cli.tgz")
    assert inside(ours.path) == inside(tmp_path / "cli.tgz")


def test_the_cli_reads_our_tarball_and_agrees_with_every_digest(
    bosh: Bosh, own_release: Path, tmp_path: Path
) -> None:
    ours = build_release(own_release, version="1.2", output=tmp_path / "ours.tgz")
    listing = bosh("inspect-local-release", ours.path).stdout
    for kind, name, fingerprint in ours.fingerprints:
        assert kind == "license" or f"{name}/{fingerprint}" in listing
    bosh("sha2ify-release", ours.path, tmp_path / "again.tgz")
    assert verify_tarball(tmp_path / "again.tgz").manifest.version == "1.2"


def test_the_cli_reads_the_version_of_a_commit(
    bosh: Bosh, git: Callable[..., str], make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({})
    for step in ("init -q", "add -A", "commit -qm first"):
        git(folder, *step.split())
    ours = build_release(folder, commit_version=True, output=tmp_path / "ours.tgz")
    shown = json.loads(bosh("inspect-local-release", "--json", ours.path).stdout)
    (row,) = next(table["Rows"] for table in shown["Tables"] if "commit_hash" in table["Header"])
    assert (row["version"], row["commit_hash"]) == (ours.version, ours.git.commit_hash)


@pytest.mark.parametrize("tar_options", ["", DETERMINISTIC])
@pytest.mark.parametrize("sample", ["alpha", "beta"])
def test_verify_finds_nothing_wrong_with_the_cli_s_own_tarballs(
    sample: str,
    tar_options: str,
    bosh: Bosh,
    golden_release: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    output = tmp_path / "cli.tgz"
    create(bosh, golden_release(sample), output, tar_options=tar_options)
    verified = verify_tarball(output, Exceptions(frozenset({"app"})))
    unchecked = [p.reference.name for p in verified.parts if p.fingerprint_unchecked]
    assert unchecked == (["app"] if sample == "beta" else [])
    assert verified.notes == ()


def test_versions_go_on_where_the_cli_left_off_and_the_other_way_round(
    bosh: Bosh, make_release: MakeRelease
) -> None:
    folder = make_release({})
    versions = []
    for _ in range(2):
        done = bosh("create-release", "--force", "--dir", folder)
        versions += re.findall(r"0\+dev\.[0-9]+", done.stdout)[:1]
        versions.append(build_release(folder).version)
    assert versions == ["0+dev.1", "0+dev.2", "0+dev.3", "0+dev.4"]


COMMIT, OTHER = Commit("f" * 40, 999_999_999), Commit("0" * 40, 1_000_000_000)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (commit_version(None, COMMIT, **CLEAN), commit_version(None, OTHER, **CLEAN)),
        (commit_version(None, COMMIT, **CLEAN), commit_version(None, COMMIT, **CHANGED)),
        (commit_version(None, COMMIT, **CHANGED), commit_version(None, OTHER, **CLEAN)),
        (commit_version(None, None, **CLEAN), commit_version(None, None, **CHANGED)),
        (parse_version("0+dev.9"), commit_version(None, COMMIT, **CLEAN)),
        (parse_version("1"), commit_version(parse_version("1"), COMMIT, **CLEAN)),
        (commit_version(parse_version("1"), COMMIT, **CLEAN), parse_version("1.0.1")),
    ],
    ids=str,
)
def test_the_cli_orders_the_versions_of_commits_as_we_do(
    earlier: Version, later: Version, bosh: Bosh, make_release: MakeRelease
) -> None:
    """It counts on from the highest version that is written down, if that ends in a number."""
    ends = [version._replace(post=(*version.post, 1)) for version in (later, earlier)]
    builds = "".join(f"  k{n}: {{version: {end}}}\n" for n, end in enumerate(ends))
    index = f"builds:\n{builds}format-version: '2'\n"
    folder = make_release({"dev_releases/t/index.yml": index})
    done = bosh("create-release", "--force", "--dir", folder)
    assert str(later._replace(post=(*later.post, 2))) in done.stdout


def test_the_state_of_git_is_told_alike(
    bosh: Bosh, git: Callable[..., str], make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({".gitignore": "dev_releases\n.dev_builds\n"})
    for step in ("init -q", "add -A", "commit -qm first"):
        git(folder, *step.split())
    for number in range(2):  # clean, then changed
        ours, theirs = tmp_path / f"ours{number}.tgz", tmp_path / f"cli{number}.tgz"
        build_release(folder, version="1.2", output=ours, force=True)
        create(bosh, folder, theirs)
        shutil.rmtree(folder / "dev_releases")
        assert inside(ours)["release.MF"] == inside(theirs)["release.MF"]
        (folder / "new").write_text("1")


def test_a_changed_checkout_is_refused_in_the_cli_s_words(
    bosh: Bosh, git: Callable[..., str], make_release: MakeRelease
) -> None:
    folder = make_release({})
    git(folder, "init", "-q")
    done = bosh("create-release", "--dir", folder, ok=False)
    with pytest.raises(ReleaseError) as caught:
        build_release(folder, version="1", output=folder / "o.tgz")
    assert str(caught.value).startswith(done.stderr.removesuffix("\nExit code 1\n"))
