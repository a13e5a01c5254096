"""Checking tarballs: good ones of several makers, and what must not be in one."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.release.verify.repacking import (
    FILES,
    entry,
    keep,
    members,
    packed,
    rebuilt,
    refusal,
    unchecked,
    with_inner,
)

from bosh_release.build.building import build_release
from bosh_release.support.errors import ReleaseError
from bosh_release.tarball.part_checks import Exceptions
from bosh_release.tarball.release_checks import verify_tarball
from bosh_release.verify.command import describe

MakeRelease = Callable[[dict[str, Any]], Path]


def test_our_own_tarball_is_right_in_everything(good: Path) -> None:
    verified = verify_tarball(good)
    assert [part.reference.file for part in verified.parts] == [
        *("jobs/j.tgz", "packages/p.tgz", "packages/q.tgz", "license.tgz")
    ]
    assert unchecked(verified) == []
    assert verified.notes == ()


def test_a_package_with_pre_packaging_is_taken_only_by_name(
    golden_release: Callable[[str], Path], tmp_path: Path
) -> None:
    built = build_golden(golden_release("beta"), tmp_path / "o.tgz")
    said = refusal(built)
    assert said.count("\n") == 1
    assert "packages/app.tgz: its files give the fingerprint" in said
    assert "--allow-changed app" in said
    verified = verify_tarball(built, Exceptions(frozenset({"app"})))
    assert unchecked(verified) == ["app"]


def build_golden(folder: Path, output: Path) -> Path:
    return build_release(folder, version="1", output=output).path


def test_links_below_a_linked_folder_are_taken_only_by_name(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    # in the fingerprint they count, as with the CLI, and packed they are not
    folder = make_release(FILES)
    (folder / "src/app/d").mkdir()
    (folder / "src/app/d/up").symlink_to("../data")
    (folder / "src/app/to-d").symlink_to("d")
    built = build_release(folder, version="1", output=tmp_path / "o.tgz")
    assert "links below a linked folder" in refusal(built.path)
    assert unchecked(verify_tarball(built.path, Exceptions(frozenset({"p"})))) == ["p"]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_other_makers_forms_of_tar_are_read(good: Path, form: int) -> None:
    entries = list(members(good.read_bytes()))
    for member, _ in entries:
        member.name = f"./{member.name}"
        member.pax_headers = {"comment": "ü"}
    good.write_bytes(packed(entries, form))
    assert unchecked(verify_tarball(good)) == []


def test_long_names_are_read(make_release: MakeRelease, tmp_path: Path) -> None:
    folder = make_release({**FILES, f"src/app/{'n' * 120}": "1", f"src/app/{'ü' * 90}": "2"})
    built = build_release(folder, version="1", output=tmp_path / "o.tgz")
    assert unchecked(verify_tarball(built.path)) == []


def test_a_plain_tarball_is_read(good: Path) -> None:
    good.write_bytes(gzip.decompress(good.read_bytes()))
    assert unchecked(verify_tarball(good)) == []


def test_other_digests_of_bosh_are_understood(good: Path) -> None:
    old = {m.name: data for m, data in members(good.read_bytes())}["packages/p.tgz"]
    sha256 = hashlib.sha256(old).hexdigest()
    sha1 = hashlib.sha1(old, usedforsecurity=False).hexdigest()

    def change(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        return member, data.replace(f"sha256:{sha256}".encode(), sha1.encode())

    assert unchecked(verify_tarball(rebuilt(good, change))) == []


def test_a_tarball_without_a_manifest_is_told(good: Path) -> None:
    path = rebuilt(good, lambda m, d: None if m.name == "release.MF" else (m, d))
    assert "it has no release.MF" in refusal(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"name: t\n", b"", "release.MF has no 'name'"),
        (b'"1.2"', b'"' + b"1" * 5000 + b'"', "to have at most 255 characters"),
        (b"version: ", b"version: [", "Reading release.MF"),
        (b'version: "1.2"', b"version: 1 2", "Expected version '1 2' to match version format"),
        (b"- name: q\n", b"- name: r\n", "packages/r.tgz is missing"),
        (b"  - q\n", b"  - z\n", "package 'p' needs package 'z', which is not there"),
        (b"  packages:\n  - p\n", b"  packages:\n  - q\n", "job.MF names other packages"),
        (b"sha1: sha256:", b"sha1: md5:", "is not a digest"),
    ],
)
def test_a_manifest_that_does_not_fit_is_told(
    good: Path, old: bytes, new: bytes, message: str
) -> None:
    def change(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name == "release.MF":
            assert old in data
            data = data.replace(old, new)
        return member, data

    assert message in refusal(rebuilt(good, change))


def test_an_archive_that_is_not_mentioned_is_told(good: Path) -> None:
    path = rebuilt(good, keep, [entry("jobs/extra.tgz", b"x")])
    assert "jobs/extra.tgz is not mentioned in release.MF" in refusal(path)


def test_a_changed_archive_is_told_by_its_digest(good: Path) -> None:
    path = with_inner(good, "packages/p.tgz", keep, [entry("./more", b"x")], digest=False)
    assert "packages/p.tgz: it has the digest sha256:" in refusal(path)


def test_a_changed_template_is_told_by_the_fingerprint_even_with_a_right_digest(
    good: Path,
) -> None:
    def change(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        return member, data + b"y" if member.name.endswith("t.erb") else data

    assert "its files give the fingerprint" in refusal(with_inner(good, "jobs/j.tgz", change))


def test_a_changed_package_with_a_right_digest_is_told_too(good: Path) -> None:
    path = with_inner(good, "packages/q.tgz", keep, [entry("./more", b"x")])
    assert "packages/q.tgz: its files give the fingerprint" in refusal(path)


def test_a_changed_job_is_taken_under_no_name(good: Path) -> None:
    path = with_inner(good, "jobs/j.tgz", keep, [entry("./more", b"x")])
    with pytest.raises(ReleaseError, match=r"jobs/j\.tgz: its files give the fingerprint"):
        verify_tarball(path, Exceptions(frozenset({"j"}), old=True))


@pytest.mark.parametrize(
    ("mode", "archive"), [(0o666, "jobs/j.tgz"), (0o4755, "packages/p.tgz"), (0o600, "license.tgz")]
)
def test_a_file_mode_that_bosh_does_not_make_is_told(good: Path, mode: int, archive: str) -> None:
    names = ("t.erb", "run", "LICENSE")

    def change(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name.endswith(names):
            member.mode = mode
        return member, data

    said = refusal(with_inner(good, archive, change))
    assert f"has the mode {mode:04o}" in said
    assert archive in said


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (entry("../evil", b"x"), "'../evil' leads out of the archive"),
        (entry("/etc/evil", b"x"), "'/etc/evil' leads out of the archive"),
        (entry("./a/../../evil", b"x"), "leads out of the archive"),
        (entry("./l", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "the link 'l' leads out"),
        (entry("./d/l", type=tarfile.SYMTYPE, linkname="../../x"), "the link 'd/l' leads out"),
        (
            entry("./h", type=tarfile.LNKTYPE, linkname="./gone"),
            "no file in the archive",
        ),
        (
            entry("./h", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
            "no file in the archive",
        ),
        (entry("./dev", type=tarfile.CHRTYPE), "'dev' is a device"),
        (entry("./fifo", type=tarfile.FIFOTYPE), "'fifo' is a pipe"),
        (entry("./packaging", b"again"), "'packaging' is there twice"),
    ],
)
def test_what_must_not_be_in_an_archive_is_told(good: Path, more: Any, message: str) -> None:
    path = with_inner(good, "packages/p.tgz", keep, [more])
    said = refusal(path)
    assert message in said
    assert "packages/p.tgz: " in said


def test_a_file_below_a_link_is_told(good: Path) -> None:
    more = [entry("./l", type=tarfile.SYMTYPE, linkname="app"), entry("./l/x", b"1")]
    assert "'l/x' lies below the link 'l'" in refusal(
        with_inner(good, "packages/p.tgz", keep, more)
    )


def test_a_link_inside_an_archive_is_fine(make_release: MakeRelease, tmp_path: Path) -> None:
    folder = make_release(FILES)
    (folder / "src/app/sub").mkdir()
    (folder / "src/app/sub/up").symlink_to("../data")
    built = build_release(folder, version="1", output=tmp_path / "o.tgz")
    assert unchecked(verify_tarball(built.path)) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (entry("../../evil", b"x"), "'../../evil' leads out of the archive"),
        (entry("jobs/j.tgz", b"x"), "'jobs/j.tgz' is there twice"),
        (entry("x", type=tarfile.SYMTYPE, linkname="/etc"), "'x' is a link"),
        (entry("LICENSE.x", type=tarfile.SYMTYPE, linkname="/etc/x"), "'LICENSE.x' leads out"),
        (entry("x", b"1", mode=0o4755), "'x' has the mode 4755"),
    ],
)
def test_what_must_not_be_in_the_tarball_is_told(good: Path, more: Any, message: str) -> None:
    assert message in refusal(rebuilt(good, keep, [more]))


NAME_OF_TWO_LINES = "x\nNothing is wrong with it."


@pytest.mark.parametrize(
    "more",
    [
        entry(f"{NAME_OF_TWO_LINES}/../y", b"x"),
        entry(NAME_OF_TWO_LINES, b"x", mode=0o4755),
        entry(NAME_OF_TWO_LINES, type=tarfile.SYMTYPE, linkname="y"),
        entry(NAME_OF_TWO_LINES, type=tarfile.SYMTYPE, linkname=f"../{NAME_OF_TWO_LINES}"),
        entry(NAME_OF_TWO_LINES, type=tarfile.LNKTYPE, linkname=NAME_OF_TWO_LINES),
        entry(NAME_OF_TWO_LINES, type=tarfile.GNUTYPE_SPARSE),
        entry("L" * 120 + NAME_OF_TWO_LINES + "/" * 2, b"x"),
        entry(f"{NAME_OF_TWO_LINES}.tgz", b"x"),
        entry("jobs/j.tgz/" + NAME_OF_TWO_LINES, b"x"),
    ],
)
@pytest.mark.parametrize("archive", ["", "packages/p.tgz"])
def test_a_name_does_not_write_a_line_of_its_own(good: Path, more: Any, archive: str) -> None:
    path = with_inner(good, archive, keep, [more]) if archive else rebuilt(good, keep, [more])
    assert "\nNothing is wrong" not in refusal(path)


def test_what_is_noted_and_described_is_one_line_each(good: Path) -> None:
    def change(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name == "release.MF":
            data = re.sub(rb"(?m)^(name|commit_hash): .*", rb'\1: "x\\nNothing is wrong"', data)
        return member, data

    verified = verify_tarball(rebuilt(good, change, [entry(NAME_OF_TWO_LINES, b"x")]))
    assert [note for note in verified.notes if "\n" in note] == []
    assert describe(verified).splitlines()[0].startswith(r"x\nNothing is wrong 1.2 from commit x\n")


def test_a_license_that_differs_from_the_packed_one_is_told(good: Path) -> None:
    def change(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        return member, b"other" if member.name == "LICENSE" else data

    assert "LICENSE differs from the one in license.tgz" in refusal(rebuilt(good, change))


def test_a_job_archive_without_its_template_is_told(good: Path) -> None:
    path = with_inner(good, "jobs/j.tgz", lambda m, d: None if m.name.endswith("t.erb") else (m, d))
    assert "job.MF names the template 't.erb', which is not there" in refusal(path)


def test_everything_that_is_wrong_is_told_at_once(good: Path) -> None:
    path = rebuilt(
        good,
        lambda m, d: None if m.name in ("jobs/j.tgz", "packages/q.tgz") else (m, d),
        [entry("packages/extra.tgz", b"x")],
    )
    said = refusal(path)
    assert "jobs/j.tgz is missing" in said
    assert "packages/q.tgz is missing" in said
    assert "packages/extra.tgz is not mentioned" in said


def test_another_order_and_strangers_are_only_noted(good: Path) -> None:
    entries = list(members(good.read_bytes()))
    good.write_bytes(packed([*reversed(entries), entry("README", b"hello")]))
    verified = verify_tarball(good)
    assert any("another order" in note for note in verified.notes)
    assert any("README does not belong" in note for note in verified.notes)


def test_compiled_packages_are_checked_but_their_fingerprint_is_not(
    make_release: MakeRelease, tmp_path: Path
) -> None:
    archive = packed([entry("./bin/x", b"1", mode=0o755)])
    digest = hashlib.sha256(archive).hexdigest()
    manifest = (
        "name: c\nversion: '1'\ncompiled_packages:\n- name: p\n  version: f\n  fingerprint: f\n"
        f"  sha1: sha256:{digest}\n  stemcell: ubuntu-noble/1.1\n  dependencies: []\n"
    )
    path = tmp_path / "c.tgz"
    path.write_bytes(
        packed([entry("release.MF", manifest.encode()), entry("compiled_packages/p.tgz", archive)])
    )
    assert unchecked(verify_tarball(path)) == ["p"]


def release_of(kind: str, archive: bytes, fingerprint: str) -> bytes:
    """A tarball with one package `p`."""
    digest = hashlib.sha1(archive, usedforsecurity=False).hexdigest()
    manifest = (
        f"---\nname: c\nversion: '1'\ncommit_hash: abc\nuncommitted_changes: false\n{kind}:\n"
        f"- name: p\n  version: f\n  fingerprint: {fingerprint}\n  sha1: {digest}\n"
        "  stemcell: ubuntu-noble/1.1\n  dependencies: [q, b]\n"
        f"- name: q\n  version: f\n  fingerprint: {fingerprint}\n  sha1: {digest}\n"
        "  dependencies: [q, b]\n- name: b\n  version: f\n"
        f"  fingerprint: {fingerprint}\n  sha1: {digest}\n  dependencies: [q, b]\n"
    )
    files = [entry(f"{kind}/{name}.tgz", archive) for name in "pqb"]
    return packed([entry("release.MF", manifest.encode()), *files])


def test_fingerprints_of_sha1_are_recomputed(tmp_path: Path) -> None:
    # the fingerprint was made by the code of the BOSH CLI with SHA1 for its digests
    fingerprint = "7b2e01f6fb67fa01b93d1bf789b8cdb536b572d3"
    files = [
        entry("./packaging", b"true\n"),
        entry("./app/run", b"#!/bin/sh\n", mode=0o755),
        entry("./app/d/data", b"data"),
        entry("./app/link", type=tarfile.SYMTYPE, linkname="d/data"),
    ]
    path = tmp_path / "old.tgz"
    path.write_bytes(release_of("packages", packed(files), fingerprint))
    assert unchecked(verify_tarball(path)) == []
    path.write_bytes(release_of("packages", packed(files[1:]), fingerprint))
    assert "packages/p.tgz: its files give the fingerprint" in refusal(path)
    assert "It is of an old kind" in refusal(path)
    assert unchecked(verify_tarball(path, Exceptions(old=True))) == ["p", "q", "b"]


def test_a_compiled_package_is_as_a_packaging_script_leaves_it_but_lends_no_rights(
    tmp_path: Path,
) -> None:
    links = [
        entry("./lib/to", type=tarfile.SYMTYPE, linkname="/var/vcap/packages/q/lib"),
        entry("./bin/x", b"1", mode=0o777),
        entry("./bin/y", type=tarfile.LNKTYPE, linkname="./bin/x"),
    ]
    path = tmp_path / "c.tgz"
    path.write_bytes(release_of("compiled_packages", packed(links), "f"))
    assert unchecked(verify_tarball(path)) == ["p", "q", "b"]
    for more, message in (
        (entry("./bin/su", b"1", mode=0o4755), "'bin/su' has the mode 4755"),
        (entry("./lib/to/x", b"1"), "'lib/to/x' lies below the link 'lib/to'"),
        (entry("./null", type=tarfile.CHRTYPE), "'null' is a device"),
    ):
        path.write_bytes(release_of("compiled_packages", packed([*links, more]), "f"))
        assert message in refusal(path)


def test_a_manifest_at_the_end_is_as_good_as_one_at_the_beginning(good: Path) -> None:
    entries = list(members(good.read_bytes()))
    good.write_bytes(packed([*entries[1:], entries[0]]))
    assert unchecked(verify_tarball(good)) == []
    good.write_bytes(packed([*entries[1:], entry("packages/x.tgz", b"x"), entries[0]]))
    assert "packages/x.tgz is not mentioned" in refusal(good)


def test_a_pipe_is_read_as_it_comes(good: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    whole = good.read_bytes()

    def write() -> None:
        with pipe.open("wb", buffering=0) as file:
            for at in range(0, len(whole), 7):
                file.write(whole[at : at + 7])

    writer = threading.Thread(target=write)
    writer.start()
    verified = verify_tarball(pipe)
    writer.join()
    assert unchecked(verified) == []
