"""Tarballs that want to hide something from who checks them, a tarball for each trick.

Each trick is put into the tarball and into an archive inside; wherever it stands it is refused.
"""

from __future__ import annotations

import gzip
import hashlib
import time
from pathlib import Path

import pytest
from tests.paths import ROOT
from tests.release.tarball import hostile_tars as t

from bosh_release.support.errors import ReleaseError
from bosh_release.tarball import inflating
from bosh_release.tarball.release_checks import verify_tarball

RELEASE_PY = ROOT / "tools" / "release.py"
HIDDEN = t.file(b"hidden", b"evil", mode=0o4755)
NEGATIVE = b"\xff" * 12
HUGE = b"\x80\0\0\0\x7f" + b"\xff" * 7

# What is put between the entries, and how it is refused.
ENTRIES: dict[str, tuple[bytes, str]] = {
    "a folder with content": (
        t.header(b"d/", b"5", size=len(HIDDEN), mode=0o755) + HIDDEN,
        "a folder with content",
    ),
    "a folder with a size of PAX": (
        t.pax(("size", str(len(HIDDEN)))) + t.header(b"d/", b"5", magic=t.POSIX) + HIDDEN,
        "two sizes for one entry: 'd/'",
    ),
    "a link with a size of PAX": (
        t.pax(("size", "1024")) + t.header(b"l", b"2", target=b"x", magic=t.POSIX) + HIDDEN,
        "two sizes for one entry: 'l'",
    ),
    "a file with a size of PAX": (
        t.pax(("size", "512")) + t.header(b"f", size=len(HIDDEN), magic=t.POSIX) + HIDDEN,
        "two sizes for one entry: 'f'",
    ),
    "a link with content": (
        t.header(b"l", b"2", size=len(HIDDEN), target=b"x") + HIDDEN,
        "a link with content",
    ),
    "a hard link with content": (
        t.header(b"l", b"1", size=len(HIDDEN), target=b"x") + HIDDEN,
        "a hard link with content",
    ),
    "a device with content": (
        t.header(b"c", b"3", size=len(HIDDEN)) + HIDDEN,
        "a device with content",
    ),
    "a pipe with content": (t.header(b"p", b"6", size=512) + HIDDEN, "a pipe with content"),
    "a name for all that follow": (
        t.pax(("path", "hidden"), type_=b"g") + t.file(b"f"),
        "PAX headers for the whole archive",
    ),
    "a size for all that follow": (
        t.pax(("size", "0"), type_=b"g") + t.file(b"f", HIDDEN),
        "PAX headers for the whole archive",
    ),
    "another name in PAX": (
        t.pax(("GNU.sparse.name", "hidden")) + t.file(b"f", magic=t.POSIX),
        "PAX header that releases do not have: 'GNU.sparse.name'",
    ),
    "a sparse file in PAX": (
        t.pax(("GNU.sparse.major", "1"), ("GNU.sparse.realsize", "9")) + t.file(b"f"),
        "PAX header that releases do not have: 'GNU.sparse.major'",
    ),
    "an old sparse file": (t.header(b"f", b"S"), "a sparse file"),
    "a size of star": (
        t.pax(("SCHILY.realsize", "9")) + t.file(b"f"),
        "PAX header that releases do not have: 'SCHILY.realsize'",
    ),
    "a name in PAX that goes on after its end": (
        t.pax(("path", "f\0/../../x")) + t.file(b"f"),
        "a 'path' that cannot be read",
    ),
    "no name in PAX": (t.pax(("path", "")) + t.file(b"f"), "a 'path' that cannot be read"),
    "a name twice in PAX": (
        t.pax(("path", "a"), ("path", "hidden")) + t.file(b"f"),
        "a PAX header with 'path' twice",
    ),
    "two PAX headers": (
        t.pax(("path", "a")) + t.pax(("path", "hidden")) + t.file(b"f"),
        "an entry with two names",
    ),
    "a PAX and a GNU name": (
        t.pax(("path", "a")) + t.long_name(b"hidden") + t.file(b"f"),
        "an entry with two names",
    ),
    "two GNU names": (
        t.long_name(b"a") + t.long_name(b"hidden") + t.file(b"f"),
        "an entry with two names",
    ),
    "a GNU name that goes on after its end": (
        t.long_name(b"a\0hidden") + t.file(b"f"),
        "a name that goes on after its end",
    ),
    "a GNU name for nobody": (t.long_name(b"a") + t.END, "the name of an entry that does not"),
    "GNU's times read as a folder": (
        # where GNU's form has times, POSIX has the beginning of the name, as has busybox for both
        t.header(b"f", magic=t.GNU, prefix=b"00000000000\0"),
        "an entry of a backup, which releases do not have: f",
    ),
    "a link that is only in PAX": (
        t.pax(("linkpath", "x")) + t.header(b"l", b"2", magic=t.POSIX),  # a file to bsdtar
        "a link to nothing: l",
    ),
    "a negative size": (t.header(b"f", size=NEGATIVE) + HIDDEN, "a number that cannot be read"),
    "a huge size": (t.header(b"f", size=HUGE) + HIDDEN, "it is truncated"),
    "a size beyond 64 bits": (
        t.header(b"f", size=b"\x80" + b"\xff" * 11),
        "a number that cannot be read",
    ),
    "a size in base 64": (t.header(b"f", size=b"+AAAAAAAAAAI"), "a number that cannot be read"),
    "rubbish behind a size": (t.header(b"f", size=b"0\0001000"), "a number that cannot be read"),
    "5,000 digits": (
        t.pax(("size", "9" * 5000)) + t.file(b"f"),
        "a 'size' that cannot be read",
    ),
    "5,000 digits of a length": (
        t.header(b"x", b"x", size=5010) + t.padded(b"9" * 5000 + b" path=x\n\n\n"),
        "a PAX header that cannot be read",
    ),
    "a checksum of signed bytes": (
        t.header(b"\xff" * 9, signed=True),
        "the checksum of an entry is wrong",
    ),
    "a file with the name of a folder": (
        t.header(b"f/", size=len(HIDDEN)) + HIDDEN,
        "a file with the name of a folder",
    ),
    "no form": (t.header(b"f", magic=b""), "neither POSIX's nor GNU tar's"),
    "an unknown kind": (t.header(b"f", b"Q"), "an entry of the unknown kind"),
    "a volume": (t.header(b"f", b"M"), "a piece of an archive of several volumes"),
    "a contiguous file": (t.header(b"f", b"7"), "a contiguous file"),
    "no name": (t.header(b""), "a file without a name"),
    "one empty block": (b"\0" * 512 + HIDDEN, "a single empty block is in the middle"),
    "an end in the middle": (t.END + HIDDEN, "something follows the end of the archive"),
    "a device": (t.header(b"null", b"3", mode=0o666), "'null' is a device"),
    "a disk": (t.header(b"disk", b"4", mode=0o660), "'disk' is a device"),
    "a pipe": (t.header(b"p", b"6"), "'p' is a pipe"),
    "set-uid": (t.file(b"su", b"x", mode=0o4755), "'su' has the mode 4755"),
    "set-gid": (t.file(b"sg", b"x", mode=0o2755), "'sg' has the mode 2755"),
    "for all to write": (t.file(b"w", b"x", mode=0o666), "'w' has the mode 0666"),
    "above": (t.file(b"../x", b"x"), "'../x' leads out of the archive"),
    "from the root": (t.file(b"/etc/x", b"x"), "'/etc/x' leads out of the archive"),
    "up and down": (t.file(b"a/../b", b"x"), "'a/../b' leads out of the archive"),
    "a name of POSIX in two pieces": (
        t.header(b"x", magic=t.POSIX, prefix=b".."),
        "'../x' leads out of the archive",
    ),
    "twice": (t.file(b"f", b"good") + t.file(b"./f", b"evil"), "'f' is there twice"),
    "a file and a folder": (
        t.file(b"f", b"x") + t.header(b"f/", b"5", mode=0o755),
        "'f' is there twice",
    ),
    "a folder and a file": (
        t.file(b"f/x", b"x") + t.file(b"f", b"x"),
        "'f' is there twice",
    ),
    "below a file": (t.file(b"f", b"x") + t.file(b"f/x", b"x"), "'f/x' lies below the file 'f'"),
}
INNER: dict[str, tuple[bytes, str]] = {
    "below a link": (
        t.header(b"l", b"2", target=b"templates") + t.file(b"l/x", b"x"),
        "'l/x' lies below the link 'l'",
    ),
    "a link over a folder": (
        t.file(b"l/x", b"x") + t.header(b"l", b"2", target=b"templates"),
        "'l' is there twice",
    ),
    "a link that leads out": (
        t.header(b"l", b"2", target=b"../x"),
        "the link 'l' leads out of the archive",
    ),
    "a long link that leads out": (
        t.long_name(b"x/" * 60 + b"../" * 61 + b"y", b"K") + t.header(b"l", b"2", target=b"x"),
        "the link 'l' leads out of the archive",
    ),
    "a link of PAX that leads out": (
        t.pax(("linkpath", "/etc/shadow")) + t.header(b"l", b"2", target=b"x", magic=t.POSIX),
        "the link 'l' leads out of the archive",
    ),
    "links that lead out together": (
        t.header(b"d/e/up", b"2", target=b"../..") + t.header(b"l", b"2", target=b"d/e/up/../x"),
        "the link 'l' goes up after another link",
    ),
    "a hard link to a link": (
        t.header(b"d/l", b"2", target=b"../x") + t.header(b"h", b"1", target=b"d/l"),
        "the link 'h' is to 'd/l', no file in the archive before it",
    ),
    "a hard link to a file outside": (
        t.header(b"h", b"1", target=b"/etc/shadow"),
        "the link 'h' is to '/etc/shadow', no file in the archive before it",
    ),
}

JOB = (
    t.header(b"./", b"5", mode=0o755)
    + t.file(b"./job.MF", b"name: j\ntemplates: {t: bin/t}\n")
    + t.file(b"./monit")
    + t.file(b"./templates/t", b"x")
)


def fingerprint() -> str:
    chunks = (
        name + b"sha256:" + hashlib.sha256(content).hexdigest().encode() + b"100644"
        for name, content in (
            (b"job.MF", b"name: j\ntemplates: {t: bin/t}\n"),
            (b"monit", b""),
            (b"templates/t", b"x"),
        )
    )
    return hashlib.sha256(b"v2" + b"".join(chunks)).hexdigest()


def tarball(job: bytes, extra: bytes = b"", end: bytes = t.END) -> bytes:
    manifest = (
        f"name: r\nversion: '1'\njobs:\n- name: j\n  version: '1'\n  fingerprint: {fingerprint()}\n"
        f"  sha1: sha256:{hashlib.sha256(job).hexdigest()}\n  packages: []\n"
    )
    return (
        t.file(b"release.MF", manifest.encode())
        + t.header(b"jobs/", b"5", mode=0o755)
        + t.file(b"jobs/j.tgz", job, mode=0o600)
        + extra
        + end
    )


def refusal(data: bytes, tmp_path: Path) -> str:
    path = tmp_path / "release.tgz"
    path.write_bytes(data)
    with pytest.raises(ReleaseError) as caught:
        verify_tarball(path)
    return str(caught.value)


def test_without_a_trick_it_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "release.tgz"
    path.write_bytes(tarball(gzip.compress(JOB + t.END)))
    assert verify_tarball(path).notes == ()


@pytest.mark.parametrize("trick", ENTRIES)
def test_a_trick_in_the_tarball_is_refused(trick: str, tmp_path: Path) -> None:
    entries, message = ENTRIES[trick]
    assert message in refusal(tarball(gzip.compress(JOB + t.END), entries), tmp_path)


@pytest.mark.parametrize("trick", [*ENTRIES, *INNER])
@pytest.mark.parametrize("is_compressed", [True, False])
def test_a_trick_in_an_archive_inside_is_refused(
    trick: str, is_compressed: bool, tmp_path: Path
) -> None:
    entries, message = {**ENTRIES, **INNER}[trick]
    job = JOB + entries + t.END
    said = refusal(tarball(gzip.compress(job) if is_compressed else job), tmp_path)
    assert message in said
    assert "jobs/j.tgz: " in said


def test_gzip_streams_that_are_read_differently_are_refused(tmp_path: Path) -> None:
    whole = tarball(gzip.compress(JOB + t.END))
    packed = gzip.compress(whole)
    follows = "something follows the end of the gzip stream"
    assert follows in refusal(packed + gzip.compress(HIDDEN + t.END), tmp_path)
    assert follows in refusal(gzip.compress(whole[:1024]) + gzip.compress(whole[1024:]), tmp_path)
    assert follows in refusal(packed + b"\0" * 512, tmp_path)
    job = gzip.compress(JOB + t.END) + gzip.compress(HIDDEN + t.END)
    assert f"jobs/j.tgz: it is corrupt: {follows}" in refusal(tarball(job), tmp_path)


def two_in_one(plain: bytes, packed: bytes) -> bytes:
    """A gzip stream that is also a tar archive: what is in the way has a file's name or comment.

    Plain, the first entry is called by the bytes of a gzip header, whose optional field of any
    bytes holds the rest of a tar header, and the archive's other entries.
    """
    head = packed[:3] + b"\4" + packed[4:10]  # flag FEXTRA
    body = packed[10:]
    extra = (
        t.checksummed(
            (head + b"\xff\xff").ljust(124, b"x")
            + b"00000000000\0"
            + b"\0" * 20
            + b"0"
            + b"\0" * 100
            + t.GNU
            + b"\0" * 247
        )[12:]
        + plain
    )
    rest = extra + b"\0" * (0xFFFF - len(extra))
    return head + b"\xff\xff" + rest + body


def test_two_archives_in_one_are_refused(tmp_path: Path) -> None:
    whole = tarball(gzip.compress(JOB + t.END))
    data = two_in_one(HIDDEN + t.END, gzip.compress(whole))
    assert gzip.decompress(data) == whole
    assert "two archives in one" in refusal(data, tmp_path)


def test_many_small_bombs_are_one_large_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inflating, "_HARMLESS_SIZE", 8 << 20)
    bomb = gzip.compress(t.file(b"zeros", b"\0" * (1 << 20)) + t.END)
    more = b"".join(t.file(b"packages/%d.tgz" % number, bomb) for number in range(20))
    # before release.MF, so that all are read
    said = refusal(gzip.compress(more + tarball(bomb)), tmp_path)
    assert "jobs/j.tgz: it unpacks to more than 100 times its size" in said


def test_entries_without_number_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inflating, "_MOST_ENTRIES", 100)
    job = JOB + b"".join(t.file(b"%d" % number) for number in range(60)) + t.END
    assert "more than 100 entries" in refusal(tarball(job, t.file(b"a") * 60), tmp_path)


@pytest.mark.parametrize("is_compressed", [True, False])
def test_what_is_wrong_without_number_is_told_in_short(is_compressed: bool, tmp_path: Path) -> None:
    wrong = b"".join(t.header(b"../%d" % number) for number in range(1000))
    said = refusal(tarball(gzip.compress(JOB + t.END), wrong), tmp_path)
    assert len(said.splitlines()) < 110
    assert "and 900 more" in said
    said = refusal(tarball(JOB + wrong + t.END), tmp_path)
    assert len(said.splitlines()) < 5


def test_deep_names_and_long_pax_headers_do_not_take_long(tmp_path: Path) -> None:
    deep = b"".join(
        t.long_name(b"d/" * 2000 + b"%d" % number) + t.file(b"x") for number in range(2000)
    )
    records = [(f"SCHILY.xattr.{number}", "") for number in range(40_000)]
    started = time.process_time()
    refusal(tarball(JOB + deep + t.END), tmp_path)
    refusal(tarball(JOB + t.pax(*records) + t.file(b"x") + t.END), tmp_path)
    assert time.process_time() - started < 10  # it would be minutes if it grew with the square
