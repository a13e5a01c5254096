"""The release tools: tarballs, YAML and folders of any maker end in a result or a ReleaseError."""

from __future__ import annotations

import copy
import functools
import gzip
import hashlib
import io
import os
import socket
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from tests.fuzz.strategies import broken, mutated
from tests.fuzz.target import Target
from tests.paths import ROOT

from bosh_release.blobs.wheels import parse_wheel
from bosh_release.build.building import build_release
from bosh_release.render.interpolate.ops import apply_ops_files
from bosh_release.render.plan import make_plan
from bosh_release.render.request import Request
from bosh_release.source.specs import decode_job_contents, read_blobs
from bosh_release.support.errors import ReleaseError
from bosh_release.tarball.release_checks import verify_tarball
from bosh_release.tarball.release_mf import read_release_mf
from bosh_release.yaml.untyped import parse_yaml

ODD_PATHS = (
    *("../x", "/etc/x", "a/../../x", "./../x", "a/..", "..", ".", "/", "", "a//b", "./a", "a/./b"),
    *(
        "jobs/../../x",
        "packages/p.tgz/../../../x",
        "a\0b",
        "a\nb",
        "\x1b[2J",
        "x" * 300,
        "a/" * 150,
        "a/" * 4000,
    ),
    *("release.MF", "./release.MF", "jobs/j.tgz", "packages/p.tgz", "LICENSE", "~/x", "-rf"),
    *("job.MF", "monit", "templates/t", "packaging"),
)
TYPES = (
    *(tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE),
    *(tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, b"Z"),
)


def message(error: ReleaseError) -> None:
    """It can be shown, and is no novel."""
    text = str(error)
    assert text
    assert len(text) < 1_000_000, f"{len(text)} characters"


# Tarballs


@dataclass
class Item:
    """One entry of an archive, true to nothing."""

    name: str
    content: bytes = b""
    kind: bytes = tarfile.REGTYPE
    target: str = ""
    mode: int = 0o644
    pax: dict[str, str] = field(default_factory=dict)


def archive(items: list[Item], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A plain tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, errors="surrogatepass") as tar:
        for item in items:
            member = tarfile.TarInfo(item.name)
            member.size = len(item.content)
            member.type, member.linkname, member.mode = item.kind, item.target, item.mode
            member.pax_headers = item.pax
            tar.addfile(member, io.BytesIO(item.content))
    return buffer.getvalue()


def release_tarball(job: bytes, extra: list[Item], mf: bytes | None = None) -> bytes:
    """A release whose one job is the archive `job`."""
    digest = hashlib.sha256(job).hexdigest()
    reference = {"name": "j", "version": "1", "fingerprint": "a" * 64, "sha1": f"sha256:{digest}"}
    document = {"name": "r", "version": "1", "jobs": [{**reference, "packages": []}]}
    manifest = yaml.safe_dump(document).encode() if mf is None else mf
    return archive([Item("release.MF", manifest), Item("jobs/j.tgz", job), *extra])


GOOD_JOB = [
    Item("./", kind=tarfile.DIRTYPE, mode=0o755),
    Item("./job.MF", b"name: j\ntemplates: {t: bin/t}\n"),
    Item("./monit"),
    Item("./templates/t", b"x"),
]
names = st.sampled_from(ODD_PATHS) | st.text(max_size=20)
items: SearchStrategy[Item] = st.builds(
    Item,
    names,
    st.binary(max_size=30),
    st.sampled_from(TYPES),
    names,
    st.sampled_from((0, 0o644, 0o755, 0o777, 0o4755, 0o7777, 0o1644)),
    st.dictionaries(
        st.sampled_from(("size", "path", "linkpath", "GNU.sparse.major", "mtime", "x")),
        names.filter(lambda text: "\0" not in text) | st.integers().map(str),
        max_size=2,
    ),
)


@st.composite
def hostile_tarballs(draw: DrawFn) -> bytes:
    """A release with entries that want to get out, in the tarball or in an archive inside."""
    inside = draw(st.lists(items, max_size=4))
    job = gzip.compress(archive(GOOD_JOB + inside), 1)
    if draw(st.booleans()):
        job = draw(mutated([job, archive(GOOD_JOB)], most=3))
    whole = release_tarball(job, draw(st.lists(items, max_size=3)))
    if draw(st.booleans()):
        whole = draw(mutated([whole], most=3))
    return gzip.compress(whole, 1) if draw(st.booleans()) else whole


TARBALL_SEEDS = (
    release_tarball(archive(GOOD_JOB), []),
    gzip.compress(release_tarball(gzip.compress(archive(GOOD_JOB)), [Item("LICENSE", b"l")])),
)


def tarball_holds(data: bytes) -> None:
    """What passes can be unpacked: nothing in it leads out, nor is anything but files and links."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "release.tgz"
        path.write_bytes(data)
        try:
            verified = verify_tarball(path)
        except ReleaseError as error:
            message(error)
            assert [one.name for one in Path(folder).iterdir()] == ["release.tgz"]
            return
        assert verified.manifest.name
        with tarfile.open(path) as tar:
            for member in tar:
                _stays_inside(member)
                if member.name.endswith(".tgz") and member.isfile():
                    content = tar.extractfile(member)
                    with tarfile.open(fileobj=content) as inner:
                        for each in inner:
                            _stays_inside(each)


def _stays_inside(member: tarfile.TarInfo) -> None:
    assert member.isfile() or member.isdir() or member.issym() or member.islnk(), member.name
    tarfile.data_filter(member.replace(mode=0o644, deep=False), "/nowhere")


# YAML

MANIFEST_MF = (
    b"name: alpha\nversion: 9.9.9\ncommit_hash: non-git\nuncommitted_changes: false\n"
    b"jobs:\n- name: widget\n  version: abc\n  fingerprint: abc\n  sha1: sha256:abc\n"
    b"  packages: &p [widget]\npackages:\n- &w\n  name: widget\n  version: abc\n"
    b"  fingerprint: abc\n  sha1: abc\n  dependencies: []\n- {<<: *w, dependencies: *p}\n"
    b"license:\n  version: abc\n  fingerprint: abc\n  sha1: abc\nno_compression: false\n"
)
BLOBS_YML = (
    b"wheels/a-1-py3-none-any.whl:\n  size: 521331\n  sha: sha256:0f25\n"
    b"../b-1-py3-none-any.whl:\n  size: 1e3\n  object_id: x\n  sha: abc\n"
)
JOB_SPEC = b"name: j\ntemplates: {t.erb: bin/t}\npackages: [p]\nproperties:\n  a.b: {default: 1}\n"
YAML_BITS = (
    *(b"&a ", b"*a", b"<<: *a", b"!!binary x", b"!!int x", b"!!float .inf", b"!!python/object:x"),
    *(b"1" * 5000, b"1e999", b".inf", b"-.inf", b"0x" + b"f" * 5000, b"0b" + b"1" * 9000, b"1:30"),
    *(b"[" * 300, b"{a: " * 300, b"? ", b"- ", b"\t", b"---\n", b"...\n", b"%YAML 1.1\n"),
    *(b"\xef\xbb\xbf", b"((x))"),
    *(b"2026-99-99", b"0o17", b"017", b"08", b"1_000", b"'", b'"\\ud800"', b"\xff", b"\x00"),
    *(b"((x.y.0))", b"|-\n  x", b">+", b"&a [*a]", b"a: &a [*a, *a]\n", b"!", b"!x ", b"!!set {x}"),
)


@st.composite
def odd_yaml(draw: DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """YAML with odd bits put in anywhere, or values in the place of others."""
    data = draw(mutated(seeds, most=2))
    for _ in range(draw(st.integers(0, 3))):
        lines = data.split(b"\n")
        at = draw(st.integers(0, len(lines) - 1))
        bit = draw(st.sampled_from(YAML_BITS))
        key, colon, _ = lines[at].partition(b": ")
        lines[at] = draw(st.sampled_from((key + colon + bit, lines[at] + bit, bit + lines[at])))
        data = b"\n".join(lines)
    return data


def release_yaml_holds(data: bytes) -> None:
    """The YAML of release folders and tarballs; a blob never lies outside of blobs/."""
    for read in (read_release_mf, decode_job_contents, _blobs):
        try:
            read(data)
        except ReleaseError as error:
            message(error)


def _blobs(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config").mkdir()
        (folder / "config/blobs.yml").write_bytes(data)
        for blob in read_blobs(folder):
            inside = os.path.normpath(folder / "blobs" / blob.path)
            assert inside.startswith(f"{folder}/blobs/") or inside == f"{folder}/blobs", blob.path
            try:
                assert "/" not in parse_wheel(blob.path).file_name
            except ReleaseError as error:
                message(error)


MANIFESTS = tuple(
    (ROOT / "release/manifests" / name).read_bytes()
    for name in ("slb-registration.yml", "errand.yml", "runtime-config.yml")
)
MANIFEST_DOCUMENTS = tuple(yaml.safe_load(one) for one in MANIFESTS)
OPERATIONS = [
    one
    for path in sorted((ROOT / "release/manifests/operations").glob("*.yml"))
    for one in yaml.safe_load(path.read_text())
]
VARIABLES = {"access_key": "x", "secret_key": "y", "port": 80, "map": {"a": [1]}}


def manifest_yaml_holds(data: bytes) -> None:
    """What operators write."""
    try:
        parse_yaml(data.decode(errors="replace"), "manifest.yml")
    except ReleaseError as error:
        message(error)


@dataclass(frozen=True)
class Rendering:
    """A manifest, what ops files do to it, and values."""

    manifest: Any
    operations: Any
    variables: Any


@st.composite
def renderings(draw: DrawFn) -> Rendering:
    """Each with something wrong in it."""
    operations = draw(broken([[one] for one in OPERATIONS], most=3))
    variables = draw(broken([VARIABLES], most=2))
    return Rendering(draw(broken(MANIFEST_DOCUMENTS, most=4)), operations, variables)


def rendering_holds(value: Rendering) -> None:
    """Everything up to the first template."""
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / part for part in ("manifest.yml", "ops.yml")]
        for path, document in zip(paths, (value.manifest, value.operations), strict=True):
            path.write_text(_dumped(document), errors="surrogatepass")
        try:
            apply_ops_files(copy.deepcopy(value.manifest), paths[1:])
        except ReleaseError as error:
            message(error)
        variables = value.variables if isinstance(value.variables, dict) else {}
        for ops_files in ([], paths[1:]):
            try:
                make_plan(
                    Request(
                        manifest=paths[0],
                        release=ROOT / "release",
                        deployment="cf",
                        variables={str(key): one for key, one in variables.items()},
                        ops_files=ops_files,
                        allow_undeclared=bool(ops_files),
                    )
                )
            except ReleaseError as error:
                message(error)


def _dumped(document: Any) -> str:
    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return yaml.dump(document, Dumper=Plain, allow_unicode=False)


# Folders

FILES = {
    "config/final.yml": b"name: t\n",
    "config/blobs.yml": b"--- {}\n",
    "packages/p/spec": b"name: p\nfiles: ['app/**/*']\n",
    "packages/p/packaging": b"true\n",
    "src/app/run": b"#!/bin/sh\n",
    "jobs/j/spec": b"name: j\npackages: [p]\ntemplates: {t.erb: bin/t}\n",
    "jobs/j/templates/t.erb": b"x\n",
    "jobs/j/monit": b"",
    "LICENSE": b"l",
}
KINDS = ("fifo", "socket", "link out", "link up", "link to itself", "folder", "gone", "odd", "huge")


@functools.cache
def secret() -> Path:
    """A file that no release may hold."""
    path = Path(tempfile.mkdtemp(prefix="fuzz-outside-")) / "secret"
    path.write_bytes(b"the-secret-outside-of-the-folder")
    return path


@st.composite
def folders(draw: DrawFn) -> dict[str, tuple[str, bytes]]:
    """Which of the files is something else, and what."""
    chosen = draw(st.lists(st.sampled_from(sorted(FILES)), max_size=3, unique=True))
    odd = odd_yaml(tuple(FILES.values()))
    changes = {name: (draw(st.sampled_from(KINDS)), draw(odd)) for name in chosen}
    for name in draw(st.lists(names.filter(_can_be_a_name), max_size=2)):
        changes[f"src/app/{name}"] = (draw(st.sampled_from(KINDS)), b"x")
    return changes


def _can_be_a_name(name: str) -> bool:
    return (
        "/" not in name
        and "\0" not in name
        and name not in ("", ".", "..")
        and not any("\ud800" <= c <= "\udfff" for c in name)
        and len(name.encode()) < 200
    )


def folder_holds(changes: dict[str, tuple[str, bytes]]) -> None:
    """A build waits for no pipe, packs nothing from outside, and leaves no half of a tarball."""
    with tempfile.TemporaryDirectory() as name:
        folder, output = Path(name) / "release", Path(name) / "out.tgz"
        for relative, content in FILES.items():
            _put(folder / relative, *changes.get(relative, ("", content)))
        for relative, change in changes.items():
            if relative not in FILES:
                _put(folder / relative, *change)
        try:
            build_release(folder, version="1", output=output, warn=lambda text: None)
        except ReleaseError as error:
            message(error)
            assert [one.name for one in Path(name).iterdir()] == ["release"]
        else:
            try:
                verify_tarball(output)
            except ReleaseError as error:
                _only_links(error)
            with tarfile.open(output) as tar:
                for member in tar:
                    content = tar.extractfile(member) if member.isfile() else None
                    data = content.read() if content is not None else b""
                    plain = gzip.decompress(data) if member.name.endswith(".tgz") else data
                    assert b"the-secret-outside" not in plain or _followed(changes), member.name


def _only_links(error: ReleaseError) -> None:
    """The BOSH CLI packs links as they are; verify tells where one leads out."""
    assert "leads out" in str(error) or "job.MF" in str(error), error


def _followed(changes: dict[str, tuple[str, bytes]]) -> bool:
    """Jobs and licenses follow links, as with the BOSH CLI: what the author put there is wanted."""
    return any(
        kind == "link out" and relative.startswith(("jobs/", "LICENSE", "packages/"))
        for relative, (kind, _) in changes.items()
    )


def _put(path: Path, kind: str, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            here = os.open(path.parent, os.O_RDONLY)
            try:
                one.bind(f"/proc/self/fd/{here}/{path.name}"[:107])
            except OSError:
                os.mkfifo(path)
            finally:
                os.close(here)
    elif kind == "link out":
        path.symlink_to(secret())
    elif kind == "link up":
        path.symlink_to("../" * 12 + "etc")
    elif kind == "link to itself":
        path.symlink_to(path.name)
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge":
        path.write_bytes(content * 200)
    elif kind != "gone":
        path.write_bytes(content)


_YAMLS = (MANIFEST_MF, BLOBS_YML, JOB_SPEC)

TARGETS = (
    Target(
        "tarball",
        hostile_tarballs(),
        tarball_holds,
        examples=120,
        raw=True,
        seeds=TARBALL_SEEDS,
    ),
    Target(
        "release_yaml",
        odd_yaml(_YAMLS),
        release_yaml_holds,
        examples=250,
        raw=True,
        seeds=_YAMLS,
    ),
    Target(
        "manifest_yaml",
        odd_yaml(MANIFESTS),
        manifest_yaml_holds,
        examples=80,
        raw=True,
        seeds=MANIFESTS,
    ),
    Target("rendering", renderings(), rendering_holds, examples=25),
    Target("release_folder", folders(), folder_holds, examples=60),
)
