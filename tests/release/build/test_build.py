"""Building: determinism, modes, links, scripts, refusals, and what is left behind."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bosh_release.build.building import build_release
from bosh_release.support.errors import ReleaseError

MakeRelease = Callable[[dict[str, Any]], Path]

PACKAGE = {
    "packages/p/spec": "name: p\nfiles: ['app/**/*']\n",
    "packages/p/packaging": "true\n",
}
JOB = {"jobs/j/spec": "name: j\ntemplates: {t.erb: bin/t}\n", "jobs/j/templates/t.erb": "x\n"}


def inner(tarball: Path, archive: str) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(tarball) as outer:
        packed = outer.extractfile(archive)
        assert packed is not None
        with tarfile.open(fileobj=io.BytesIO(packed.read())) as tar:
            return {member.name: member for member in tar}


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_two_builds_are_the_same_bytes(make_release: MakeRelease, tmp_path: Path) -> None:
    folder = make_release({**PACKAGE, **JOB, "src/app/a": "1", "LICENSE": "l"})
    one = build_release(folder, version="1", output=tmp_path / "one.tgz")
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))
    two = build_release(folder, version="1", output=tmp_path / "two.tgz")
    assert one.path.read_bytes() == two.path.read_bytes()
    assert one.sha256 == two.sha256


@pytest.mark.parametrize("umask", ["0002", "0027", "0077"])
def test_a_checkout_under_another_umask_builds_the_same_bytes(
    umask: str, git: Callable[..., str], make_release: MakeRelease, tmp_path: Path
) -> None:
    origin = make_release(
        {**PACKAGE, **JOB, "src/app/run": ("#!\n", 0o755), "src/app/d/x": "1", "NOTICE": "n"}
    )
    commit_all(git, origin)
    build_release(origin, version="1", output=tmp_path / "one.tgz")
    copy = tmp_path / "copy"
    subprocess.run(
        ["sh", "-c", 'umask "$0" && git clone -q "$1" "$2"', umask, str(origin), str(copy)],
        check=True,
    )
    os.umask(int(umask, 8))
    build_release(copy, version="1", output=tmp_path / "two.tgz")
    assert (tmp_path / "one.tgz").read_bytes() == (tmp_path / "two.tgz").read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_checkout_of_another_owner_builds_the_same_bytes(
    git: Callable[..., str], make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({**PACKAGE, "src/app/x": "1"})
    commit_all(git, folder)
    one = build_release(folder, version="1", output=tmp_path / "one.tgz")
    for path in (folder, *folder.rglob("*")):
        os.lchown(path, 12345, 12345)
    two = build_release(folder, version="1", output=tmp_path / "two.tgz")
    assert one.git == two.git
    assert one.sha256 == two.sha256


def commit_all(git: Callable[..., str], folder: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")


def test_file_modes_follow_the_owner_s_executable_bit(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release(
        {
            **PACKAGE,
            "src/app/private": ("1", 0o600),
            "src/app/run": ("1", 0o700),
            "src/app/open": ("1", 0o666),
            "src/app/suid": ("1", 0o4755),
        }
    )
    built = build_release(folder, version="1", output=tmp_path / "o.tgz")
    modes = {name: member.mode for name, member in inner(built.path, "packages/p.tgz").items()}
    assert modes["./app/private"] == modes["./app/open"] == modes["./packaging"] == 0o644
    assert modes["./app/run"] == modes["./app/suid"] == 0o755
    assert modes["./app"] == modes["."] == 0o755


def test_a_file_executable_by_others_only_is_refused_by_name(make_release: MakeRelease) -> None:
    folder = make_release({**PACKAGE, "src/app/odd": ("1", 0o645)})
    with pytest.raises(ReleaseError) as caught:
        build_release(folder, version="1", output=folder / "o.tgz")
    assert "and staging ('" in str(caught.value)
    assert "src/app/odd" in str(caught.value)


def test_links_in_a_package_stay_links_and_in_a_job_are_followed(
    make_release: MakeRelease, tmp_path: Path, link: Callable[[str], Any]
) -> None:
    folder = make_release(
        {
            **PACKAGE,
            **JOB,
            "src/app/a": "1",
            "src/app/to-a": link("./a"),
            "src/app/nowhere": link("gone"),
            "jobs/j/templates/t.erb": link("real"),
            "jobs/j/templates/real": "x",
        }
    )
    built = build_release(folder, version="1", output=tmp_path / "o.tgz")
    package = inner(built.path, "packages/p.tgz")
    assert package["./app/to-a"].linkname == "./a"
    assert package["./app/nowhere"].issym()
    assert inner(built.path, "jobs/j.tgz")["./templates/t.erb"].isfile()


def test_a_linked_folder_is_packed_as_a_link_without_what_is_in_it(
    make_release: MakeRelease, tmp_path: Path, link: Callable[[str], Any]
) -> None:
    folder = make_release(
        {
            **PACKAGE,
            "src/app/d/x": "1",
            "src/app/d/sub-link": link("x"),
            "src/app/to-d": link("d"),
            "src/app/d/self": link("."),
        }
    )
    built = build_release(folder, version="1", output=tmp_path / "o.tgz")
    names = set(inner(built.path, "packages/p.tgz"))
    assert names == {
        *(".", "./packaging", "./app", "./app/to-d"),
        *("./app/d", "./app/d/x", "./app/d/sub-link", "./app/d/self"),
    }


def test_a_link_to_the_folder_that_it_is_in_is_packed_once(
    make_release: MakeRelease, tmp_path: Path, link: Callable[[str], Any]
) -> None:
    folder = make_release({**PACKAGE, "src/app/d/x": "1", "src/app/d/round": link("../d")})
    built = build_release(folder, version="1", output=tmp_path / "o.tgz")
    assert set(inner(built.path, "packages/p.tgz")) == {
        *(".", "./packaging", "./app", "./app/d", "./app/d/x", "./app/d/round")
    }


def test_src_as_a_link_to_another_place_loses_the_script_as_in_the_cli_but_not_silently(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({"src/.keep": None, **PACKAGE})
    (tmp_path / "other" / "place" / "app").mkdir(parents=True)
    (tmp_path / "other" / "place" / "app" / "x").write_text("1")
    (folder / "src").symlink_to(tmp_path / "other" / "place")
    notes: list[str] = []
    built = build_release(folder, version="1", output=tmp_path / "o.tgz", warn=notes.append)
    assert "./packaging" not in inner(built.path, "packages/p.tgz")
    assert any("package 'p' is packed without its packaging script" in note for note in notes)


def test_src_shadows_blobs_and_unlisted_blobs_do_not_count(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release(
        {
            **PACKAGE,
            "src/app/both": "from src",
            "blobs/app/both": "from blobs",
            "blobs/app/blob": "b",
            "blobs/app/stray": "s",
            "config/blobs.yml": "app/both: {size: 10}\napp/blob: {size: 1}\n",
        }
    )
    before = snapshot(folder)
    built = build_release(folder, version="1", output=tmp_path / "o.tgz")
    package = inner(built.path, "packages/p.tgz")
    assert "./app/blob" in package
    assert "./app/stray" not in package
    assert package["./app/both"].size == len("from src")
    assert snapshot(folder) == before  # the CLI would have deleted the stray one


def test_a_link_in_blobs_is_refused(make_release: MakeRelease, link: Callable[[str], Any]) -> None:
    folder = make_release({"blobs/x": link("/etc/hostname")})
    with pytest.raises(ReleaseError, match="symlinks found in blobs"):
        build_release(folder, version="1", output=folder / "o.tgz")


def test_a_pipe_is_refused_and_not_waited_for(make_release: MakeRelease) -> None:
    folder = make_release({**PACKAGE, "src/app/x": "1"})
    os.mkfifo(folder / "src/app/pipe")
    with pytest.raises(ReleaseError, match="src/app/pipe: it is a pipe"):
        build_release(folder, version="1", output=folder / "o.tgz")


def test_pre_packaging_runs_in_the_staged_copy_and_is_not_packed(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    script = (
        'set -e; test "$PWD" = "$BUILD_DIR"; test -d "$RELEASE_DIR/packages"\n'
        "echo made > made; mkdir -p sub; ln made hard; ln -s made soft; rm app/x\n"
    )
    folder = make_release(
        {**PACKAGE, "src/app/x": "1", "src/app/y": "2", "packages/p/pre_packaging": script}
    )
    built = build_release(folder, version="1", output=tmp_path / "o.tgz")
    package = inner(built.path, "packages/p.tgz")
    assert set(package) == {
        *(".", "./packaging", "./app", "./app/y", "./sub", "./hard", "./made", "./soft")
    }
    assert package["./made"].islnk()
    assert package["./made"].linkname == "./hard"
    assert (folder / "src/app/x").exists()


def test_a_failing_pre_packaging_script_is_told_with_its_last_words(
    make_release: MakeRelease,
) -> None:
    folder = make_release({**PACKAGE, "src/app/x": "1"})
    (folder / "packages/p/pre_packaging").write_text("echo the reason >&2; exit 3\n")
    with pytest.raises(ReleaseError) as caught:
        build_release(folder, version="1", output=folder / "o.tgz")
    assert "Running prep scripts" in str(caught.value)
    assert "exit code 3" in str(caught.value)
    assert "the reason" in str(caught.value)


def test_no_compression_leaves_the_archives_plain(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({**PACKAGE, "src/app/x": "1"})
    (folder / "packages/p/spec").write_text("name: p\nfiles: [app/x]\nno_compression: true\n")
    (folder / "config/final.yml").write_text("name: t\nno_compression: true\n")
    built = build_release(folder, version="1", output=tmp_path / "o.tgz")
    with tarfile.open(built.path, "r:") as outer:
        packed = outer.extractfile("packages/p.tgz")
        assert packed is not None
        with tarfile.open(fileobj=packed, mode="r:") as tar:
            assert "./app/x" in tar.getnames()
        manifest = outer.extractfile("release.MF")
        assert manifest is not None
        assert b"no_compression: true" in manifest.read()


def test_two_packages_of_one_name_are_refused(make_release: MakeRelease) -> None:
    folder = make_release(
        {
            f"packages/{d}/{f}": t
            for d in "xy"
            for f, t in (("spec", "name: n\n"), ("packaging", ""))
        }
    )
    with pytest.raises(ReleaseError, match="the name 'n'"):
        build_release(folder, version="1", output=folder / "o.tgz")


def test_a_failed_build_leaves_the_old_tarball_and_no_remains(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({**PACKAGE, "src/app/x": "1"})
    output = tmp_path / "out" / "o.tgz"
    output.parent.mkdir()
    build_release(folder, version="1", output=output)
    before = output.read_bytes()
    shutil.rmtree(folder / "src" / "app")
    with pytest.raises(ReleaseError):
        build_release(folder, version="1", output=output)
    assert output.read_bytes() == before
    assert list(output.parent.iterdir()) == [output]


def test_a_missing_output_folder_is_made_but_not_for_a_build_that_fails(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({**PACKAGE, "src/app/x": "1"})
    output = tmp_path / "new" / "er" / "o.tgz"
    assert build_release(folder, version="1", output=output).path.exists()
    (folder / "src/app/x").unlink()
    with pytest.raises(ReleaseError, match="Missing files"):
        build_release(folder, version="1", output=tmp_path / "other" / "er" / "o.tgz")
    assert not (tmp_path / "other").exists()


def test_output_into_an_unfit_place_is_one_clear_message(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({})
    (tmp_path / "file").write_text("")
    with pytest.raises(ReleaseError, match=r"x/o\.tgz: not a directory"):
        build_release(folder, version="1", output=tmp_path / "file" / "x" / "o.tgz")
    os.mkfifo(tmp_path / "pipe")
    for unfit in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ReleaseError, match="is not a file: name one"):
            build_release(folder, version="1", output=unfit)
        assert unfit.exists()


def test_name_and_version_are_filled_into_the_output(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release({})
    built = build_release(folder, version="1.2", output=tmp_path / "((name))-((version)).tgz")
    assert built.path == tmp_path / "t-1.2.tgz"
    assert built.path.stat().st_mode & 0o777 == 0o644


def test_a_missing_release_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="There is no release folder"):
        build_release(tmp_path / "nope", version="1", output=tmp_path / "o.tgz")


@pytest.mark.parametrize("digest", ["sha256:00", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "x"])
def test_a_wrong_blob_is_refused_though_the_cli_says_nothing(
    digest: str, make_release: MakeRelease, tmp_path: Path
) -> None:
    folder = make_release(
        {
            **PACKAGE,
            "blobs/app/x": "1",
            "config/blobs.yml": f"app/x: {{sha: '{digest}'}}\napp/y: {{sha: x}}\n",
        }
    )
    output = tmp_path / "o.tgz"
    with pytest.raises(ReleaseError, match="blobs/app/x is not what"):
        build_release(folder, version="1", output=output)
    assert not output.exists()
    notes: list[str] = []
    build_release(folder, version="1", output=output, unverified_blobs=True, warn=notes.append)
    assert [note.partition(" ")[0] for note in notes] == ["blobs/app/y", "blobs/app/x"]


def test_a_blob_with_an_object_id_comes_from_a_local_blobstore(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    digest = "4dc7c9ec434ed06502767136789763ec11d2c4b7"  # SHA1 of "r"
    folder = make_release(
        {
            **PACKAGE,
            "config/final.yml": "name: t\nblobstore: {provider: local, options: "
            "{blobstore_path: ../store}}\n",
            "config/blobs.yml": f"app/r: {{size: 1, object_id: o1, sha: {digest}}}\n",
        }
    )
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "o1").write_text("r")
    built = build_release(folder, version="1", output=tmp_path / "o.tgz")
    assert "./app/r" in inner(built.path, "packages/p.tgz")
    (tmp_path / "store" / "o1").write_text("spoilt")
    (folder / "blobs/app/r").unlink()
    with pytest.raises(ReleaseError, match="does not have the digest"):
        build_release(folder, version="1", output=tmp_path / "o.tgz")


def test_a_vendored_package_comes_from_the_local_blobstore(
    make_release: MakeRelease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = make_release(
        {
            "config/final.yml": "name: t\nblobstore: {provider: local, options: "
            "{blobstore_path: ../store}}\n",
            "packages/v/spec.lock": "name: v\nfingerprint: abc\n",
            ".final_builds/packages/v/index.yml": "builds:\n  abc:\n    version: abc\n"
            "    blobstore_id: o2\n    sha1: 4dc7c9ec434ed06502767136789763ec11d2c4b7\n",
        }
    )
    with pytest.raises(ReleaseError, match="Cannot find blob 'o2' of 'v/abc'"):
        build_release(folder, version="1", output=tmp_path / "o.tgz")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "o2").write_text("r")
    built = build_release(folder, version="1", output=tmp_path / "o.tgz")
    with tarfile.open(built.path) as outer:
        packed = outer.extractfile("packages/v.tgz")
        assert packed is not None
        assert packed.read() == b"r"
